-- +goose Up
PRAGMA user_version = 10;

-- The terms under which all is done that follows from the row's absence, NULL: the source had the row. Such an entry has the state 0
-- and no mark in packs.
ALTER TABLE entries ADD COLUMN departed TEXT;
CREATE INDEX entries_departed ON entries (sync, departed) WHERE departed IS NOT NULL;
