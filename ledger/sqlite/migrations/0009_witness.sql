-- +goose Up
PRAGMA user_version = 9;

-- The contact's updatedAt of the last answer that carried one, in microseconds; NULL: not known.
ALTER TABLE entries ADD COLUMN witness INTEGER;
