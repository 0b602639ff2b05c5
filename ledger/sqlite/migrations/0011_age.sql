-- +goose Up
PRAGMA user_version = 11;

-- One row: how far the ledger is, so that an older copy in its place is noticed.
CREATE TABLE age (
	ledger     TEXT NOT NULL,              -- random; a ledger that is set back gets another
	was        TEXT NOT NULL,              -- the name before, '': none
	generation INTEGER NOT NULL,           -- grows with what is recorded
	log        TEXT NOT NULL,              -- the salts of the write-ahead log when the generation last grew, '': there was none
	base       INTEGER NOT NULL,           -- the generation of the file without that log is at least this
	set_back   INTEGER,                    -- when it was last noticed to be older than what was done: holds for syncs that it does not know
	copied     TEXT NOT NULL               -- '': the file is no copy; else a random name after 'rest:' or, of a copy made in a run, 'run:'
) STRICT;
INSERT INTO age VALUES (lower(hex(randomblob(16))), '', 0, '', 0, NULL, '');

-- When the ledger was noticed to be older than what was done, NULL: it was not, or a run has come to its end since.
ALTER TABLE syncs ADD COLUMN set_back INTEGER;
