-- Tables that are nothing but their key, stored once. SQLite otherwise keeps a table by row number
-- and the key a second time as an index: a fifth of a full catalogue's file, and of what an import
-- writes. (What `clustered` stands for is the dialect's; PostgreSQL has no such thing and reads a
-- comment.)
--
-- They are indexes made by hand, written in the transaction that writes their papers, and have no
-- foreign key: to look up a third of a million of them took a tenth of a large import. Whoever deletes
-- a paper deletes its rows here; one that is left over is found by nobody, as readers join with papers.

-- gone: paper_authors_paper_fk
-- gone: paper_keys_paper_fk

CREATE TABLE kept AS SELECT position, name, paper FROM paper_authors;
DROP TABLE paper_authors;
CREATE TABLE paper_authors (
    position BIGINT NOT NULL,
    name     TEXT   NOT NULL,
    paper    TEXT   NOT NULL,
    -- The name first: it is what is asked for. A paper's own rows are named by papers.authors, so
    -- that no second index is needed to find them.
    CONSTRAINT paper_authors_pk      PRIMARY KEY (name, paper, position),
    CONSTRAINT paper_authors_name_ck CHECK (name <> '')
) --clustered
;
INSERT INTO paper_authors (position, name, paper)
    SELECT position, name, paper FROM kept ORDER BY name, paper, position;
DROP TABLE kept;

CREATE TABLE kept AS SELECT added_at, title_key, surname, paper FROM paper_keys;
DROP TABLE paper_keys;
CREATE TABLE paper_keys (
    -- The oldest entry that fits decides, so that the same papers again find the same entries.
    added_at  BIGINT NOT NULL,
    -- As papers.title_key.
    title_key TEXT   NOT NULL,
    -- Of the first author, in lower case; empty as long as no author is known.
    surname   TEXT   NOT NULL,
    paper     TEXT   NOT NULL,
    -- The title first: it is what is asked for.
    CONSTRAINT paper_keys_pk PRIMARY KEY (title_key, surname, paper)
) --clustered
;
INSERT INTO paper_keys (added_at, title_key, surname, paper)
    SELECT added_at, title_key, surname, paper FROM kept ORDER BY title_key, surname, paper;
DROP TABLE kept;
