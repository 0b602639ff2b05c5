package postgres

import (
	"context"
	"fmt"
	"testing"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/server"
)

// unsafeEntry is an entry of which nothing may be left that a run would act on, once the ledger is set back.
func unsafeEntry(key string) *ledger.Entry {
	e := entryOf(key)
	e.Memberships = []ledger.Membership{{Topic: "no", State: ledger.MemberOut}, {Topic: "yes", Consent: true, State: ledger.MemberAdded}}
	e.Events = []ledger.EventMark{{Name: "e", On: ledger.OnUpdated, State: ledger.EventDue}}
	return e
}

// mustBeSafe checks that all entries are set back, and that their syncs say so.
func mustBeSafe(t *testing.T, l *Ledger, sync string, want int) {
	t.Helper()
	n := 0
	for e, err := range l.All(t.Context(), sync) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if len(e.Memberships) != 1 || e.Memberships[0].Topic != "yes" || e.Events[0].State != ledger.EventSent || !e.Fingerprint.IsZero() {
			t.Fatalf("row %s is %+v", e.Key, e)
		}
	}
	open := 0
	for e, err := range l.Index(t.Context(), sync) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Print == 0 {
			open++
		}
	}
	if n != want || open != want {
		t.Errorf("%d entries, %d of them to be compared, not %d", n, open, want)
	}
	for _, name := range []string{sync, "new"} {
		if state, err := l.SyncState(t.Context(), name); err != nil || time.Since(state.SetBack) > time.Minute {
			t.Errorf("sync %s is set back since %v: %v", name, state.SetBack, err)
		}
	}
	if mark, err := l.Bookmark(t.Context(), sync); err != nil || mark.Mark != "" {
		t.Errorf("bookmark %+v: %v", mark, err)
	}
}

// furnishUnsafe records more entries than any page has.
func furnishUnsafe(t *testing.T, l *Ledger, sync string, n int) {
	t.Helper()
	k := takeLock(t, l)
	var records []ledger.Record
	for i := range n {
		records = append(records, ledger.Record{Sync: sync, Entry: unsafeEntry(fmt.Sprint(i))})
	}
	if err := k.Record(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
	if err := k.SetBookmark(t.Context(), sync, ledger.Bookmark{Mark: "m"}); err != nil {
		t.Fatal(err)
	}
	if err := k.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestSetBack(t *testing.T) {
	t.Parallel()
	d := openDatabase(t, migrated.Postgres(t))
	l, other := openLedger(t, d, "acme"), openLedger(t, d, "other")
	furnishUnsafe(t, l, "users", 2*setBackPage+1)
	furnishUnsafe(t, l, "orders", 3)
	furnishUnsafe(t, other, "users", 3)
	if err := l.SetBack(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustBeSafe(t, l, "users", 2*setBackPage+1)
	mustBeSafe(t, l, "orders", 3)
	for e, err := range other.All(t.Context(), "users") {
		if err != nil || len(e.Memberships) != 2 || e.Fingerprint.IsZero() {
			t.Errorf("a row of another deployment is %+v: %v", e, err)
		}
	}
	if mark, err := other.Bookmark(t.Context(), "users"); err != nil || mark.Mark != "m" {
		t.Errorf("the bookmark of another deployment is %+v: %v", mark, err)
	}
}

// TestWhoTakesTheLockAfterLostCommitsMakesEntriesSafe begins with what the holder notes whose commits were lost.
func TestWhoTakesTheLockAfterLostCommitsMakesEntriesSafe(t *testing.T) {
	t.Parallel()
	l := fresh(t)
	furnishUnsafe(t, l, "users", 3)
	note := func(behind bool) error {
		return l.update(t.Context(), "note", server.Durable, func(t *tx) error { return t.Exec("UPDATE @deployments SET behind = $1", behind) })
	}
	if err := note(true); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	k, err := l.Acquire(ctx, ledger.Claim{Purpose: "a run"})
	if err != nil {
		t.Fatal(err)
	}
	mustBeSafe(t, l, "users", 3)
	put(t, k.(*lock), "next")
	if err := k.Release(); err != nil {
		t.Fatal(err)
	}
	if k, err = l.Acquire(ctx, ledger.Claim{Purpose: "a run"}); err != nil {
		t.Fatal(err)
	}
	defer k.Release()
	if found, err := l.Entries(ctx, "users", []string{"next"}); err != nil || found["next"].Fingerprint.IsZero() {
		t.Errorf("it is made safe again: %+v, %v", found["next"], err)
	}
}

func TestTry(t *testing.T) {
	t.Parallel()
	d := openDatabase(t, migrated.Postgres(t))
	l := openLedger(t, d, "")
	if err := l.Try(t.Context()); err != nil {
		t.Errorf("a sound ledger: %v", err)
	}
	d.db.Pool.Close()
	if err := l.Try(t.Context()); err == nil {
		t.Error("a ledger without a server takes writes")
	}
}
