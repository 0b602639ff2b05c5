-- +goose Up
PRAGMA user_version = 2;

ALTER TABLE entries ADD COLUMN events TEXT; -- JSON, NULL: none
