-- +goose Up
PRAGMA user_version = 7;

-- So that what is held costs what it is, and not what was ever run.
CREATE INDEX runs_held ON runs (sync) WHERE status = 'held';
