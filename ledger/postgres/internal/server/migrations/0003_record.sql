-- What a run records about entries is one statement, so that it is one question and one answer. It is functions, because the server keeps
-- the plans of their statements: one of so many columns takes about as long to plan as to run. Where the right plan depends on how large a
-- table has become, none is kept.

-- put puts entries under their numbers. The arrays are as long as each other.
CREATE FUNCTION @put(of_deployment BIGINT, syncs BIGINT[], numbers BIGINT[], keys BYTEA[],
	contact_ids BYTEA[], emails BYTEA[], identities BYTEA[], origins BYTEA[], member_lists BYTEA[], failures BYTEA[], event_lists BYTEA[],
	fingerprints BYTEA[], departures BYTEA[], first_names BYTEA[], last_names BYTEA[], intents BIGINT[], states BIGINT[], first_seens BIGINT[],
	changed_ats BIGINT[], witnesses BIGINT[], askeds BIGINT[], intent_locals BOOLEAN[], doubts BOOLEAN[]) RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO @entries (deployment, sync, number, key,
			contact_id, email, identity, origin, members, failure, events, fingerprint, departed, first_name, last_name, intent,
			state, first_seen, changed_at, witness, asked, intent_local, doubt)
		SELECT of_deployment, * FROM unnest(syncs, numbers, keys,
			contact_ids, emails, identities, origins, member_lists, failures, event_lists, fingerprints, departures, first_names,
			last_names, intents, states, first_seens, changed_ats, witnesses, askeds, intent_locals, doubts)
		ON CONFLICT (sync, number) DO UPDATE SET -- the key never changes, so the server tidies its index up by itself
			contact_id = excluded.contact_id, email = excluded.email, identity = excluded.identity, origin = excluded.origin,
			members = excluded.members, failure = excluded.failure, events = excluded.events, fingerprint = excluded.fingerprint,
			departed = excluded.departed, first_name = excluded.first_name, last_name = excluded.last_name,
			intent = excluded.intent, state = excluded.state, first_seen = excluded.first_seen, changed_at = excluded.changed_at,
			witness = excluded.witness, asked = excluded.asked, intent_local = excluded.intent_local, doubt = excluded.doubt;
END
$$;

-- numbers_of returns the numbers of entries with those that are NULL found by their keys, where there is an entry.
CREATE FUNCTION @numbers_of(syncs BIGINT[], numbers BIGINT[], keys BYTEA[]) RETURNS BIGINT[] LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
BEGIN
	RETURN (SELECT array_agg(coalesce(u.number, (SELECT e.number FROM @entries e
			WHERE e.sync = u.sync AND substring(e.key FROM 1 FOR 64) = substring(u.key FROM 1 FOR 64)
			AND (CASE WHEN length(e.key) > 64 THEN sha256(e.key) ELSE ''::bytea END) = (CASE WHEN length(u.key) > 64 THEN sha256(u.key) ELSE ''::bytea END)))
		ORDER BY u.ord) FROM unnest(syncs, numbers, keys) WITH ORDINALITY AS u (sync, number, key, ord));
END
$$;

-- drop_entries removes entries. A number may be NULL.
CREATE FUNCTION @drop_entries(syncs BIGINT[], numbers BIGINT[]) RETURNS VOID LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
BEGIN
	DELETE FROM @entries e USING unnest(syncs, numbers) AS u (sync, number) WHERE e.sync = u.sync AND e.number = u.number;
END
$$;

-- add_lines adds lines to the history under the next numbers. It comes last in a transaction, because others wait for the numbers.
CREATE FUNCTION @add_lines(of_deployment BIGINT, syncs BIGINT[], keys BYTEA[], times BIGINT[], runs BIGINT[], events BYTEA[], notes BYTEA[])
	RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
	n    CONSTANT INT := coalesce(array_length(syncs, 1), 0);
	upto BIGINT;
