-- Names that begin with @ are in the schema of the ledger. All texts are BYTEA, because keys and names may hold any bytes; JSON is
-- kept in them too. Times are microseconds since 1970 in UTC, NULL for none, except in leases: those are on this server's clock.

-- One row: what this schema is to programs that are older than it.
CREATE TABLE @schema (
	works_with BIGINT NOT NULL -- the oldest version of the schema whose programs still work with this one
);
INSERT INTO @schema VALUES (1);

CREATE TABLE @deployments (
	id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name          TEXT NOT NULL UNIQUE, -- in the configuration, '': the only one
	bound         BYTEA,                -- the base URL of its Owlat, NULL: not tied yet
	forget_secret BYTEA,                -- key of the hashes of forgotten persons, NULL: nobody was forgotten
	behind        BOOLEAN NOT NULL DEFAULT false, -- commits were lost: who takes the lock next makes the entries safe
	set_back      BIGINT,               -- when it was last noticed to be older than what was done: holds for syncs that it does not know
	heard         BIGINT                -- when the latest feedback came of what is gone, NULL: nothing is gone
);

-- The last numbers of a deployment. A row stays locked until its transaction ends, so that numbers appear in their order.
CREATE TABLE @counters (
	deployment BIGINT NOT NULL,
	kind       TEXT NOT NULL, -- run, history, feedback, delivery
	last       BIGINT NOT NULL,
	PRIMARY KEY (deployment, kind)
) WITH (fillfactor = 50);

-- Who works on a deployment. A lease that nobody has expired at -infinity.
CREATE TABLE @leases (
	deployment BIGINT NOT NULL,
	kind       TEXT NOT NULL,   -- run: the lock of the ledger; home and share: see Database
	epoch      BIGINT NOT NULL, -- of the latest lease
	holder     BIGINT NOT NULL, -- random: tells it from one with the same epoch that the server has lost
	least      BIGINT NOT NULL DEFAULT 0, -- the next epoch is above this too
	host       BYTEA NOT NULL,
	pid        BIGINT NOT NULL,
	purpose    BYTEA NOT NULL,
	since      TIMESTAMPTZ NOT NULL,
	expires    TIMESTAMPTZ NOT NULL,
	PRIMARY KEY (deployment, kind)
) WITH (fillfactor = 50);

-- When this database was first met on each timeline of its server: a standby that takes over begins another, and may not have the latest
-- leases.
CREATE TABLE @timelines (
	timeline BIGINT PRIMARY KEY, -- 0: the server does not tell
	since    TIMESTAMPTZ NOT NULL
);

CREATE FUNCTION @timeline() RETURNS BIGINT LANGUAGE plpgsql AS $$
BEGIN
	RETURN ('x' || lpad(left(pg_walfile_name(pg_current_wal_lsn()), 8), 16, '0'))::bit(64)::bigint;
EXCEPTION WHEN insufficient_privilege OR undefined_function OR feature_not_supported THEN
	RETURN 0;
END
$$;
INSERT INTO @timelines SELECT @timeline(), '-infinity';

