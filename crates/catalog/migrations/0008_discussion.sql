-- What people say about papers and verdicts, who the authors among them are, and what curators look after.

-- Numbers are given once: a link to a comment that is gone never leads to another one.
ALTER TABLE papers ADD COLUMN last_comment BIGINT NOT NULL DEFAULT 0;

-- Whether a reply or a mention of their name is mailed to them: 0 or 1.
ALTER TABLE people ADD COLUMN mail_replies BIGINT NOT NULL DEFAULT 0;

CREATE TABLE comments (
    created_at BIGINT NOT NULL,
    edited_at  BIGINT,
    -- Set where replies keep the place of a comment whose text and author are gone.
    deleted_at BIGINT,
    -- Set where a curator has taken it out of sight. papers.comments counts what is neither.
    hidden_at  BIGINT,
    -- From 1 within the paper.
    number     BIGINT NOT NULL,
    -- The comment that it answers.
    parent     BIGINT,
    -- Not ON DELETE CASCADE: replies by others hang on the row. What deletes a person deletes their
    -- comments first, which takes text and name out of those that stay.
    person     BIGINT,
    hidden_by  BIGINT,
    paper      TEXT   NOT NULL,
    -- The numbers of the comments above it and its own, seven digits each: the order of the discussion.
    place      TEXT   NOT NULL,
    hidden_reason TEXT,
    text       TEXT   NOT NULL,
    CONSTRAINT comments_pk        PRIMARY KEY (paper, number),
    CONSTRAINT comments_place_uq  UNIQUE (paper, place),
    CONSTRAINT comments_paper_fk  FOREIGN KEY (paper) REFERENCES papers (id) ON DELETE CASCADE,
    CONSTRAINT comments_person_fk FOREIGN KEY (person) REFERENCES people (id) ON DELETE SET NULL,
    CONSTRAINT comments_hidden_by_fk FOREIGN KEY (hidden_by) REFERENCES people (id) ON DELETE SET NULL
);
CREATE INDEX comments_parent_idx ON comments (paper, parent) WHERE parent IS NOT NULL;
CREATE INDEX comments_person_idx ON comments (person, created_at DESC) WHERE person IS NOT NULL;
CREATE INDEX comments_hidden_by_idx ON comments (hidden_by) WHERE hidden_by IS NOT NULL;
-- What the site's feed and the moderation page read.
CREATE INDEX comments_recent_idx ON comments (created_at DESC, paper, number)
    WHERE deleted_at IS NULL AND hidden_at IS NULL;
CREATE INDEX comments_hidden_idx ON comments (hidden_at DESC, paper, number)
    WHERE hidden_at IS NOT NULL;

-- What a comment said before it was edited. It goes when the comment is deleted.
CREATE TABLE comment_versions (
    -- Since when it said that.
    written_at BIGINT NOT NULL,
    number     BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    paper      TEXT   NOT NULL,
    text       TEXT   NOT NULL,
    CONSTRAINT comment_versions_pk PRIMARY KEY (paper, number, version),
    CONSTRAINT comment_versions_comment_fk FOREIGN KEY (paper, number)
        REFERENCES comments (paper, number) ON DELETE CASCADE
);

-- Whom a comment names, and how: a short name may change, and what was written does not.
CREATE TABLE comment_mentions (
    number  BIGINT NOT NULL,
    person  BIGINT NOT NULL,
    paper   TEXT   NOT NULL,
    written TEXT   NOT NULL,
    CONSTRAINT comment_mentions_pk PRIMARY KEY (paper, number, person),
    CONSTRAINT comment_mentions_comment_fk FOREIGN KEY (paper, number)
        REFERENCES comments (paper, number) ON DELETE CASCADE,
    CONSTRAINT comment_mentions_person_fk FOREIGN KEY (person) REFERENCES people (id) ON DELETE CASCADE
) --clustered
;
CREATE INDEX comment_mentions_person_idx ON comment_mentions (person);

