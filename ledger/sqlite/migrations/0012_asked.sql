-- +goose Up
PRAGMA user_version = 12;

-- When the person of the entry was last asked to confirm a double opt-in, as the memberships tell; NULL: never.
ALTER TABLE entries ADD COLUMN asked INTEGER;

CREATE INDEX entries_asked ON entries (sync, asked) WHERE asked IS NOT NULL;
