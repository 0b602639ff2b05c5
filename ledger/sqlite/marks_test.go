package sqlite

import (
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/sqlite/internal/pack"
)

// mustBeSound fails unless SQLite finds the file in order and the index tells of each entry what the entry tells.
func mustBeSound(t *testing.T, l *Ledger) {
	t.Helper()
	var verdict string
	if err := l.f.Readers.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity check: %q, %v", verdict, err)
	}
	syncs, err := l.Syncs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, sync := range syncs {
		entries, err := collect(l.All(t.Context(), sync))
		if err != nil {
			t.Fatal(err)
		}
		want := make(map[ledger.IndexEntry]int)
		for _, e := range entries {
			if e.Departed != "" {
				continue
			}
			want[ledger.IndexEntry{KeyHash: ledger.HashText(e.Key), Print: e.Fingerprint.Lo, Blank: e.Email == ""}]++
		}
		index, err := collect(l.Index(t.Context(), sync))
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[ledger.IndexEntry]int)
		for _, e := range index {
			e.Number = 0
			got[e]++
		}
		if !maps.Equal(want, got) { // to see that costs a thousandth of a diff
			t.Errorf("the index of %s (-the entries' +its own):\n%s", sync, cmp.Diff(want, got))
		}
	}
}

// TestPacksFollowTheEntries changes entries of two syncs whose ids take turns, so that no pack is full.
func TestPacksFollowTheEntries(t *testing.T) {
	t.Parallel()
	l := openFresh(t)
	const n = pack.Held*pack.Slots/2 + 3*pack.Slots // of each sync: more packs than a transaction holds
	record := func(key int, print uint64, email string) []ledger.Record {
		var records []ledger.Record
		for _, sync := range []string{"users", "orders"} {
			records = append(records, ledger.Record{Sync: sync, Entry: &ledger.Entry{
				Key: fmt.Sprint(key), Email: email, Fingerprint: ledger.Fingerprint{Lo: print},
			}})
		}
		return records
	}
	var all []ledger.Record
	for key := range n {
		all = append(all, record(key, uint64(key), "a@example.com")...)
	}
	k := takeLock(t, l)
	mustRecord := func(records []ledger.Record) {
		t.Helper()
		if err := k.Record(t.Context(), records...); err != nil {
			t.Fatal(err)
		}
	}
	mustRecord(all)
	mustBeSound(t, l)
	var again []ledger.Record
	for key := 0; key < n; key += 7 {
		again = append(again, record(key, 1<<60, "")...)
	}
	mustRecord(again)
	var gone []string
	for key := 3; key < n; key += 11 {
		gone = append(gone, fmt.Sprint(key))
	}
	if err := k.Remove(t.Context(), "orders", append(gone, "none of its keys", fmt.Sprint(n-1))); err != nil {
		t.Fatal(err)
	}
	mustRecord([]ledger.Record{{Sync: "users", Replaces: "5", Entry: &ledger.Entry{Key: "new"}}})
	mustRecord(record(n, 7, "b@example.com")) // ids may come again
	mustBeSound(t, l)
	var size, most int
	if err := l.f.Readers.QueryRow("SELECT count(*), max(length(marks)) FROM packs").Scan(&size, &most); err != nil {
		t.Fatal(err)
	}
	if fewest := 2 * n / pack.Slots; size < fewest || size > 2*fewest+4 || most != pack.Slots*entry.MarkSize {
		t.Errorf("%d packs of up to %d bytes", size, most)
	}
}

// A pack that did not fit in a page of the file would be read far slower.
func TestAPackIsAPage(t *testing.T) {
	t.Parallel()
	l := openFresh(t)
	var records []ledger.Record
	for key := range 20*pack.Slots - 1 {
		records = append(records, ledger.Record{Sync: "users", Entry: &ledger.Entry{Key: fmt.Sprint(key)}})
	}
	under(t, l, func(k *lock) error { return k.Record(t.Context(), records...) })
	var leaves, overflowing int
	err := l.f.Readers.QueryRow("SELECT count(*) FILTER (WHERE pagetype = 'leaf'), count(*) FILTER (WHERE pagetype = 'overflow') FROM dbstat WHERE name = 'packs'").
		Scan(&leaves, &overflowing)
	if err != nil || leaves != 20 || overflowing != 0 {
		t.Errorf("20 packs take %d pages and %d more that overflow: %v", leaves, overflowing, err)
	}
}
