-- +goose Up
PRAGMA user_version = 15;

-- What a run was asked for when it was queued: to list Owlat's contacts and read all rows, and whose plan to apply, 0: none.
ALTER TABLE runs ADD COLUMN full INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN approves INTEGER NOT NULL DEFAULT 0;

CREATE INDEX runs_queued ON runs (id) WHERE status = 'queued';
CREATE INDEX runs_waiting ON runs (sync) WHERE status = 'waiting';

-- When a write-back last wrote the opt-out into a source, NULL: never.
ALTER TABLE opt_outs ADD COLUMN written INTEGER;
