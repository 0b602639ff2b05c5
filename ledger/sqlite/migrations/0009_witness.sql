-- +goose Up
PRAGMA user_version = 9;

-- The contact's updatedAt of the last answer that carried one, in microseconds; NULL: not known.
ALTER TABLE entries ADD COLUMN witness INTEGER;

-- Whether intent is on this machine's clock and not on Owlat's. Earlier versions knew no other.
ALTER TABLE entries ADD COLUMN intent_local INTEGER NOT NULL DEFAULT 0;
UPDATE entries SET intent_local = 1 WHERE state <> 0 AND intent IS NOT NULL;
