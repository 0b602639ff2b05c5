-- +goose Up
PRAGMA user_version = 6;

ALTER TABLE entries ADD COLUMN fingerprint BLOB; -- Hi and Lo, 8 bytes each, little-endian; NULL: zero

UPDATE entries SET fingerprint = (SELECT nullif(substr(mark, 17, 16), zeroblob(16)) FROM marks m WHERE m.sync = entries.sync AND m.entry = entries.id);

-- What the diff needs of the entries, so that reading it all takes a fraction of a second: a page of the file holds 238 of them.
CREATE TABLE packs (
	id    INTEGER PRIMARY KEY, -- sync << 32 | entries.id / 238
	-- For each id from the pack's first on 17 bytes: 0 no entry, 1 entry, 2 entry of which no address is confirmed; the key's
	-- hash and the fingerprint's Lo, 8 bytes each, little-endian. It ends with the last entry that ever was.
	marks BLOB NOT NULL
) STRICT;

WITH RECURSIVE slots (slot) AS (SELECT 0 UNION ALL SELECT slot + 1 FROM slots WHERE slot < 237)
INSERT INTO packs (id, marks)
SELECT sync << 32 | pack, (SELECT CAST(group_concat(mark, '') AS BLOB) FROM (
	SELECT coalesce((SELECT iif(e.email IS NULL, x'02', x'01') || substr(m.mark, 1, 8) || substr(m.mark, 25, 8)
		FROM marks m JOIN entries e ON e.id = m.entry WHERE m.sync = p.sync AND m.entry = p.pack * 238 + slot), zeroblob(17)) AS mark
	FROM slots ORDER BY slot))
FROM (SELECT DISTINCT sync, entry / 238 AS pack FROM marks) p;

DROP TABLE marks;
