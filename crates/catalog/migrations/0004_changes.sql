-- What has changed since, for the search index, which follows the catalogue.

-- Grows with every change of what search knows of a paper: its statement, its verdicts. Unique; the
-- greatest one is that of the newest change.
ALTER TABLE papers ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
-- One a line, as papers.authors.
ALTER TABLE papers ADD COLUMN tags TEXT NOT NULL DEFAULT '';

UPDATE papers SET revision = numbered.place FROM (
    SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS place FROM papers
) AS numbered WHERE papers.id = numbered.id;

-- What came after a revision, in its order.
CREATE INDEX papers_revision_idx ON papers (revision);