-- What readers ask curators to look at; one for each comment and person.
CREATE TABLE comment_reports (
    at         BIGINT NOT NULL,
    settled_at BIGINT,
    number     BIGINT NOT NULL,
    person     BIGINT NOT NULL,
    paper      TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    CONSTRAINT comment_reports_pk PRIMARY KEY (paper, number, person),
    CONSTRAINT comment_reports_comment_fk FOREIGN KEY (paper, number)
        REFERENCES comments (paper, number) ON DELETE CASCADE,
    CONSTRAINT comment_reports_person_fk FOREIGN KEY (person) REFERENCES people (id) ON DELETE CASCADE
);
CREATE INDEX comment_reports_person_idx ON comment_reports (person);
CREATE INDEX comment_reports_open_idx ON comment_reports (at) WHERE settled_at IS NULL;

-- Who says to be an author of a paper, and what a curator found.
CREATE TABLE author_claims (
    at         BIGINT NOT NULL,
    decided_at BIGINT,
    person     BIGINT NOT NULL,
    decided_by BIGINT,
    paper      TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    -- The author's name on the paper, as the person gave it.
    author     TEXT   NOT NULL,
    -- By what a curator can see it.
    proof      TEXT   NOT NULL,
    CONSTRAINT author_claims_pk        PRIMARY KEY (paper, person),
    CONSTRAINT author_claims_paper_fk  FOREIGN KEY (paper) REFERENCES papers (id) ON DELETE CASCADE,
    CONSTRAINT author_claims_person_fk FOREIGN KEY (person) REFERENCES people (id) ON DELETE CASCADE,
    CONSTRAINT author_claims_decided_by_fk FOREIGN KEY (decided_by) REFERENCES people (id) ON DELETE SET NULL,
    CONSTRAINT author_claims_state_ck  CHECK (state IN ('claimed', 'confirmed', 'refused'))
);
CREATE INDEX author_claims_person_idx ON author_claims (person, paper);
CREATE INDEX author_claims_decided_by_idx ON author_claims (decided_by) WHERE decided_by IS NOT NULL;
CREATE INDEX author_claims_open_idx ON author_claims (at) WHERE state = 'claimed';

-- What confirmed authors say about the verdict of a claim in a record. Like records they are never
-- changed: of several by one person about one verdict the newest one counts. They go with their person.
CREATE TABLE verdict_replies (
    at        BIGINT NOT NULL,
    hidden_at BIGINT,
    id        BIGINT NOT NULL,
    person    BIGINT NOT NULL,
    hidden_by BIGINT,
    -- Whether the author holds the verdict to be wrong: 0 or 1.
    disputed  BIGINT NOT NULL,
    paper     TEXT   NOT NULL,
    run       TEXT   NOT NULL,
    claim     TEXT   NOT NULL,
    hidden_reason TEXT,
    text      TEXT   NOT NULL,
    CONSTRAINT verdict_replies_pk        PRIMARY KEY (id),
    CONSTRAINT verdict_replies_paper_fk  FOREIGN KEY (paper) REFERENCES papers (id) ON DELETE CASCADE,
    CONSTRAINT verdict_replies_run_fk    FOREIGN KEY (run) REFERENCES records (run) ON DELETE CASCADE,
    CONSTRAINT verdict_replies_person_fk FOREIGN KEY (person) REFERENCES people (id) ON DELETE CASCADE,
    CONSTRAINT verdict_replies_hidden_by_fk FOREIGN KEY (hidden_by) REFERENCES people (id) ON DELETE SET NULL
);
CREATE INDEX verdict_replies_paper_idx ON verdict_replies (paper, at DESC);
CREATE INDEX verdict_replies_run_idx ON verdict_replies (run, at DESC);
CREATE INDEX verdict_replies_person_idx ON verdict_replies (person, at DESC);
CREATE INDEX verdict_replies_hidden_by_idx ON verdict_replies (hidden_by) WHERE hidden_by IS NOT NULL;
