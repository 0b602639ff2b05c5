// Package departures checks what a ledger does with rows that have left the source for good.
package departures

import (
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"testing"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/ledgertest/internal/kit"
)

// Ledger is a ledger that can be closed.
type Ledger interface {
	ledger.Store
	io.Closer
}

var noError, same, under = kit.NoError, kit.Same, kit.Under

// Test runs the checks. Open opens the ledger of a folder.
func Test(t *testing.T, open func(t testing.TB, folder string) Ledger) {
	fresh := func(t *testing.T) Ledger {
		t.Helper()
		l := open(t, t.TempDir())
		t.Cleanup(func() { noError(t, l.Close()) })
		return l
	}
	gone := func(key, terms string) *ledger.Entry {
		e := entry(key)
		e.Depart(terms)
		return e
	}
	departed := func(t *testing.T, l Ledger, terms string) map[string]*ledger.Entry {
		t.Helper()
		return byKey(t, l.Departed(t.Context(), "users", terms))
	}
	t.Run("a departed entry is known, and stands in nobody's way", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l := open(t, folder)
		e := entry("1")
		e.ContactID, e.Doubt, e.Failure = "c1", true, &ledger.Failure{Class: ledger.GiveUp, Parked: true}
		e.Memberships = []ledger.Membership{{Topic: "news", Consent: true, State: ledger.MemberLeft, At: at(1)}}
		e.Departed = "delete"
		record(t, l, "users", e, entry("2"))
		e.Depart(e.Departed)
		noError(t, l.Close())
		l = open(t, folder)
		defer func() { noError(t, l.Close()) }()
		same(t, "entries", entriesOf(t, l, "1", "2"), map[string]*ledger.Entry{"1": e, "2": entry("2")})
		same(t, "all", byKey(t, l.All(t.Context(), "users")), map[string]*ledger.Entry{"1": e, "2": entry("2")})
		same(t, "index", indexOf(t, l), keys("2"))
		same(t, "open", len(byKey(t, l.Open(t.Context(), "users"))), 0)
		same(t, "standing", standingOf(t, l), ledger.Standing{Entries: 1, Applied: 1, Departed: 1})
		state, err := l.SyncState(t.Context(), "users")
		noError(t, err)
		same(t, "state", state, ledger.SyncState{})
		holders, err := l.Holders(t.Context(), []string{e.Email})
		noError(t, err)
		same(t, "holders", holders, []ledger.Holder{{Sync: "users", Entry: e}})
		sharers, err := l.Sharers(t.Context(), []string{e.ContactID})
		noError(t, err)
		same(t, "sharers", sharers, []ledger.Holder{{Sync: "users", Entry: e}})
	})
	t.Run("a row that comes back counts again", func(t *testing.T) {
		t.Parallel()
		l := fresh(t)
		record(t, l, "users", many(0, 600)...)
		var left []*ledger.Entry
		for _, e := range many(0, 600) {
			left = append(left, gone(e.Key, "keep"))
		}
		record(t, l, "users", left...)
		same(t, "index without anybody", len(indexOf(t, l)), 0)
		same(t, "standing without anybody", standingOf(t, l), ledger.Standing{Departed: 600})
		record(t, l, "users", entry("7"), entry("555"))
		same(t, "index", indexOf(t, l), keys("7", "555"))
		same(t, "standing", standingOf(t, l), ledger.Standing{Entries: 2, Applied: 2, Departed: 598})
		under(t, l, func(k ledger.Lock) { noError(t, k.Remove(t.Context(), "users", []string{"8", "7"})) })
		same(t, "standing after a removal", standingOf(t, l), ledger.Standing{Entries: 1, Applied: 1, Departed: 597})
	})
	t.Run("terms", func(t *testing.T) {
		t.Parallel()
		l := fresh(t)
		want := make(map[string]map[string]*ledger.Entry)
		var all []*ledger.Entry
		for i, e := range many(0, 1700) {
			terms := []string{"a", "keep", "z"}[i%3]
			e.Depart(terms)
			if want[terms] == nil {
				want[terms] = make(map[string]*ledger.Entry)
			}
			want[terms][e.Key] = e
			all = append(all, e)
		}
		record(t, l, "users", append(all, entry("here"))...)
		record(t, l, "others", gone("there", "a"))
		for _, terms := range []string{"a", "keep", "z", "b", ""} {
			others := make(map[string]*ledger.Entry)
			for other, entries := range want {
				if other != terms {
					maps.Copy(others, entries)
				}
			}
			same(t, "departed under other terms than "+terms, departed(t, l, terms), others)
		}
	})
	t.Run("entries by the numbers of the index", func(t *testing.T) {
		t.Parallel()
		l := fresh(t)
		record(t, l, "users", many(0, 700)...)
		record(t, l, "others", entry("other"))
		numbers := make(map[uint64]int64)
		for ie, err := range l.Index(t.Context(), "users") {
			noError(t, err)
			numbers[ie.KeyHash] = ie.Number
		}
		found, err := l.Numbered(t.Context(), "users", slices.Collect(maps.Values(numbers)))
		noError(t, err)
		same(t, "how many", len(found), 700)
		one, err := l.Numbered(t.Context(), "users", []int64{numbers[ledger.HashText("555")], 1 << 40})
		noError(t, err)
		same(t, "one", one, []*ledger.Entry{entry("555")})
		foreign, err := l.Numbered(t.Context(), "others", []int64{numbers[ledger.HashText("555")]})
		noError(t, err)
		for _, e := range foreign {
			same(t, "what another sync has under the number", e.Key, "other")
		}
		none, err := l.Numbered(t.Context(), "users", nil)
		noError(t, err)
		same(t, "none", len(none), 0)
	})
	t.Run("a retry of an absence makes the bookmark due", func(t *testing.T) {
		t.Parallel()
		for _, tt := range []struct {
			absence   bool
			due, want time.Time
		}{
			{absence: true, want: at(5)},
			{absence: true, due: at(9), want: at(5)},
			{absence: true, due: at(1), want: at(1)},
			{},
			{due: at(9), want: at(9)},
		} {
			l := fresh(t)
			e := entry("1")
			e.Fingerprint, e.Failure = ledger.Fingerprint{}, &ledger.Failure{Class: ledger.GiveUp, Parked: true, Absence: tt.absence}
			record(t, l, "users", e)
			mark := ledger.Bookmark{Settings: "s", Mark: "m", Full: at(0), Due: tt.due, Entries: 1}
			under(t, l, func(k ledger.Lock) { noError(t, k.SetBookmark(t.Context(), "users", mark)) })
			rows, err := l.Retry(t.Context(), "users", []string{"1"}, at(5))
			noError(t, err)
			same(t, "rows", rows, 1)
			got, err := l.Bookmark(t.Context(), "users")
			noError(t, err)
			mark.Due = tt.want
			same(t, "bookmark", got, mark)
		}
	})
	t.Run("what the engine knows of a person stays in an export", func(t *testing.T) {
		t.Parallel()
		l := fresh(t)
		record(t, l, "users", gone("1", "keep"))
		noError(t, l.Snapshot(t.Context(), func(s ledger.Snapshot) error {
			for h, err := range s.Entries() {
				noError(t, err)
				same(t, "entry", h, ledger.Holder{Sync: "users", Entry: gone("1", "keep")})
			}
			return nil
		}))
	})
}

