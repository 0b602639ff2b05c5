-- Who is signed in to the page of a service, so that every node knows it.
CREATE TABLE @sessions (
	hash    BYTEA PRIMARY KEY,    -- of what the browser holds
	name    BYTEA NOT NULL,       -- to sign in with
	account BYTEA NOT NULL,       -- a hash of the account: of another one nobody is signed in
	began   TIMESTAMPTZ NOT NULL,
	used    TIMESTAMPTZ NOT NULL
);
CREATE INDEX sessions_used ON @sessions (used);
