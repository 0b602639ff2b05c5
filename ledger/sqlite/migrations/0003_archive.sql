-- +goose Up
PRAGMA user_version = 3;

CREATE INDEX history_at ON history (at);

-- Who was forgotten: HMAC-SHA256 of the normalised address under the secret "forget secret" of meta.
CREATE TABLE forgotten (
	hash BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
