-- +goose Up
PRAGMA user_version = 18;

-- Who asked for what.
CREATE TABLE audit (
	id   INTEGER PRIMARY KEY AUTOINCREMENT,
	at   INTEGER NOT NULL,
	who  TEXT NOT NULL,
	way  TEXT NOT NULL,    -- page, api or command
	what TEXT NOT NULL,
	sync TEXT NOT NULL,    -- its name, '': none; the sync need not be known
	run  INTEGER NOT NULL, -- 0: none
	n    INTEGER NOT NULL  -- how many rows or deliveries, 0: none, or not counted
) STRICT;
CREATE INDEX audit_at ON audit (at);