-- outlast returns for how many microseconds a lease may still live that the server has lost because it took over from another, if leases
-- live so many.
CREATE FUNCTION @outlast(life BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
	now_on BIGINT := @timeline();
	begun  TIMESTAMPTZ;
BEGIN
	SELECT since INTO begun FROM @timelines WHERE timeline = now_on;
	IF NOT FOUND THEN
		begun := clock_timestamp();
		INSERT INTO @timelines VALUES (now_on, begun) ON CONFLICT DO NOTHING;
	ELSIF begun = '-infinity' THEN
		RETURN 0;
	END IF;
	RETURN greatest(0, life - (extract(epoch FROM clock_timestamp() - begun) * 1000000)::bigint);
END
$$;

-- Every write under the lock of a run locks its row here first, so that it waits for whoever takes the lock over, or the reverse. It
-- stands apart from leases, so that a long write does not hinder the renewal.
CREATE TABLE @fences (
	deployment BIGINT PRIMARY KEY,
	epoch      BIGINT NOT NULL, -- of the latest lock
	holder     BIGINT NOT NULL, -- as in leases
	writes     BIGINT NOT NULL, -- how often the holders have written what must be durable
	last       BIGINT NOT NULL  -- the random number of the latest write
) WITH (fillfactor = 50);

CREATE TABLE @syncs (
	id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	deployment BIGINT NOT NULL,
	name       BYTEA NOT NULL,
	adopted    BOOLEAN NOT NULL DEFAULT false,
	set_back   BIGINT,                    -- when the ledger was noticed to be older than what was done, NULL: it was not, or a run has ended since
	last_entry BIGINT NOT NULL DEFAULT 0, -- the largest number of an entry that ever was
	UNIQUE (deployment, name)
) WITH (fillfactor = 50);

-- Texts that many entries have.
CREATE TABLE @topics (
	id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	deployment BIGINT NOT NULL,
	topic      BYTEA NOT NULL
);
CREATE UNIQUE INDEX topics_topic ON @topics (deployment, sha256(topic));

CREATE TABLE @entries (
	deployment   BIGINT NOT NULL,
	sync         BIGINT NOT NULL,
	number       BIGINT NOT NULL,  -- counts within the sync
	key          BYTEA NOT NULL,
	contact_id   BYTEA,            -- NULL: no contact is confirmed
	email        BYTEA,            -- NULL: no address is confirmed
	identity     BYTEA,            -- NULL: the same as email
	first_name   BYTEA NOT NULL,
	last_name    BYTEA NOT NULL,
	origin       BYTEA NOT NULL,
	members      BYTEA,            -- the memberships, NULL: none
	intent       BIGINT,           -- when a create was about to be sent
	intent_local BOOLEAN NOT NULL, -- intent is on the clock of owlat-sync's machine and not on Owlat's
	failure      BYTEA,            -- JSON, NULL: none
	state        SMALLINT NOT NULL, -- 0 applied, 1 not applied, 2 failing, 3 parked
	first_seen   BIGINT,
	changed_at   BIGINT,
	events       BYTEA,            -- JSON, NULL: none
	fingerprint  BYTEA,            -- Hi and Lo, 8 bytes each, little-endian; NULL: zero
	doubt        BOOLEAN NOT NULL,
	witness      BIGINT,           -- the contact's updatedAt of the last answer that carried one
	departed     BYTEA,            -- the terms under which the row's absence was done, NULL: the source had the row
	asked        BIGINT,           -- when the person was last asked to confirm a double opt-in, NULL: never
	PRIMARY KEY (sync, number)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05); -- no change that is sent is a HOT update, because the state has an index

-- An index holds no long texts. So it has their beginnings, and of a key the hash too if it is longer.
CREATE UNIQUE INDEX entries_key ON @entries (sync, substring(key FROM 1 FOR 64), (CASE WHEN length(key) > 64 THEN sha256(key) ELSE ''::bytea END));
CREATE INDEX entries_contact ON @entries (deployment, substring(contact_id FROM 1 FOR 64)) WHERE contact_id IS NOT NULL;
-- The address that the row has, or the one that is confirmed; and the one that is confirmed where the row has another.
CREATE INDEX entries_address ON @entries (deployment, substring(coalesce(identity, email) FROM 1 FOR 64)) WHERE coalesce(identity, email) IS NOT NULL;
CREATE INDEX entries_email ON @entries (deployment, substring(email FROM 1 FOR 64)) WHERE email IS NOT NULL AND identity IS NOT NULL;
CREATE INDEX entries_open ON @entries (sync, state, number) WHERE state <> 0;
CREATE INDEX entries_departed ON @entries (sync, departed, number) WHERE departed IS NOT NULL;
CREATE INDEX entries_asked ON @entries (sync, asked, number) WHERE asked IS NOT NULL;

-- What the diff needs of the entries, so that reading it all takes a fraction of a second: four packs fit a page.
CREATE TABLE @packs (
	sync  BIGINT NOT NULL,
	pack  BIGINT NOT NULL, -- entries.number / 117
	-- For each number from the pack's first on 17 bytes: 0 no entry, 1 entry, 2 entry of which no address is confirmed; the key's
	-- hash and the fingerprint's Lo, 8 bytes each, little-endian. It ends with the last entry that ever was.
	marks BYTEA NOT NULL,
	PRIMARY KEY (sync, pack)
) WITH (fillfactor = 75);
ALTER TABLE @packs ALTER COLUMN marks SET STORAGE PLAIN;

CREATE TABLE @history (
	deployment BIGINT NOT NULL,
	number     BIGINT NOT NULL,
	sync       BIGINT NOT NULL,
	key        BYTEA NOT NULL,
	at         BIGINT NOT NULL,
	run        BIGINT NOT NULL, -- 0: outside a run
	event      BYTEA NOT NULL,
	note       BYTEA NOT NULL,
	PRIMARY KEY (deployment, number)
);
CREATE INDEX history_key ON @history (sync, substring(key FROM 1 FOR 64));
CREATE INDEX history_hour ON @history (deployment, (at / 3600000000));

CREATE TABLE @runs (
	deployment BIGINT NOT NULL,
	id         BIGINT NOT NULL, -- counts within the deployment
	sync       BIGINT NOT NULL,
	mode       BYTEA NOT NULL,
	epoch      BIGINT NOT NULL, -- of the lock, 0: not known
	owner      BYTEA,           -- JSON, NULL: not known
	started    BIGINT,
	heartbeat  BIGINT,
	finished   BIGINT,
	stage      BYTEA NOT NULL,
	status     TEXT NOT NULL,
	message    BYTEA NOT NULL,
	part       BYTEA,           -- JSON, NULL: all rows
	full_scan  BOOLEAN NOT NULL,
	approves   BIGINT NOT NULL, -- whose plan to apply, 0: none
	report     BYTEA,           -- JSON, NULL: none
	summary    BYTEA,           -- JSON, NULL: none
	guards     BYTEA,           -- JSON, NULL: none
	plan_form  BIGINT NOT NULL, -- of the plan that is kept, 0: none
	kept       BIGINT NOT NULL DEFAULT 0, -- items ever kept, the next item's seq
	PRIMARY KEY (deployment, id)
) WITH (fillfactor = 70);
CREATE INDEX runs_made ON @runs (sync, id) WHERE mode <> 'plan';
CREATE INDEX runs_started ON @runs (deployment, started);
CREATE INDEX runs_held ON @runs (sync, id) WHERE status = 'held';
CREATE INDEX runs_waiting ON @runs (sync) WHERE status = 'waiting';
CREATE INDEX runs_running ON @runs (deployment) WHERE status = 'running';
CREATE INDEX runs_queued ON @runs (deployment, id) WHERE status = 'queued';

CREATE TABLE @plan (
	deployment BIGINT NOT NULL,
	run        BIGINT NOT NULL,
	phase      BIGINT NOT NULL,
	ord        BIGINT NOT NULL,
	seq        BIGINT NOT NULL,
	key        BYTEA NOT NULL,
	body       BYTEA NOT NULL,
	addresses  BYTEA, -- hashes of the addresses that the item concerns, 8 bytes each, little-endian; NULL: none
	PRIMARY KEY (deployment, run, phase, ord, seq)
);

-- How far a sync has read a source that knows when its rows changed.
CREATE TABLE @bookmarks (
	sync     BIGINT PRIMARY KEY,
	settings BYTEA NOT NULL,
	mark     BYTEA NOT NULL,
	full_at  BIGINT,         -- when all rows were last read
	due      BIGINT,         -- when they are to be at the latest, NULL: as configured
	entries  BIGINT NOT NULL,
	again    BYTEA NOT NULL  -- JSON: keys of rows to read although they have not changed
);

-- Who was forgotten: HMAC-SHA256 of the normalised address under the deployment's secret.
CREATE TABLE @forgotten (
	deployment BIGINT NOT NULL,
	hash       BYTEA NOT NULL,
	PRIMARY KEY (deployment, hash)
);

-- When somebody last left a topic.
CREATE TABLE @opt_outs (
	deployment BIGINT NOT NULL,
	contact_id BYTEA NOT NULL,
	topic      BYTEA NOT NULL,
	at         BIGINT NOT NULL,
	written    BIGINT, -- when a write-back last wrote the opt-out into a source, NULL: never
	PRIMARY KEY (deployment, contact_id, topic)
);

-- What Owlat told by webhooks.
CREATE TABLE @feedback (
	deployment BIGINT NOT NULL,
	id         BIGINT NOT NULL, -- counts within the deployment
	hash       BYTEA NOT NULL,  -- of the webhook's content
	event      BYTEA NOT NULL,
	contact    BYTEA,           -- NULL: it names none
	email      BYTEA,           -- NULL: it names none
	at         BIGINT,
	received   BIGINT NOT NULL,
	topics     BYTEA,           -- JSON, NULL: none
	kind       BYTEA NOT NULL,
	detail     BYTEA NOT NULL,
	PRIMARY KEY (deployment, id)
);
CREATE UNIQUE INDEX feedback_hash ON @feedback (deployment, hash);
CREATE INDEX feedback_contact ON @feedback (deployment, contact) WHERE contact IS NOT NULL;
CREATE INDEX feedback_email ON @feedback (deployment, email) WHERE email IS NOT NULL;
CREATE INDEX feedback_received ON @feedback (deployment, received);

-- The hashes of what Owlat told about forgotten persons, so that a repetition is known.
CREATE TABLE @erased (
	deployment BIGINT NOT NULL,
	hash       BYTEA NOT NULL,
	received   BIGINT NOT NULL,
	PRIMARY KEY (deployment, hash)
);
CREATE INDEX erased_received ON @erased (deployment, received);

-- Addresses that no mail may go to; those of forgotten persons under their hashed names.
CREATE TABLE @suppressions (
	deployment BIGINT NOT NULL,
	email      BYTEA NOT NULL,
	reason     TEXT NOT NULL,
	at         BIGINT NOT NULL,
	PRIMARY KEY (deployment, email)
);

-- The contact that Owlat made for an address.
CREATE TABLE @known (
	deployment BIGINT NOT NULL,
	email      BYTEA NOT NULL,
	contact    BYTEA NOT NULL,
	at         BIGINT NOT NULL,
	PRIMARY KEY (deployment, email)
);
CREATE INDEX known_at ON @known (deployment, at);
CREATE INDEX known_contact ON @known (deployment, contact);

-- What is to be told to the user's own systems.
CREATE TABLE @deliveries (
	deployment BIGINT NOT NULL,
	id         BIGINT NOT NULL, -- counts within the deployment
	feedback   BIGINT NOT NULL, -- feedback.id
	target     BYTEA NOT NULL,
	person     BYTEA NOT NULL,
	topic      BYTEA NOT NULL,
	state      TEXT NOT NULL,   -- waiting, done or dead
	attempts   BIGINT NOT NULL DEFAULT 0,
	refused    BIGINT NOT NULL DEFAULT 0,
	due        BIGINT NOT NULL,
	done       BIGINT,
	error      BYTEA NOT NULL DEFAULT '',
	PRIMARY KEY (deployment, id)
) WITH (fillfactor = 80);
CREATE INDEX deliveries_feedback ON @deliveries (deployment, feedback);
CREATE INDEX deliveries_order ON @deliveries (deployment, target, id, due) WHERE state = 'waiting';
CREATE INDEX deliveries_due ON @deliveries (deployment, target, due) WHERE state = 'waiting';
CREATE INDEX deliveries_person ON @deliveries (deployment, target, person, id) WHERE state = 'waiting';
CREATE INDEX deliveries_named ON @deliveries (deployment, person);
CREATE INDEX deliveries_dead ON @deliveries (deployment, target, id) WHERE state = 'dead';

-- How many deliveries are done, because counting them takes longer the more there are.
CREATE TABLE @delivered (
	deployment BIGINT NOT NULL,
	target     BYTEA NOT NULL,
	n          BIGINT NOT NULL,
	PRIMARY KEY (deployment, target)
) WITH (fillfactor = 50);

-- passes lets a write pass under the lock with the epoch, whose holder knows of so many writes, and keeps the lock from being taken over
-- until the transaction ends. It fails with OW001 if a later lock was given out, with OW002 if the holder's own writes are more than it
-- knows, and with OW003 if they are fewer: commits were lost.
CREATE FUNCTION @passes(of_deployment BIGINT, of_epoch BIGINT, of_holder BIGINT, known BIGINT) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
	at_epoch  BIGINT;
	at_holder BIGINT;
	at_writes BIGINT;
BEGIN
	SELECT epoch, holder, writes INTO at_epoch, at_holder, at_writes FROM @fences WHERE deployment = of_deployment FOR UPDATE;
	IF at_epoch = of_epoch AND at_holder = of_holder AND at_writes = known THEN
		RETURN;
	ELSIF at_epoch > of_epoch THEN
		RAISE EXCEPTION 'a later lock was given out' USING ERRCODE = 'OW001';
	ELSIF at_epoch = of_epoch AND at_holder = of_holder AND at_writes > known THEN
		RAISE EXCEPTION 'the holder has written more than it knows' USING ERRCODE = 'OW002';
	END IF;
	RAISE EXCEPTION 'commits of the holder were lost' USING ERRCODE = 'OW003';
END
$$;

-- fence is passes for a write that is durable, which it counts under its random number.
CREATE FUNCTION @fence(of_deployment BIGINT, of_epoch BIGINT, of_holder BIGINT, known BIGINT, this BIGINT) RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
	UPDATE @fences SET writes = writes + 1, last = this WHERE deployment = of_deployment AND epoch = of_epoch AND holder = of_holder AND writes = known;
	IF NOT FOUND THEN
		PERFORM @passes(of_deployment, of_epoch, of_holder, known);
		RAISE EXCEPTION 'the holder has written more than it knows' USING ERRCODE = 'OW002'; -- and the two came to know at once
	END IF;
END
$$;

-- mark sets the marks of entries in their packs. The arrays are as long as each other, and in the order of the packs.
CREATE FUNCTION @mark(syncs BIGINT[], numbers BIGINT[], changed BYTEA[]) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
	size  CONSTANT INT := 17;
	slots CONSTANT BIGINT := 117;
	n     INT := coalesce(array_length(syncs, 1), 0);
	i     INT := 1;
	s     BIGINT;
	p     BIGINT;
	at    INT;
	had   BOOLEAN;
	m     BYTEA;
BEGIN
	WHILE i <= n LOOP
		s := syncs[i];
		p := numbers[i] / slots;
		SELECT marks INTO m FROM @packs WHERE sync = s AND pack = p;
		had := FOUND;
		IF NOT had THEN
			m := ''::bytea;
		END IF;
		WHILE i <= n AND syncs[i] = s AND numbers[i] / slots = p LOOP
			at := (numbers[i] % slots)::int * size;
			IF length(m) < at + size THEN
				m := m || decode(repeat('00', at + size - length(m)), 'hex');
			END IF;
			m := overlay(m PLACING changed[i] FROM at + 1);
			i := i + 1;
		END LOOP;
		IF m = decode(repeat('00', length(m)), 'hex') THEN -- nobody is left in it, and reading it would cost as much as ever
			DELETE FROM @packs WHERE sync = s AND pack = p;
		ELSIF had THEN
			UPDATE @packs SET marks = m WHERE sync = s AND pack = p;
		ELSE
			INSERT INTO @packs (sync, pack, marks) VALUES (s, p, m);
		END IF;
	END LOOP;
END
$$;
