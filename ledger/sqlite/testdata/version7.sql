-- A ledger as the seventh version of the schema wrote it: entries in doubt, a failure that follows from absence, a held plan, what a
-- killed run left. It stays as it is.
PRAGMA application_id = 1333226579;
PRAGMA user_version = 7;
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO goose_db_version VALUES(1,0,1,'2026-11-28 10:45:34');
INSERT INTO goose_db_version VALUES(2,1,1,'2026-11-28 10:45:34');
INSERT INTO goose_db_version VALUES(3,2,1,'2026-11-28 10:45:34');
INSERT INTO goose_db_version VALUES(4,3,1,'2026-11-28 10:45:34');
INSERT INTO goose_db_version VALUES(5,4,1,'2026-11-28 10:45:34');
INSERT INTO goose_db_version VALUES(6,5,1,'2026-11-28 10:45:34');
INSERT INTO goose_db_version VALUES(7,6,1,'2026-11-28 10:45:34');
INSERT INTO goose_db_version VALUES(8,7,1,'2026-11-28 10:45:34');
CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('deployment','https://owlat.example.com');
INSERT INTO meta VALUES('forget secret','1e9f843833ea2d8e4aab21797b1dd59e627240046d9a802f1bb7a9fb6ebc208b');
CREATE TABLE syncs (
	id      INTEGER PRIMARY KEY,
	name    TEXT NOT NULL UNIQUE,
	adopted INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO syncs VALUES(1,'users',1);
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
	changed_at   INTEGER, events TEXT, fingerprint BLOB,
	UNIQUE (sync, key)
) STRICT;
INSERT INTO entries VALUES(1,1,'1','contact1','row1@example.com',NULL,'','','created',NULL,NULL,NULL,0,1795428000000000,1795428000000000,NULL,X'00000000000000800700000000000000');
INSERT INTO entries VALUES(2,1,'2','contact2','row2@example.com',NULL,'','','created',NULL,1795428000000000,NULL,1,1795428000000000,1795428000000000,NULL,X'02000000000000000000000000000000');
INSERT INTO entries VALUES(3,1,'3','contact3','row3@example.com',NULL,'','','created',NULL,NULL,'{"class":"retry","category":"internal","status":500,"reason":"Owlat failed","attempts":2,"first":"2026-11-23T10:00:00Z","last":"2026-11-23T10:00:00Z","next_try":"2026-11-23T10:00:00Z","parked":false,"fingerprint":{"Hi":18446744073709551615,"Lo":9223372036854775809}}',2,1795428000000000,1795428000000000,NULL,X'02000000000000000000000000000000');
INSERT INTO entries VALUES(4,1,'4','contact4','row4@example.com',NULL,'','','created',NULL,NULL,'{"class":"give up","category":"forbidden","status":403,"reason":"refused: \"fingerprint\":{\"Hi\":1,\"Lo\":0}","attempts":8,"first":"2026-11-23T10:00:00Z","last":"2026-11-23T10:00:00Z","next_try":"2026-11-23T10:00:00Z","parked":true,"fingerprint":{"Hi":1,"Lo":0}}',3,1795428000000000,1795428000000000,NULL,X'09000000000000000800000000000000');
INSERT INTO entries VALUES(5,1,'5','contact5','row5@example.com',NULL,'','','created',NULL,NULL,'{"class":"retry","category":"network","reason":"\"fingerprint\":{\"Hi\":1,\"Lo\":0}","attempts":1,"first":"2026-11-23T10:00:00Z","last":"2026-11-23T10:00:00Z","next_try":"2026-11-23T10:00:00Z","parked":false,"fingerprint":{"Hi":1,"Lo":5}}',2,1795428000000000,1795428000000000,NULL,NULL);
INSERT INTO entries VALUES(6,1,'6','contact6','row6@example.com',NULL,'','','created',NULL,NULL,NULL,1,1795428000000000,1795428000000000,NULL,NULL);
CREATE TABLE history (
	id    INTEGER PRIMARY KEY,
	sync  INTEGER NOT NULL,
	key   TEXT NOT NULL,
	at    INTEGER NOT NULL,
	run   INTEGER NOT NULL,
	event TEXT NOT NULL,
	note  TEXT NOT NULL
) STRICT;
INSERT INTO history VALUES(1,1,'1',1795428000000000,1,'created','');
INSERT INTO history VALUES(2,1,'2',1795428000000000,1,'created','');
INSERT INTO history VALUES(3,1,'3',1795428000000000,1,'created','');
INSERT INTO history VALUES(4,1,'4',1795428000000000,1,'created','');
INSERT INTO history VALUES(5,1,'5',1795428000000000,1,'created','');
INSERT INTO history VALUES(6,1,'6',1795428000000000,1,'created','');
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
) STRICT;
INSERT INTO runs VALUES(1,1,'plan',1795428000000000,1795428001000000,'ok','','{"sync":"users","run":"1","rows":3,"missing":0,"outcomes":{"adopted":0,"created":0,"duplicate":0,"failed":0,"invalid":0,"removed":0,"renamed":0,"skipped":0,"unchanged":0,"updated":0},"memberships":{"added":0,"removed":0,"skipped":0},"requests":{"total":0,"writes":0,"rate_limited":0},"seconds":0}',1);
INSERT INTO runs VALUES(2,1,'run',1795428000000000,1795428001000000,'failed rows','one row failed','{"sync":"users","run":"1","rows":3,"missing":0,"outcomes":{"adopted":0,"created":0,"duplicate":0,"failed":0,"invalid":0,"removed":0,"renamed":0,"skipped":0,"unchanged":0,"updated":0},"memberships":{"added":0,"removed":0,"skipped":0},"requests":{"total":0,"writes":0,"rate_limited":0},"seconds":0}',1);
INSERT INTO runs VALUES(3,1,'run',1795428000000000,1795428001000000,'held','too many removals','{"sync":"users","run":"1","rows":3,"missing":0,"outcomes":{"adopted":0,"created":0,"duplicate":0,"failed":0,"invalid":0,"removed":0,"renamed":0,"skipped":0,"unchanged":0,"updated":0},"memberships":{"added":0,"removed":0,"skipped":0},"requests":{"total":0,"writes":0,"rate_limited":0},"seconds":0}',2);
INSERT INTO runs VALUES(4,1,'run',1795428000000000,NULL,'running','',NULL,1);
CREATE TABLE plan (
	run   INTEGER NOT NULL,
	phase INTEGER NOT NULL,
	ord   INTEGER NOT NULL,
	seq   INTEGER NOT NULL,
	key   TEXT NOT NULL,
	body  BLOB NOT NULL,
	PRIMARY KEY (run, phase, ord, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO "plan" VALUES(3,1,1,0,'1',X'7b226f6c64223a747275657d');
INSERT INTO "plan" VALUES(3,1,1,1,'2',X'7b226f6c64223a747275657d');
INSERT INTO "plan" VALUES(4,1,1,0,'scratch of a dead run',X'7b226f6c64223a747275657d');
CREATE TABLE forgotten (
	hash BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
INSERT INTO forgotten VALUES(X'778c8d15e05421256b690916015d2f85800522ddf86c82ec30ad005dcc1c7daf');
CREATE TABLE opt_outs (
	contact_id TEXT NOT NULL,
	topic      TEXT NOT NULL,
	at         INTEGER NOT NULL,
	PRIMARY KEY (contact_id, topic)
) STRICT, WITHOUT ROWID;
INSERT INTO opt_outs VALUES('contact1','topic1',1795428000000000);
CREATE TABLE bookmarks (
	sync     INTEGER PRIMARY KEY,
	settings TEXT NOT NULL,
	mark     TEXT NOT NULL,
	full_at  INTEGER,          -- when all rows were last read
	due      INTEGER,          -- when they are to be at the latest, NULL: as configured
	entries  INTEGER NOT NULL,
	again    TEXT NOT NULL     -- JSON: keys of rows to read although they have not changed
) STRICT;
INSERT INTO bookmarks VALUES(1,'s','n 7',1795428000000000,NULL,6,'["5"]');
CREATE TABLE packs (
	id    INTEGER PRIMARY KEY, -- sync << 32 | entries.id / 238
	-- For each id from the pack's first on 17 bytes: 0 no entry, 1 entry, 2 entry of which no address is confirmed; the key's
	-- hash and the fingerprint's Lo, 8 bytes each, little-endian. It ends with the last entry that ever was.
	marks BLOB NOT NULL
) STRICT;
INSERT INTO packs VALUES(4294967296,X'00000000000000000000000000000000000158f1988f0225cd6507000000000000000114a35d2f32a795fb000000000000000001f074947e1edc24730000000000000000013f80cf7f021189e2080000000000000001727ec8000198dbde0000000000000000010d4abc6288a464b500000000000000000000000000000000000000000000000000');
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('goose_db_version',8);
INSERT INTO sqlite_sequence VALUES('runs',4);
CREATE INDEX entries_contact_id ON entries (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX entries_email ON entries (email) WHERE email IS NOT NULL;
CREATE INDEX entries_identity ON entries (identity) WHERE identity IS NOT NULL;
CREATE INDEX entries_open ON entries (sync, state) WHERE state <> 0;
CREATE INDEX history_key ON history (sync, key);
CREATE INDEX runs_sync ON runs (sync);
CREATE INDEX history_at ON history (at);
CREATE INDEX runs_held ON runs (sync) WHERE status = 'held';
