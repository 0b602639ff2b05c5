-- Who asked for what.
CREATE TABLE @audit (
	deployment BIGINT NOT NULL,
	number     BIGINT NOT NULL, -- counts within the deployment
	at         BIGINT NOT NULL,
	who        BYTEA NOT NULL,
	way        TEXT NOT NULL,   -- page, api or command
	what       TEXT NOT NULL,
	sync       BYTEA NOT NULL,  -- its name, '': none; the sync need not be known
	run        BIGINT NOT NULL, -- 0: none
	n          BIGINT NOT NULL, -- how many rows or deliveries, 0: none, or not counted
	PRIMARY KEY (deployment, number)
);
CREATE INDEX audit_at ON @audit (deployment, at);
