-- What people keep for themselves: papers with a state, tags and a note. Nobody else sees any of it.

-- One for each person and paper that they keep, or have said is not for them. By person first: every
-- question is about the papers of one person.
CREATE TABLE library (
    added_at   BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    person     BIGINT NOT NULL,
    paper      TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    -- Markdown, as it was written; empty if there is none.
    note       TEXT   NOT NULL DEFAULT '',
    CONSTRAINT library_pk        PRIMARY KEY (person, paper),
    CONSTRAINT library_person_fk FOREIGN KEY (person) REFERENCES people (id) ON DELETE CASCADE,
    CONSTRAINT library_paper_fk  FOREIGN KEY (paper) REFERENCES papers (id) ON DELETE CASCADE,
    CONSTRAINT library_state_ck  CHECK (state IN ('none', 'later', 'reading', 'done', 'not-for-me'))
) --clustered
;
-- A person's papers, the last one added first: all, and those of a state, which this also counts.
CREATE INDEX library_added_idx ON library (person, added_at DESC, paper);
CREATE INDEX library_state_idx ON library (person, state, added_at DESC, paper);
-- Removing a paper asks who keeps it.
CREATE INDEX library_paper_idx ON library (paper);

-- By tag before paper, so that the papers of a tag, and the tags with their numbers, are a stretch.
CREATE TABLE library_tags (
    person BIGINT NOT NULL,
    tag    TEXT   NOT NULL,
    paper  TEXT   NOT NULL,
    CONSTRAINT library_tags_pk       PRIMARY KEY (person, tag, paper),
    CONSTRAINT library_tags_entry_fk FOREIGN KEY (person, paper)
        REFERENCES library (person, paper) ON DELETE CASCADE
) --clustered
;
-- The tags of a paper.
CREATE INDEX library_tags_paper_idx ON library_tags (person, paper, tag);

-- How often a library has changed: what is learnt from it holds as long as this number does.
CREATE TABLE library_revisions (
    person   BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT library_revisions_pk        PRIMARY KEY (person),
    CONSTRAINT library_revisions_person_fk FOREIGN KEY (person) REFERENCES people (id) ON DELETE CASCADE
);
