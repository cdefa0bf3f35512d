-- Runs: a queue that survives the program, and what each run has said so far.

CREATE TABLE runs (
    created_at       BIGINT NOT NULL,
    started_at       BIGINT,
    finished_at      BIGINT,
    -- Until when the worker's claim holds; it extends it as long as it is alive.
    lease_until      BIGINT,
    -- Work done and planned, in the study's own units.
    done             BIGINT NOT NULL DEFAULT 0,
    total            BIGINT NOT NULL DEFAULT 0,
    seeds            BIGINT,
    cancel_requested BIGINT NOT NULL DEFAULT 0,
    id               TEXT   NOT NULL,
    slug             TEXT   NOT NULL,
    profile          TEXT   NOT NULL,
    state            TEXT   NOT NULL,
    worker           TEXT,
    -- The run that this one does again.
    restart_of       TEXT,
    error            TEXT,
    CONSTRAINT runs_pk            PRIMARY KEY (id),
    CONSTRAINT runs_slug_fk       FOREIGN KEY (slug) REFERENCES papers (slug) ON UPDATE CASCADE,
    CONSTRAINT runs_restart_of_fk FOREIGN KEY (restart_of) REFERENCES runs (id),
    CONSTRAINT runs_profile_ck    CHECK (profile IN ('full', 'quick')),
    CONSTRAINT runs_state_ck      CHECK (state IN
        ('queued', 'running', 'finished', 'failed', 'cancelled', 'interrupted')),
    CONSTRAINT runs_seeds_ck      CHECK (seeds IS NULL OR seeds > 0),
    CONSTRAINT runs_cancel_ck     CHECK (cancel_requested IN (0, 1)),
    -- A running run has somebody who runs it, and a time after which nobody does.
    CONSTRAINT runs_lease_ck      CHECK
        (state <> 'running' OR (worker IS NOT NULL AND lease_until IS NOT NULL))
);

-- The oldest of the queue, and the few that run.
CREATE INDEX runs_state_idx ON runs (state, created_at, id);
-- The newest runs of a study, and of all.
CREATE INDEX runs_slug_idx ON runs (slug, created_at DESC, id DESC);
CREATE INDEX runs_created_idx ON runs (created_at DESC, id DESC);

CREATE TABLE run_events (
    -- Given by whoever appends: the same batch twice is the same rows.
    seq   BIGINT NOT NULL,
    run   TEXT   NOT NULL,
    event TEXT   NOT NULL,
    -- The run first: its events are read as one stretch from any point on.
    CONSTRAINT run_events_pk     PRIMARY KEY (run, seq),
    CONSTRAINT run_events_run_fk FOREIGN KEY (run) REFERENCES runs (id) ON DELETE CASCADE
);
