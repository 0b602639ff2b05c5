package postgres

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/lease"
	"owlatsync/ledger/postgres/internal/server"
)

// brief are lease.Lifetimes for tests.
var brief = lease.Timing{Life: 2400 * time.Millisecond, Renew: 400 * time.Millisecond, Margin: 600 * time.Millisecond, Look: 20 * time.Millisecond}

// openDatabase opens a database with leases that live briefly.
func openDatabase(t testing.TB, dsn string) *Database {
	t.Helper()
	d, err := openWith(t.Context(), Options{DSN: dsn, MaxConns: 4}, brief)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// openLedger opens the ledger of a deployment.
func openLedger(t testing.TB, d *Database, name string) *Ledger {
	t.Helper()
	l, err := d.Ledger(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

// fresh opens a ledger of the test's own.
func fresh(t testing.TB) *Ledger {
	t.Helper()
	return openLedger(t, openDatabase(t, migrated.Postgres(t)), "")
}

// takeLock takes the lock until the test ends or gives it back.
func takeLock(t testing.TB, l *Ledger) *lock {
	t.Helper()
	k, err := l.acquire(t.Context(), ledger.Claim{Purpose: "a run", Wait: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Release(); err != nil {
			t.Errorf("release: %v", err)
		}
	})
	return k
}

// expire ends the lease of a lock without telling its holder.
func expire(t testing.TB, l *Ledger) {
	t.Helper()
	if err := l.loseLock(); err != nil {
		t.Fatal(err)
	}
}

func (l *Ledger) loseLock() error {
	return l.update(context.Background(), "end a lease", server.Durable, func(t *tx) error {
		return t.Exec("UPDATE @leases SET expires = '-infinity' WHERE deployment = $1 AND kind = 'run'", t.deployment)
	})
}

func entryOf(key string) *ledger.Entry {
	return &ledger.Entry{
		Key: key, ContactID: "contact" + key, Email: key + "@example.com", Identity: key + "@example.com",
		Fingerprint: ledger.Fingerprint{Hi: 1, Lo: 2}, Memberships: []ledger.Membership{{Topic: "topic", Consent: true, State: ledger.MemberAdded}},
	}
}

// put records entries.
func put(t testing.TB, k *lock, keys ...string) {
	t.Helper()
	if err := tryPut(t.Context(), k, keys...); err != nil {
		t.Fatal(err)
	}
}

func tryPut(ctx context.Context, k *lock, keys ...string) error {
	var records []ledger.Record
	for _, key := range keys {
		records = append(records, ledger.Record{Sync: "users", Entry: entryOf(key), Event: "created"})
	}
	return k.Record(ctx, records...)
}

// lines counts the lines of history of a row.
func lines(t testing.TB, l *Ledger, key string) (n int) {
	t.Helper()
	if err := l.row(t.Context(), "SELECT count(*) FROM @history WHERE deployment = $1 AND key = $2", []any{key}, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// mustHold checks that the ledger holds the rows, and of each the lines of history of one record.
func mustHold(t testing.TB, l *Ledger, keys ...string) {
	t.Helper()
	found, err := l.Entries(t.Context(), "users", keys)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if n := lines(t, l, key); found[key] == nil || n != 1 {
			t.Errorf("of row %q the ledger has %v and %d lines of history", key, found[key], n)
		}
	}
	index := 0
	for _, err := range l.Index(t.Context(), "users") {
		if err != nil {
			t.Fatal(err)
		}
		index++
	}
	if n := 0; true {
		if err := l.row(t.Context(), "SELECT count(*) FROM @entries WHERE deployment = $1", nil, &n); err != nil || n != index {
			t.Errorf("the index has %d rows, the ledger %d: %v", index, n, err)
		}
	}
}

// mustLose checks that a write under the lock fails because it is lost.
func mustLose(t testing.TB, k *lock) {
	t.Helper()
	if err := tryPut(t.Context(), k, "late"); !errors.Is(err, ledger.ErrLockLost) {
		t.Errorf("recorded under a lock that was lost: %v", err)
	}
	<-k.Context().Done()
	if why := context.Cause(k.Context()); !errors.Is(why, ledger.ErrLockLost) {
		t.Errorf("the context ended with %v", why)
	}
	if err := k.Check(); !errors.Is(err, ledger.ErrLockLost) {
		t.Errorf("check: %v", err)
	}
}

func keysOf(prefix string, n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprint(prefix, i))
	}
	return keys
}
