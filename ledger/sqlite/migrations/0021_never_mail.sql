-- +goose Up
PRAGMA user_version = 21;

-- A suppression may also be that of a contact, by its id. When an opt-out from everything was sent not before, and when Owlat confirmed it; NULL: never.
ALTER TABLE suppressions ADD COLUMN sent INTEGER;
ALTER TABLE suppressions ADD COLUMN told INTEGER;
