-- Papers and their authors.
--
-- The text of this file runs on SQLite and on PostgreSQL: types TEXT, BIGINT and DOUBLE PRECISION
-- only, keys that the program makes (no sequence), every constraint named, so that an error can be
-- told by the name of what it broke.
--
-- Days are TEXT in the form YYYY-MM-DD, moments BIGINT microseconds since 1970 in UTC: both compare
-- in both databases as they should, and neither depends on a session's time zone.

CREATE TABLE papers (
    -- Columns of fixed width stand first (PostgreSQL aligns them without gaps) and the abstract
    -- last (SQLite need not step over it, nor follow its overflow pages, to reach what lists sort by).
    added_at          BIGINT           NOT NULL,
    votes             BIGINT           NOT NULL DEFAULT 0,
    comments          BIGINT           NOT NULL DEFAULT 0,
    -- Logarithm of the decayed votes ("forward decay"). Without votes it is the logarithm of
    -- nothing, for which -1e300 stands: a NULL would sort first in one database and last in the
    -- other, and adding a vote to -1e300 needs no special case.
    trending          DOUBLE PRECISION NOT NULL DEFAULT -1e300,
    -- Outcomes of the newest full record, else of the newest quick one; the rank is what lists sort
    -- by, -1 as long as there is no record.
    verdict_rank      BIGINT           NOT NULL DEFAULT -1,
    reproduced        BIGINT           NOT NULL DEFAULT 0,
    partly            BIGINT           NOT NULL DEFAULT 0,
    not_at_this_scale BIGINT           NOT NULL DEFAULT 0,
    not_tested        BIGINT           NOT NULL DEFAULT 0,
    -- The arXiv id if the paper came with one, else a slug. It never changes afterwards, because
    -- links, mails and votes refer to it; arxiv_id may be learnt later.
    id                TEXT             NOT NULL,
    slug              TEXT,
    -- Day of the list on which the paper stands.
    listed            TEXT,
    -- What "newest first" means: the listed day, else the date of publication, else nothing.
    dated             TEXT             NOT NULL,
    published         TEXT,
    arxiv_id          TEXT,
    doi               TEXT,
    category          TEXT,
    venue             TEXT,
    code_url          TEXT,
    code_licence      TEXT,
    title             TEXT             NOT NULL,
    -- Names in the order of the paper, one a line: a page of papers is read from this table alone.
    authors           TEXT             NOT NULL,
    -- The title in lower case, letters and digits only: lists sort by it.
    title_key         TEXT             NOT NULL,
    summary           TEXT             NOT NULL,
    CONSTRAINT papers_pk          PRIMARY KEY (id),
    CONSTRAINT papers_slug_uq     UNIQUE (slug),
    CONSTRAINT papers_arxiv_id_uq UNIQUE (arxiv_id),
    CONSTRAINT papers_doi_uq      UNIQUE (doi),
    CONSTRAINT papers_title_ck    CHECK (title <> ''),
    CONSTRAINT papers_listed_ck   CHECK (listed IS NULL OR length(listed) = 10),
    CONSTRAINT papers_votes_ck    CHECK (votes >= 0),
    CONSTRAINT papers_comments_ck CHECK (comments >= 0)
);

-- One index per sort order. Each ends in the id, so that the order is total and a page is a stretch
-- of the index; newest first breaks the ties before it. The first column's direction is written
-- out because the ties run the other way: a backward scan could not serve them.
--
-- Most papers have no votes, no comments and no record. They are not in the indexes of those orders
-- but follow in the order of date, whose index carries the three numbers to tell them: a paper that
-- comes in has one entry to write and not five. Zeros cost a byte each.
CREATE INDEX papers_dated_idx ON papers (dated DESC, id, votes, comments, verdict_rank);
CREATE INDEX papers_votes_idx ON papers (votes DESC, dated DESC, id) WHERE votes > 0;
CREATE INDEX papers_trending_idx ON papers (trending DESC, dated DESC, id) WHERE votes > 0;
CREATE INDEX papers_comments_idx ON papers (comments DESC, dated DESC, id) WHERE comments > 0;
CREATE INDEX papers_verdict_idx ON papers (verdict_rank DESC, dated DESC, id) WHERE verdict_rank >= 0;
CREATE INDEX papers_title_idx ON papers (title_key, id);
-- The papers of a day, week or month; few enough to be sorted once they are found.
CREATE INDEX papers_listed_idx ON papers (listed, id) WHERE listed IS NOT NULL;

-- The papers of a person; papers.authors is what pages show.
CREATE TABLE paper_authors (
    position BIGINT NOT NULL,
    name     TEXT   NOT NULL,
    paper    TEXT   NOT NULL,
    -- The name first: it is what is asked for. A paper's own rows are named by papers.authors, so
    -- that no second index is needed to find them; only deleting a paper has to look for them.
    CONSTRAINT paper_authors_pk       PRIMARY KEY (name, paper, position),
    CONSTRAINT paper_authors_paper_fk FOREIGN KEY (paper) REFERENCES papers (id) ON DELETE CASCADE,
    CONSTRAINT paper_authors_name_ck  CHECK (name <> '')
);

-- Under which titles and first authors a paper has been met. By them a paper that comes without an
-- id is recognised, also after its title or its authors were corrected: entries are only added.
CREATE TABLE paper_keys (
    -- The oldest entry that fits decides, so that the same papers again find the same entries.
    added_at  BIGINT NOT NULL,
    -- As papers.title_key.
    title_key TEXT   NOT NULL,
    -- Of the first author, in lower case; empty as long as no author is known.
    surname   TEXT   NOT NULL,
    paper     TEXT   NOT NULL,
    -- The title first: it is what is asked for.
    CONSTRAINT paper_keys_pk       PRIMARY KEY (title_key, surname, paper),
    CONSTRAINT paper_keys_paper_fk FOREIGN KEY (paper) REFERENCES papers (id) ON DELETE CASCADE
);
