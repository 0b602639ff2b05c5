-- +goose Up
PRAGMA user_version = 20;

-- Of an opt-out that was found by reading: when the person was on the topic. NULL: Owlat told the very time.
ALTER TABLE opt_outs ADD COLUMN since INTEGER;

-- What is known of rounds that look for people who have left.
CREATE TABLE rounds (
	id    INTEGER PRIMARY KEY CHECK (id = 1),
	round TEXT NOT NULL
) STRICT;
