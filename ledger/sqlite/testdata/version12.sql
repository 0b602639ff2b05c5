-- A ledger as the twelfth version of the schema wrote it: memberships and history with all their texts. It stays as it is.
PRAGMA application_id = 1333226579;
PRAGMA user_version = 12;
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO goose_db_version VALUES(1,0,1,'2026-11-28 17:50:32');
INSERT INTO goose_db_version VALUES(2,1,1,'2026-11-28 17:50:32');
INSERT INTO goose_db_version VALUES(3,2,1,'2026-11-28 17:50:32');
INSERT INTO goose_db_version VALUES(4,3,1,'2026-11-28 17:50:32');
INSERT INTO goose_db_version VALUES(5,4,1,'2026-11-28 17:50:32');
INSERT INTO goose_db_version VALUES(6,5,1,'2026-11-28 17:50:32');
INSERT INTO goose_db_version VALUES(7,6,1,'2026-11-28 17:50:32');
INSERT INTO goose_db_version VALUES(8,7,1,'2026-11-28 17:50:32');
INSERT INTO goose_db_version VALUES(9,8,1,'2026-11-28 17:50:32');
INSERT INTO goose_db_version VALUES(10,9,1,'2026-11-28 17:50:32');
INSERT INTO goose_db_version VALUES(11,10,1,'2026-11-28 17:50:32');
INSERT INTO goose_db_version VALUES(12,11,1,'2026-11-28 17:50:32');
INSERT INTO goose_db_version VALUES(13,12,1,'2026-11-28 17:50:32');
CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE syncs (
	id      INTEGER PRIMARY KEY,
	name    TEXT NOT NULL UNIQUE,
	adopted INTEGER NOT NULL DEFAULT 0
, set_back INTEGER) STRICT;
INSERT INTO syncs VALUES(1,'users',1,NULL);
CREATE TABLE entries (
	id           INTEGER PRIMARY KEY,
	sync         INTEGER NOT NULL,
	key          TEXT NOT NULL,
	contact_id   TEXT,             -- NULL: no contact is confirmed
	email        TEXT,             -- NULL: no address is confirmed
	identity     TEXT,             -- NULL: the same as email
	first_name   TEXT NOT NULL,
	last_name    TEXT NOT NULL,
	origin       TEXT NOT NULL,
	memberships  TEXT,             -- JSON, NULL: none
	intent       INTEGER,          -- when a create was about to be sent
	failure      TEXT,             -- JSON, NULL: none
	state        INTEGER NOT NULL, -- 0 applied, 1 not applied, 2 failing, 3 parked
	first_seen   INTEGER,
	changed_at   INTEGER, events TEXT, fingerprint BLOB, doubt INTEGER NOT NULL DEFAULT 0, witness INTEGER, intent_local INTEGER NOT NULL DEFAULT 0, departed TEXT, asked INTEGER,
	UNIQUE (sync, key)
) STRICT;
INSERT INTO entries VALUES(1,1,'1','k57ae3c4mxh2h0zqjmkz1q0v2s7nbd11','row1@example.com',NULL,'Ada','Example','created','[{"topic":"topic1","consent":true,"state":"added","at":"2026-11-23T10:00:00.123456Z"}]',NULL,NULL,0,1795428000123456,1795428000123456,NULL,X'01000000000000000200000000000000',0,1795428000123456,0,NULL,NULL);
INSERT INTO entries VALUES(2,1,'2','k57ae3c4mxh2h0zqjmkz1q0v2s7nbd12','row2@example.com',NULL,'Ada','Example','created','[{"topic":"topic1","consent":false,"state":"left","at":"2026-11-23T10:00:00.123456Z","renewed":"2026-11-23T11:00:00.123456Z","sent":"2026-11-23T10:01:00.123456Z"},{"topic":"topic2","consent":true,"state":"unsure","at":"2026-11-23T10:00:00.123456Z","pending":"2026-11-23T10:00:01.123456Z","unmailed":true}]',NULL,NULL,0,1795428000123456,1795428000123456,NULL,X'01000000000000000200000000000000',0,1795428000123456,0,NULL,1795428001123456);
INSERT INTO entries VALUES(3,1,'3','k57ae3c4mxh2h0zqjmkz1q0v2s7nbd13','row3@example.com',NULL,'Ada','Example','created','[{"topic":"topic2","consent":false,"state":"out","at":"2026-11-23T10:00:00.123456Z"}]',NULL,NULL,0,1795428000123456,1795428000123456,NULL,NULL,0,1795428000123456,0,'keep',NULL);
CREATE TABLE history (
	id    INTEGER PRIMARY KEY,
	sync  INTEGER NOT NULL,
	key   TEXT NOT NULL,
	at    INTEGER NOT NULL,
	run   INTEGER NOT NULL,
	event TEXT NOT NULL,
	note  TEXT NOT NULL
) STRICT;
INSERT INTO history VALUES(1,1,'1',1795514400123456,1,'created','');
INSERT INTO history VALUES(2,1,'1',1795514400123456,1,'topic added','topic1');
INSERT INTO history VALUES(3,1,'2',1795514400123456,1,'failed','Owlat failed for row2@example.com');
INSERT INTO history VALUES(4,1,'3',1795514400123456,1,'topic removed','topic2');
CREATE TABLE runs (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	sync     INTEGER NOT NULL,
	mode     TEXT NOT NULL,
	started  INTEGER,
	finished INTEGER,
	status   TEXT NOT NULL,
	message  TEXT NOT NULL,
	report   TEXT,                       -- JSON, NULL: none
	spooled  INTEGER NOT NULL DEFAULT 0  -- items ever spooled, the next item's seq
, epoch INTEGER NOT NULL DEFAULT 0, owner TEXT, heartbeat INTEGER, stage TEXT NOT NULL DEFAULT '', part TEXT, summary TEXT, guards TEXT, plan_form INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO runs VALUES(1,1,'run',1795428000123456,1795428000123456,'ok','',NULL,0,1,NULL,1795888232138856,'',NULL,NULL,NULL,0);
CREATE TABLE plan (
	run   INTEGER NOT NULL,
	phase INTEGER NOT NULL,
	ord   INTEGER NOT NULL,
	seq   INTEGER NOT NULL,
	key   TEXT NOT NULL,
	body  BLOB NOT NULL, addresses BLOB,
	PRIMARY KEY (run, phase, ord, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE forgotten (
	hash BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
CREATE TABLE opt_outs (
	contact_id TEXT NOT NULL,
	topic      TEXT NOT NULL,
	at         INTEGER NOT NULL,
	PRIMARY KEY (contact_id, topic)
) STRICT, WITHOUT ROWID;
CREATE TABLE bookmarks (
	sync     INTEGER PRIMARY KEY,
	settings TEXT NOT NULL,
	mark     TEXT NOT NULL,
	full_at  INTEGER,          -- when all rows were last read
	due      INTEGER,          -- when they are to be at the latest, NULL: as configured
	entries  INTEGER NOT NULL,
	again    TEXT NOT NULL     -- JSON: keys of rows to read although they have not changed
) STRICT;
CREATE TABLE packs (
	id    INTEGER PRIMARY KEY, -- sync << 32 | entries.id / 238
	-- For each id from the pack's first on 17 bytes: 0 no entry, 1 entry, 2 entry of which no address is confirmed; the key's
	-- hash and the fingerprint's Lo, 8 bytes each, little-endian. It ends with the last entry that ever was.
	marks BLOB NOT NULL
) STRICT;
INSERT INTO packs VALUES(4294967296,X'00000000000000000000000000000000000158f1988f0225cd6502000000000000000114a35d2f32a795fb02000000000000000000000000000000000000000000000000');
CREATE TABLE lock (
	epoch INTEGER NOT NULL
) STRICT;
INSERT INTO lock VALUES(1);
CREATE TABLE age (
	ledger     TEXT NOT NULL,              -- random; a ledger that is set back gets another
	was        TEXT NOT NULL,              -- the name before, '': none
	generation INTEGER NOT NULL,           -- grows with what is recorded
	log        TEXT NOT NULL,              -- the salts of the write-ahead log when the generation last grew, '': there was none
	base       INTEGER NOT NULL,           -- the generation of the file without that log is at least this
	set_back   INTEGER,                    -- when it was last noticed to be older than what was done: holds for syncs that it does not know
	copied     TEXT NOT NULL               -- '': the file is no copy; else a random name after 'rest:' or, of a copy made in a run, 'run:'
) STRICT;
INSERT INTO age VALUES('fbe5a637256ce3e54de96a150535aee1','',2,'3607bc5041b87e4e',0,NULL,'');
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('goose_db_version',13);
INSERT INTO sqlite_sequence VALUES('runs',1);
CREATE INDEX entries_contact_id ON entries (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX entries_email ON entries (email) WHERE email IS NOT NULL;
CREATE INDEX entries_identity ON entries (identity) WHERE identity IS NOT NULL;
CREATE INDEX entries_open ON entries (sync, state) WHERE state <> 0;
CREATE INDEX history_key ON history (sync, key);
CREATE INDEX runs_sync ON runs (sync);
CREATE INDEX history_at ON history (at);
CREATE INDEX runs_held ON runs (sync) WHERE status = 'held';
CREATE INDEX runs_running ON runs (id) WHERE status = 'running';
CREATE INDEX entries_departed ON entries (sync, departed) WHERE departed IS NOT NULL;
CREATE INDEX runs_started ON runs (started);
CREATE INDEX runs_made ON runs (sync) WHERE mode <> 'plan';
CREATE INDEX entries_asked ON entries (sync, asked) WHERE asked IS NOT NULL;
