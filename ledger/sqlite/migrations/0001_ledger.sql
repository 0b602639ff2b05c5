-- +goose Up
PRAGMA user_version = 1;

CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE syncs (
	id      INTEGER PRIMARY KEY,
	name    TEXT NOT NULL UNIQUE,
	adopted INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Times are microseconds since 1970 in UTC, NULL for none.
CREATE TABLE entries (
	id           INTEGER PRIMARY KEY,
	sync         INTEGER NOT NULL,
	key          TEXT NOT NULL,
	contact_id   TEXT,             -- NULL: no contact is confirmed
	email        TEXT,             -- NULL: no address is confirmed
	identity     TEXT,             -- NULL: the same as email
	first_name   TEXT NOT NULL,
	last_name    TEXT NOT NULL,
	origin       TEXT NOT NULL,
	memberships  TEXT,             -- JSON, NULL: none
	intent       INTEGER,          -- when a create was about to be sent
	failure      TEXT,             -- JSON, NULL: none
	state        INTEGER NOT NULL, -- 0 applied, 1 not applied, 2 failing, 3 parked
	first_seen   INTEGER,
	changed_at   INTEGER,
	UNIQUE (sync, key)
) STRICT;

CREATE INDEX entries_contact_id ON entries (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX entries_email ON entries (email) WHERE email IS NOT NULL;
CREATE INDEX entries_identity ON entries (identity) WHERE identity IS NOT NULL;
CREATE INDEX entries_open ON entries (sync, state) WHERE state <> 0;

-- What the diff needs of an entry stands apart and narrow, so that reading it all takes a fraction of a second.
CREATE TABLE marks (
	sync  INTEGER NOT NULL,
	entry INTEGER NOT NULL, -- entries.id
	mark  BLOB NOT NULL,    -- key hash, address hash, fingerprint Hi and Lo: 8 bytes each, little-endian
	PRIMARY KEY (sync, entry)
) STRICT, WITHOUT ROWID;

CREATE TABLE history (
	id    INTEGER PRIMARY KEY,
	sync  INTEGER NOT NULL,
	key   TEXT NOT NULL,
	at    INTEGER NOT NULL,
	run   INTEGER NOT NULL,
	event TEXT NOT NULL,
	note  TEXT NOT NULL
) STRICT;

CREATE INDEX history_key ON history (sync, key);

CREATE TABLE runs (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	sync     INTEGER NOT NULL,
	mode     TEXT NOT NULL,
	started  INTEGER,
	finished INTEGER,
	status   TEXT NOT NULL,
	message  TEXT NOT NULL,
	report   TEXT,                       -- JSON, NULL: none
	spooled  INTEGER NOT NULL DEFAULT 0  -- items ever spooled, the next item's seq
) STRICT;

CREATE INDEX runs_sync ON runs (sync);

CREATE TABLE plan (
	run   INTEGER NOT NULL,
	phase INTEGER NOT NULL,
	ord   INTEGER NOT NULL,
	seq   INTEGER NOT NULL,
	key   TEXT NOT NULL,
	body  BLOB NOT NULL,
	PRIMARY KEY (run, phase, ord, seq)
) STRICT, WITHOUT ROWID;
