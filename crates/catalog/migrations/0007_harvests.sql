-- How far papers have been fetched from elsewhere, so that a harvest that was broken off goes on where
-- it was and a finished one is not fetched again.
CREATE TABLE harvests (
    -- What is harvested, as its importer names it: 'arxiv:cs.LG', an address.
    source        TEXT   NOT NULL,
    -- The stretch of time that is being fetched, or was fetched last. Settled when a harvest begins, so
    -- that a page means the same papers on the next day.
    from_time     TEXT,
    to_time       TEXT,
    -- The page that comes next, as the source names it; NULL once there is none.
    position      TEXT,
    -- By what the source tells whether anything has changed (RFC 9110, section 8.8).
    etag          TEXT,
    last_modified TEXT,
    changed_at    BIGINT NOT NULL,
    CONSTRAINT harvests_pk        PRIMARY KEY (source),
    CONSTRAINT harvests_source_ck CHECK (source <> '')
);
