-- +goose Up
PRAGMA user_version = 8;

-- The number of the latest lock: who writes under an earlier one has lost it.
CREATE TABLE lock (
	epoch INTEGER NOT NULL
) STRICT;
INSERT INTO lock VALUES (0);

-- Whether what Owlat holds has to be looked up: it was told by a fingerprint that no row has.
ALTER TABLE entries ADD COLUMN doubt INTEGER NOT NULL DEFAULT 0;
UPDATE entries SET doubt = 1, fingerprint = NULL WHERE state <> 0 AND fingerprint = x'02000000000000000000000000000000';
-- So was that a failure follows from a row's absence.
UPDATE entries SET failure = replace(failure, '"fingerprint":{"Hi":1,"Lo":0}', '"fingerprint":{"Hi":0,"Lo":0},"absence":true')
WHERE state <> 0 AND instr(failure, '"fingerprint":{"Hi":1,"Lo":0}') > 0;

ALTER TABLE runs ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;     -- of the lock, 0: not known
ALTER TABLE runs ADD COLUMN owner TEXT;                           -- JSON, NULL: not known
ALTER TABLE runs ADD COLUMN heartbeat INTEGER;
ALTER TABLE runs ADD COLUMN stage TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN part TEXT;                            -- JSON, NULL: all rows
ALTER TABLE runs ADD COLUMN summary TEXT;                         -- JSON, NULL: none
ALTER TABLE runs ADD COLUMN guards TEXT;                          -- JSON, NULL: none
ALTER TABLE runs ADD COLUMN plan_form INTEGER NOT NULL DEFAULT 0; -- of the plan that is kept, 0: none, or of an earlier version

CREATE INDEX runs_running ON runs (id) WHERE status = 'running';

-- Only held plans stay.
DELETE FROM plan WHERE run NOT IN (SELECT id FROM runs WHERE status = 'held');
