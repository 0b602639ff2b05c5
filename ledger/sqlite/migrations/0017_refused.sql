-- +goose Up
PRAGMA user_version = 17;

-- How many of the attempts the target refused; the others found it down.
ALTER TABLE deliveries ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;

-- The hashes of what Owlat told about forgotten persons, so that a repetition is known.
CREATE TABLE erased (
	hash     BLOB PRIMARY KEY, -- of the delivery's content
	received INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX erased_received ON erased (received);
