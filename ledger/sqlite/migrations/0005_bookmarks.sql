-- +goose Up
PRAGMA user_version = 5;

-- How far a sync has read a source that knows when its rows changed.
CREATE TABLE bookmarks (
	sync     INTEGER PRIMARY KEY,
	settings TEXT NOT NULL,
	mark     TEXT NOT NULL,
	full_at  INTEGER,          -- when all rows were last read
	due      INTEGER,          -- when they are to be at the latest, NULL: as configured
	entries  INTEGER NOT NULL,
	again    TEXT NOT NULL     -- JSON: keys of rows to read although they have not changed
) STRICT;
