-- Secrets that all nodes know: of the page, from which the ids of persons in its addresses follow. It is dropped when somebody is forgotten.
CREATE TABLE @secrets (
	name   TEXT PRIMARY KEY,
	secret BYTEA NOT NULL
);
