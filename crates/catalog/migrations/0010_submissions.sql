-- Papers that people propose for the lists, and what curators decide.

ALTER TABLE papers ADD COLUMN project_url TEXT;

CREATE TABLE submissions (
    created_at BIGINT NOT NULL,
    decided_at BIGINT,
    -- Random, so that it says nothing about how many there are.
    id         BIGINT NOT NULL,
    -- Null once the account is deleted; what waits goes with it.
    person     BIGINT,
    decided_by BIGINT,
    state      TEXT   NOT NULL,
    -- The paper, once it is in the catalogue.
    paper      TEXT,
    -- Until then: what the person states about it, as JSON.
    draft      TEXT,
    -- What the person says to the curators, and one of them to the person.
    remark     TEXT   NOT NULL DEFAULT '',
    answer     TEXT   NOT NULL DEFAULT '',
    CONSTRAINT submissions_pk         PRIMARY KEY (id),
    CONSTRAINT submissions_person_fk  FOREIGN KEY (person) REFERENCES people (id) ON DELETE SET NULL,
    CONSTRAINT submissions_decided_fk FOREIGN KEY (decided_by) REFERENCES people (id) ON DELETE SET NULL,
    CONSTRAINT submissions_paper_fk   FOREIGN KEY (paper) REFERENCES papers (id) ON DELETE CASCADE,
    CONSTRAINT submissions_state_ck   CHECK (state IN ('waiting', 'accepted', 'declined')),
    CONSTRAINT submissions_about_ck   CHECK (paper IS NOT NULL OR draft IS NOT NULL)
);
-- What waits, the longest waiting first.
CREATE INDEX submissions_waiting_idx ON submissions (created_at, id) WHERE state = 'waiting';
CREATE INDEX submissions_person_idx ON submissions (person, created_at DESC, id);
CREATE INDEX submissions_paper_idx ON submissions (paper, state, created_at);
