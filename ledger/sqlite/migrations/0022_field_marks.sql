-- +goose Up
-- The events of an entry may be an object with the marks of its fields beside them, which earlier versions cannot read.
PRAGMA user_version = 22;
