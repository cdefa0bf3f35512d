-- Records: what runs measured. Append-only; a newer one supersedes, nothing is edited.

CREATE TABLE records (
    started_at        BIGINT           NOT NULL,
    added_at          BIGINT           NOT NULL,
    reproduced        BIGINT           NOT NULL,
    partly            BIGINT           NOT NULL,
    not_at_this_scale BIGINT           NOT NULL,
    not_tested        BIGINT           NOT NULL,
    seconds           DOUBLE PRECISION NOT NULL,
    -- The run's own id: a run has one record. No foreign key, because records that come with the
    -- program or from another machine have no row in runs.
    run               TEXT             NOT NULL,
    slug              TEXT             NOT NULL,
    profile           TEXT             NOT NULL,
    -- As the record spells it.
    started           TEXT             NOT NULL,
    reason            TEXT,
    -- The whole record as JSON; last, because heads are read without it.
    record            TEXT             NOT NULL,
    CONSTRAINT records_pk         PRIMARY KEY (run),
    CONSTRAINT records_slug_fk    FOREIGN KEY (slug) REFERENCES papers (slug) ON UPDATE CASCADE,
    CONSTRAINT records_profile_ck CHECK (profile IN ('full', 'quick'))
);

-- The newest full record of a study, else its newest quick one, is the first entry of its stretch:
-- 'full' sorts before 'quick'.
CREATE INDEX records_slug_idx ON records (slug, profile, started_at DESC, run DESC);
