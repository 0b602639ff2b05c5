-- +goose Up
-- A suppression may also be that of a contact, by its id. When an opt-out from everything was sent not before, and when Owlat confirmed it; NULL: never.
ALTER TABLE @suppressions ADD COLUMN sent BIGINT, ADD COLUMN told BIGINT;
