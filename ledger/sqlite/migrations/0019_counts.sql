-- +goose Up
PRAGMA user_version = 19;

-- What plots need of a run, so that they read an index and not ten thousand reports: a list of what its report counted, NULL without one. It is no
-- generated column, because SQLite reads the whole row for one even where an index has it.
ALTER TABLE runs ADD COLUMN counts TEXT;
UPDATE runs SET counts = CASE WHEN json_valid(report) THEN json_array(
	report ->> '$.outcomes.created', report ->> '$.outcomes.updated', report ->> '$.outcomes.renamed', report ->> '$.outcomes.adopted', report ->> '$.outcomes.unchanged',
	report ->> '$.outcomes.removed', report ->> '$.outcomes.invalid', report ->> '$.outcomes.duplicate', report ->> '$.outcomes.skipped', report ->> '$.outcomes.failed',
	report ->> '$.requests.total', report ->> '$.requests.writes', report ->> '$.requests.rate_limited') END WHERE report IS NOT NULL;

-- +goose StatementBegin
CREATE TRIGGER runs_count_new AFTER INSERT ON runs WHEN new.report IS NOT NULL BEGIN
	UPDATE runs SET counts = CASE WHEN json_valid(new.report) THEN json_array(
	new.report ->> '$.outcomes.created', new.report ->> '$.outcomes.updated', new.report ->> '$.outcomes.renamed', new.report ->> '$.outcomes.adopted', new.report ->> '$.outcomes.unchanged',
	new.report ->> '$.outcomes.removed', new.report ->> '$.outcomes.invalid', new.report ->> '$.outcomes.duplicate', new.report ->> '$.outcomes.skipped', new.report ->> '$.outcomes.failed',
	new.report ->> '$.requests.total', new.report ->> '$.requests.writes', new.report ->> '$.requests.rate_limited') END WHERE id = new.id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER runs_count AFTER UPDATE OF report ON runs WHEN new.report IS NOT old.report BEGIN
	UPDATE runs SET counts = CASE WHEN json_valid(new.report) THEN json_array(
	new.report ->> '$.outcomes.created', new.report ->> '$.outcomes.updated', new.report ->> '$.outcomes.renamed', new.report ->> '$.outcomes.adopted', new.report ->> '$.outcomes.unchanged',
	new.report ->> '$.outcomes.removed', new.report ->> '$.outcomes.invalid', new.report ->> '$.outcomes.duplicate', new.report ->> '$.outcomes.skipped', new.report ->> '$.outcomes.failed',
	new.report ->> '$.requests.total', new.report ->> '$.requests.writes', new.report ->> '$.requests.rate_limited') END WHERE id = new.id;
END;
-- +goose StatementEnd

CREATE INDEX runs_counts ON runs (sync, finished, heartbeat, started, status, mode, counts);
