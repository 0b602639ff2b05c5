package postgres

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
)

// packsTell checks that each pack knows how many entries it marks, and returns how many packs there are.
func packsTell(t testing.TB, dsn string) (packs int) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // it comes at the end of tests, too
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var wrong int
	err = conn.QueryRow(ctx, `SELECT count(*) FILTER (WHERE p.live IS DISTINCT FROM coalesce(e.n, 0)), count(*) FROM owlat_sync.packs p LEFT JOIN
		(SELECT sync, number / 117 AS pack, count(*) AS n FROM owlat_sync.entries WHERE departed IS NULL GROUP BY 1, 2) AS e ON e.sync = p.sync AND e.pack = p.pack`).Scan(&wrong, &packs)
	if err != nil || wrong > 0 {
		t.Errorf("%d of %d packs are wrong about their entries: %v", wrong, packs, err)
	}
	return packs
}

// TestPacksOfAnEarlierVersion do not know how many entries they mark, so that these are counted themselves, until the schema is brought up to date.
func TestPacksOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	l := openLedger(t, openDatabase(t, dsn), "")
	k := takeLock(t, l)
	put(t, k, "1", "2", "3")
	left := entryOf("4")
	left.Departed = "gone"
	if err := k.Record(t.Context(), ledger.Record{Sync: "users", Entry: left, Replaces: "3"}); err != nil {
		t.Fatal(err)
	}
	stand := func(when string, l *Ledger) {
		t.Helper()
		if s, err := l.Standing(t.Context(), "users"); err != nil || s.Entries != 2 || s.Departed != 1 || s.Applied != 2 {
			t.Errorf("%s: %+v, %v", when, s, err)
		}
	}
	stand("as it is", l)
	if n := packsTell(t, dsn); n != 1 {
		t.Fatalf("%d packs", n)
	}
	administer(t, dsn, "UPDATE owlat_sync.packs SET live = NULL")
	stand("not told", l)
	put(t, k, "1")
	stand("not told, and written to", l)
	administer(t, dsn, "ALTER TABLE owlat_sync.packs DROP COLUMN live", "DROP TABLE owlat_sync.secrets",
		"ALTER TABLE owlat_sync.opt_outs DROP COLUMN since", "DROP TABLE owlat_sync.rounds",
		"ALTER TABLE owlat_sync.suppressions DROP COLUMN sent, DROP COLUMN told", "DELETE FROM owlat_sync.ledger_version WHERE version > 6")
	stand("brought up to date", openLedger(t, openDatabase(t, dsn), ""))
	packsTell(t, dsn)
}
