-- The processes that share the work of the deployments.
CREATE TABLE @nodes (
	id      TEXT PRIMARY KEY,
	host    BYTEA NOT NULL,
	pid     BIGINT NOT NULL,
	version TEXT NOT NULL,
	since   TIMESTAMPTZ NOT NULL,
	seen    TIMESTAMPTZ NOT NULL, -- when it last told that it lives
	detail  JSONB NOT NULL        -- what else it tells
) WITH (fillfactor = 50);

-- The alerts of a deployment that were told.
CREATE TABLE @told (
	deployment BIGINT PRIMARY KEY,
	state      BYTEA NOT NULL, -- JSON
	version    BIGINT NOT NULL -- grows with each change, so that two nodes do not overwrite each other
);