BEGIN
	INSERT INTO @counters AS c (deployment, kind, last) VALUES (of_deployment, 'history', n)
		ON CONFLICT (deployment, kind) DO UPDATE SET last = c.last + excluded.last RETURNING last INTO upto;
	INSERT INTO @history (deployment, number, sync, key, at, run, event, note)
		SELECT of_deployment, upto - n + u.ord, u.sync, u.key, u.at, u.run, u.event, u.note
		FROM unnest(syncs, keys, times, runs, events, notes) WITH ORDINALITY AS u (sync, key, at, run, event, note, ord);
END
$$;

-- record passes the fence, and then puts entries, removes others, sets the marks of both and adds lines to the history. In the first four
-- arrays the entries to be removed follow those that are put; the other columns are of the latter. A number is NULL where the caller does not
-- know that of the entry. It returns the numbers; that of an entry that was to be removed and is not there is NULL.
CREATE FUNCTION @record(of_deployment BIGINT, of_epoch BIGINT, of_holder BIGINT, known BIGINT, this BIGINT,
	syncs BIGINT[], numbers BIGINT[], keys BYTEA[], changed BYTEA[],
	contact_ids BYTEA[], emails BYTEA[], identities BYTEA[], origins BYTEA[], member_lists BYTEA[], failures BYTEA[], event_lists BYTEA[],
	fingerprints BYTEA[], departures BYTEA[], first_names BYTEA[], last_names BYTEA[], intents BIGINT[], states BIGINT[], first_seens BIGINT[],
	changed_ats BIGINT[], witnesses BIGINT[], askeds BIGINT[], intent_locals BOOLEAN[], doubts BOOLEAN[],
	line_syncs BIGINT[], line_keys BYTEA[], line_times BIGINT[], line_runs BIGINT[], line_events BYTEA[], line_notes BYTEA[])
	RETURNS BIGINT[] LANGUAGE plpgsql AS $$
DECLARE
	total CONSTANT INT := coalesce(array_length(syncs, 1), 0);
	puts  CONSTANT INT := coalesce(array_length(doubts, 1), 0);
	s     BIGINT;
	upto  BIGINT;
BEGIN
	PERFORM @fence(of_deployment, of_epoch, of_holder, known, this);
	IF array_position(numbers, NULL) IS NOT NULL THEN
		numbers := @numbers_of(syncs, numbers, keys);
		FOR s, upto IN UPDATE @syncs t SET last_entry = t.last_entry + f.n
			FROM (SELECT u.sync, count(*) AS n FROM unnest(syncs[:puts], numbers[:puts]) AS u (sync, number) WHERE u.number IS NULL GROUP BY u.sync) AS f
			WHERE t.id = f.sync RETURNING t.id, t.last_entry - f.n
		LOOP
			FOR i IN 1..puts LOOP
				IF numbers[i] IS NULL AND syncs[i] = s THEN
					upto := upto + 1;
					numbers[i] := upto;
				END IF;
			END LOOP;
		END LOOP;
	END IF;
	IF puts < total THEN
		PERFORM @drop_entries(syncs[puts + 1:], numbers[puts + 1:]);
	END IF;
	IF puts > 0 THEN
		PERFORM @put(of_deployment, syncs[:puts], numbers[:puts], keys[:puts],
			contact_ids, emails, identities, origins, member_lists, failures, event_lists, fingerprints, departures, first_names,
			last_names, intents, states, first_seens, changed_ats, witnesses, askeds, intent_locals, doubts);
	END IF;
	PERFORM @mark(array_agg(m.sync), array_agg(m.number), array_agg(m.mark))
		FROM (SELECT * FROM unnest(syncs, numbers, changed) AS u (sync, number, mark) WHERE number IS NOT NULL ORDER BY sync, number) AS m;
	IF array_length(line_syncs, 1) > 0 THEN
		PERFORM @add_lines(of_deployment, line_syncs, line_keys, line_times, line_runs, line_events, line_notes);
	END IF;
	RETURN numbers;
END
$$;
