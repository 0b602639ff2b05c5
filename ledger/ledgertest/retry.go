package ledgertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"owlatsync/ledger"
)

func testRetry(t *testing.T, open Open) {
	failed := func(key string, state string) *ledger.Entry {
		e := entry(key)
		e.Failure = fullEntry("").Failure
		e.Failure.Parked = state == "parked"
		e.Doubt = state == "in doubt"
		if e.Doubt {
			e.Fingerprint = ledger.Fingerprint{}
		}
		return e
	}
	now := at(40)
	due := func(e *ledger.Entry) *ledger.Entry {
		e.Failure.Attempts, e.Failure.Parked, e.Failure.NextTry = 0, false, now
		return e
	}
	retry := func(t *testing.T, l Ledger, want int, sync string, keys ...string) {
		t.Helper()
		n, err := l.Retry(t.Context(), sync, keys, now)
		noError(t, err)
		same(t, "rows", n, want)
	}
	events := func(t *testing.T, l Ledger, key string) []ledger.HistoryLine {
		t.Helper()
		return told(t, historyOf(t, l, "users", key))[1:] // after its creation
	}
	line := func(key string) []ledger.HistoryLine {
		return []ledger.HistoryLine{{Sync: "users", Key: key, Event: ledger.EventRetry, Note: ledger.NoteRetry}}
	}
	t.Run("rows with the keys", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l := open(t, folder)
		record(t, l, "users", entry("1"), failed("2", "parked"), failed("3", ""), failed("4", "in doubt"), failed("5", "parked"))
		record(t, l, "others", failed("2", "parked"))
		hold(t, l) // it needs no lock
		retry(t, l, 3, "users", "1", "2", "3", "4", "2", "unknown")
		retry(t, l, 0, "users", "unknown")
		retry(t, l, 0, "unknown", "2")
		noError(t, l.Close())
		l = reopen(t, open, folder)
		same(t, "entries", entriesOf(t, l, "users", "1", "2", "3", "4", "5"), map[string]*ledger.Entry{
			"1": entry("1"), "2": due(failed("2", "")), "3": due(failed("3", "")), "4": due(failed("4", "in doubt")), "5": failed("5", "parked"),
		})
		same(t, "entries of another sync", entriesOf(t, l, "others", "2")["2"], failed("2", "parked"))
		standing, err := l.Standing(t.Context(), "users")
		noError(t, err)
		same(t, "standing", standing, ledger.Standing{Entries: 5, Applied: 1, Failing: 4, Parked: 1})
		for _, key := range []string{"2", "3", "4"} {
			same(t, "history", events(t, l, key), line(key))
		}
		for _, key := range []string{"1", "5"} {
			same(t, "history", len(events(t, l, key)), 0)
		}
		same(t, "index", indexOf(t, l, "users"), wantIndex(entry("1"), failed("2", ""), failed("3", ""), failed("4", "in doubt"), failed("5", "")))
	})
	t.Run("all rows", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		var all []*ledger.Entry
		for i := range 2500 { // more than any batch
			all = append(all, failed(fmt.Sprint(i), []string{"parked", ""}[i%2]))
		}
		record(t, l, "users", append(all, entry("sound"))...)
		record(t, l, "others", failed("2", "parked"))
		retry(t, l, 2500, "users")
		retry(t, l, 0, "unknown")
		standing, err := l.Standing(t.Context(), "users")
		noError(t, err)
		same(t, "standing", standing, ledger.Standing{Entries: 2501, Applied: 1, Failing: 2500})
		for _, e := range all {
			due(e)
		}
		slices.SortFunc(all, func(a, b *ledger.Entry) int { return strings.Compare(a.Key, b.Key) })
		open := collect(t, l.Open(t.Context(), "users"))
		slices.SortFunc(open, func(a, b *ledger.Entry) int { return strings.Compare(a.Key, b.Key) })
		same(t, "entries", open, all)
		same(t, "history", events(t, l, all[0].Key), line(all[0].Key))
		same(t, "history of a sound row", len(events(t, l, "sound")), 0)
		same(t, "entries of another sync", entriesOf(t, l, "others", "2")["2"], failed("2", "parked"))
	})
	t.Run("a cancelled call changes nothing", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		record(t, l, "users", failed("1", "parked"))
		ctx, cancel := cancelledContext(t)
		defer cancel()
		if n, err := l.Retry(ctx, "users", nil, now); n != 0 || err == nil {
			t.Errorf("%d rows: %v", n, err)
		}
		same(t, "entry", entriesOf(t, l, "users", "1")["1"], failed("1", "parked"))
	})
}
