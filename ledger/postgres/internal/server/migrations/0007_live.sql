-- How many entries each pack has marks of, which departed ones have not, so that entries are counted by reading a hundredth of what an index of them has. A node of an earlier version that
-- loads a ledger leaves it NULL; then the entries are counted themselves.
ALTER TABLE @packs ADD COLUMN live SMALLINT;
UPDATE @packs p SET live = e.n FROM (SELECT sync, number / 117 AS pack, count(*) AS n FROM @entries WHERE departed IS NULL GROUP BY sync, number / 117) AS e
	WHERE e.sync = p.sync AND e.pack = p.pack;

-- mark sets the marks of entries in their packs. The arrays are as long as each other, and in the order of the packs.
CREATE OR REPLACE FUNCTION @mark(syncs BIGINT[], numbers BIGINT[], changed BYTEA[]) RETURNS VOID LANGUAGE plpgsql AS $$
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
	alive SMALLINT;
BEGIN
	WHILE i <= n LOOP
		s := syncs[i];
		p := numbers[i] / slots;
		SELECT marks, live INTO m, alive FROM @packs WHERE sync = s AND pack = p;
		had := FOUND;
		IF NOT had THEN
			m := ''::bytea;
			alive := 0;
		END IF;
		WHILE i <= n AND syncs[i] = s AND numbers[i] / slots = p LOOP
			at := (numbers[i] % slots)::int * size;
			IF length(m) < at + size THEN
				m := m || decode(repeat('00', at + size - length(m)), 'hex');
			END IF;
			alive := alive + (get_byte(changed[i], 0) <> 0)::int - (get_byte(m, at) <> 0)::int;
			m := overlay(m PLACING changed[i] FROM at + 1);
			i := i + 1;
		END LOOP;
		IF m = decode(repeat('00', length(m)), 'hex') THEN -- nobody is left in it, and reading it would cost as much as ever
			DELETE FROM @packs WHERE sync = s AND pack = p;
		ELSIF had THEN
			UPDATE @packs SET marks = m, live = alive WHERE sync = s AND pack = p;
		ELSE
			INSERT INTO @packs (sync, pack, marks, live) VALUES (s, p, m, alive);
		END IF;
	END LOOP;
END
$$;