func byKey(t *testing.T, entries iter.Seq2[*ledger.Entry, error]) map[string]*ledger.Entry {
	t.Helper()
	found := make(map[string]*ledger.Entry)
	for e, err := range entries {
		noError(t, err)
		if found[e.Key] != nil {
			t.Errorf("%q comes twice", e.Key)
		}
		found[e.Key] = e
	}
	return found
}

func standingOf(t *testing.T, l Ledger) ledger.Standing {
	t.Helper()
	s, err := l.Standing(t.Context(), "users")
	noError(t, err)
	return s
}

func at(second int) time.Time { return time.Date(2026, 3, 1, 12, 0, second, 0, time.UTC) }

func entry(key string) *ledger.Entry {
	return &ledger.Entry{
		Key: key, Email: key + "@example.com", Identity: key + "@example.com", Origin: ledger.OriginCreated,
		Fingerprint: ledger.Fingerprint{Hi: 1, Lo: ledger.HashText(key)}, FirstSeen: at(0), ChangedAt: at(0),
	}
}

func record(t *testing.T, l Ledger, sync string, entries ...*ledger.Entry) {
	t.Helper()
	records := make([]ledger.Record, len(entries))
	for i, e := range entries {
		records[i] = ledger.Record{Sync: sync, Entry: e}
	}
	under(t, l, func(k ledger.Lock) { noError(t, k.Record(t.Context(), records...)) })
}

func entriesOf(t *testing.T, l Ledger, keys ...string) map[string]*ledger.Entry {
	t.Helper()
	found, err := l.Entries(t.Context(), "users", keys)
	noError(t, err)
	return found
}

// indexOf returns the hashes of the keys in the index.
func indexOf(t *testing.T, l Ledger) map[uint64]bool {
	t.Helper()
	found := make(map[uint64]bool)
	for e, err := range l.Index(t.Context(), "users") {
		noError(t, err)
		found[e.KeyHash] = true
	}
	return found
}

func keys(names ...string) map[uint64]bool {
	hashes := make(map[uint64]bool)
	for _, name := range names {
		hashes[ledger.HashText(name)] = true
	}
	return hashes
}

func many(first, n int) (all []*ledger.Entry) {
	for i := range n {
		all = append(all, entry(fmt.Sprint(first+i)))
	}
	return all
}
