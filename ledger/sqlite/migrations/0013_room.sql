-- +goose Up
PRAGMA user_version = 13;

-- Texts that many rows have. What is written before stays as it is until it is written anew: to rewrite it all at once would take
-- as much room as the ledger.
CREATE TABLE topics (
	id    INTEGER PRIMARY KEY,
	topic TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE phrases (
	id    INTEGER PRIMARY KEY,
	event TEXT NOT NULL,
	note  TEXT NOT NULL,
	UNIQUE (event, note)
) STRICT;

ALTER TABLE entries ADD COLUMN members BLOB;  -- in place of memberships, which is NULL then; NULL: as memberships says
ALTER TABLE history ADD COLUMN phrase INTEGER; -- phrases.id, in place of event and note, which are empty then; NULL: as they say

-- The end of an id is enough to find it among all.
DROP INDEX entries_contact_id;
CREATE INDEX entries_contact ON entries (substr(contact_id, -8)) WHERE contact_id IS NOT NULL;
