-- +goose Up
PRAGMA user_version = 16;

-- What Owlat told by webhooks.
CREATE TABLE feedback (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	hash     BLOB NOT NULL UNIQUE, -- of the delivery's content
	event    TEXT NOT NULL,
	contact  TEXT,                 -- NULL: it names none
	email    TEXT,                 -- NULL: it names none
	at       INTEGER,
	received INTEGER NOT NULL,
	topics   TEXT,                 -- JSON, NULL: none
	kind     TEXT NOT NULL,
	detail   TEXT NOT NULL
) STRICT;
CREATE INDEX feedback_contact ON feedback (contact) WHERE contact IS NOT NULL;
CREATE INDEX feedback_email ON feedback (email) WHERE email IS NOT NULL;
CREATE INDEX feedback_received ON feedback (received);

-- One row: when the latest came of what is gone, NULL: nothing is gone.
CREATE TABLE heard (
	latest INTEGER
) STRICT;
INSERT INTO heard VALUES (NULL);

-- Addresses that no mail may go to; those of forgotten persons under their hashed names.
CREATE TABLE suppressions (
	email  TEXT PRIMARY KEY,
	reason TEXT NOT NULL,
	at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The contact that Owlat made for an address.
CREATE TABLE known (
	email   TEXT PRIMARY KEY,
	contact TEXT NOT NULL,
	at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX known_at ON known (at);

-- What is to be told to the user's own systems.
CREATE TABLE deliveries (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	feedback INTEGER NOT NULL, -- feedback.id
	target   TEXT NOT NULL,
	person   TEXT NOT NULL,
	topic    TEXT NOT NULL,
	state    TEXT NOT NULL,    -- waiting, done or dead
	attempts INTEGER NOT NULL,
	due      INTEGER NOT NULL,
	done     INTEGER,
	error    TEXT NOT NULL
) STRICT;
CREATE INDEX deliveries_feedback ON deliveries (feedback);
CREATE INDEX deliveries_order ON deliveries (target, id, due) WHERE state = 'waiting';
CREATE INDEX deliveries_due ON deliveries (target, due) WHERE state = 'waiting';
CREATE INDEX deliveries_person ON deliveries (target, person, id) WHERE state = 'waiting';
CREATE INDEX deliveries_dead ON deliveries (target) WHERE state = 'dead';

-- How many deliveries are done, because counting them takes longer the more there are.
CREATE TABLE delivered (
	target TEXT PRIMARY KEY,
	n      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- +goose StatementBegin
CREATE TRIGGER deliveries_done AFTER UPDATE OF state ON deliveries WHEN NEW.state = 'done' AND OLD.state <> 'done' BEGIN
	INSERT INTO delivered (target, n) VALUES (NEW.target, 1) ON CONFLICT (target) DO UPDATE SET n = n + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER deliveries_gone AFTER DELETE ON deliveries WHEN OLD.state = 'done' BEGIN
	UPDATE delivered SET n = n - 1 WHERE target = OLD.target;
END;
-- +goose StatementEnd
