package roll_test

import (
	"slices"
	"testing"
	"time"

	"owlatsync/internal/cluster/roll"
	"owlatsync/internal/testdb"
	"owlatsync/ledger"
	"owlatsync/ledger/postgres"
)

func TestWhoSharesALedger(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open(t.Context(), postgres.Options{DSN: testdb.Postgres(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	read := func() (ids []string, all []roll.Node) {
		t.Helper()
		all, err := roll.Read(t.Context(), db.Pool(), db.Schema())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range all {
			ids = append(ids, n.ID)
		}
		return ids, all
	}
	if ids, _ := read(); len(ids) > 0 {
		t.Errorf("of a new ledger: %q", ids)
	}
	for _, n := range []string{
		"('young', 'app-2', 2, '1.3.0', now() - interval '1 minute', now(), '{}')",
		`('old', '\x6170702dff', 1, '1.2.0', now() - interval '1 hour', now(), '{"homes": 3, "slots": 64, "doubts": true}')`,
		"('silent', 'app-3', 3, '1.2.0', now() - interval '2 hours', now() - interval '2 minutes', '{}')",
		"('gone', 'app-4', 4, '1.2.0', now() - interval '3 hours', now() - interval '2 hours', '{}')",
	} {
		if _, err := db.Pool().Exec(t.Context(), "INSERT INTO "+db.Schema()+".nodes VALUES "+n); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"beta", "acme"} {
		l, err := db.Ledger(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		lock, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a run"})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = lock.Release() }()
	}
	if _, err := db.Pool().Exec(t.Context(), "UPDATE "+db.Schema()+".leases SET host = 'app-2', pid = 2"); err != nil {
		t.Fatal(err)
	}
	ids, all := read()
	if !slices.Equal(ids, []string{"old", "young", "silent"}) {
		t.Fatalf("%q", ids)
	}
	old, young, silent := all[0], all[1], all[2]
	if old.Host != `app-\377` || old.Homes != 3 || old.Slots != 64 || !old.Doubts || old.Silent || len(old.Runs) > 0 || time.Since(old.Since) < 59*time.Minute {
		t.Errorf("%+v", old)
	}
	if young.PID != 2 || young.Version != "1.3.0" || !slices.Equal(young.Runs, []string{"acme", "beta"}) || !silent.Silent {
		t.Errorf("%+v, %+v", young, silent)
	}
}
