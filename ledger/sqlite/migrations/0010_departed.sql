-- +goose Up
PRAGMA user_version = 10;

-- The terms under which all is done that follows from the row's absence, NULL: the source had the row. Such an entry has the state 0
-- and no mark in packs.
ALTER TABLE entries ADD COLUMN departed TEXT;
CREATE INDEX entries_departed ON entries (sync, departed) WHERE departed IS NOT NULL;

-- So that finding old runs costs what they are, and the latest run is found beside any number of plans, which earlier versions recorded.
CREATE INDEX runs_started ON runs (started);
CREATE INDEX runs_made ON runs (sync) WHERE mode <> 'plan';

-- Hashes of the addresses that the item concerns, 8 bytes each, little-endian; NULL: none, or an item of an earlier version.
ALTER TABLE plan ADD COLUMN addresses BLOB;
