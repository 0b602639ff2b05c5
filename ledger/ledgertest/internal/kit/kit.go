// Package kit has the tools that all checks of a ledger use.
package kit

import (
	"fmt"
	"owlatsync"
	"owlatsync/ledger"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// NoError ends the test if there is an error.
func NoError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Same fails unless both are the same.
func Same(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// At is a time with milliseconds, in a zone that is not UTC.
func At(second int) time.Time {
	return time.Date(2026, 3, 1, 12, 0, second, 345_000_000, time.FixedZone("", 3600))
}

// Entry is a plain applied entry.
func Entry(key string) *ledger.Entry {
	address := "row" + key + "@example.com"
	return &ledger.Entry{
		Key: key, ContactID: "contact" + key, Email: address, Identity: address,
		Fields: owlatsync.Texts{owlatsync.FirstName: "Ada", owlatsync.LastName: "Example"}, Origin: ledger.OriginCreated,
		Fingerprint: ledger.Fingerprint{Hi: ledger.HashText(key), Lo: 7},
		FirstSeen:   At(0), ChangedAt: At(1),
	}
}

// Hold takes the lock until the test ends or releases it.
func Hold(t testing.TB, l ledger.Store) ledger.Lock {
	t.Helper()
	k, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a run"})
	NoError(t, err)
	t.Cleanup(func() {
		if err := k.Release(); err != nil {
			t.Errorf("release: %v", err)
		}
	})
	return k
}

// Await takes the lock once a killed process has it no longer: a lease ends some time after its holder.
func Await(t testing.TB, l ledger.Store, purpose string) ledger.Lock {
	t.Helper()
	k, err := l.Acquire(t.Context(), ledger.Claim{Purpose: purpose, Wait: true})
	NoError(t, err)
	return k
}

// Under calls do with the lock, and releases it.
func Under(t testing.TB, l ledger.Store, do func(k ledger.Lock)) {
	t.Helper()
	k, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a write"})
	NoError(t, err)
	do(k)
	NoError(t, k.Release())
}

// Record records entries under a lock of its own.
func Record(t testing.TB, l ledger.Store, sync string, entries ...*ledger.Entry) {
	t.Helper()
	Under(t, l, func(k ledger.Lock) { t.Helper(); RecordUnder(t, k, sync, entries...) })
}

// RecordUnder records entries.
func RecordUnder(t testing.TB, k ledger.Writer, sync string, entries ...*ledger.Entry) {
	t.Helper()
	records := make([]ledger.Record, len(entries))
	for i, e := range entries {
		records[i] = ledger.Record{Sync: sync, Run: 1, Entry: e, Event: "created"}
	}
	NoError(t, k.Record(t.Context(), records...))
}

// Remove removes entries under its own lock.
func Remove(t testing.TB, l ledger.Store, sync string, keys ...string) {
	t.Helper()
	Under(t, l, func(k ledger.Lock) { t.Helper(); NoError(t, k.Remove(t.Context(), sync, keys)) })
}

// Many returns n entries whose keys are numbers from first on.
func Many(first, n int) []*ledger.Entry {
	entries := make([]*ledger.Entry, n)
	for i := range entries {
		entries[i] = Entry(fmt.Sprint(first + i))
	}
	return entries
}
