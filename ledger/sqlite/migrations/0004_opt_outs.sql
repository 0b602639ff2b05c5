-- +goose Up
PRAGMA user_version = 4;

-- When somebody last left a topic, as Owlat's webhooks told it.
CREATE TABLE opt_outs (
	contact_id TEXT NOT NULL,
	topic      TEXT NOT NULL,
	at         INTEGER NOT NULL,
	PRIMARY KEY (contact_id, topic)
) STRICT, WITHOUT ROWID;
