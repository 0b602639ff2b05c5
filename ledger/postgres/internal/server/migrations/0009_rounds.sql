-- Of an opt-out that was found by reading: when the person was on the topic. NULL: Owlat told the very time.
ALTER TABLE @opt_outs ADD COLUMN since BIGINT;

-- What is known of rounds that look for people who have left.
CREATE TABLE @rounds (
	deployment BIGINT PRIMARY KEY,
	round      BYTEA NOT NULL
);
