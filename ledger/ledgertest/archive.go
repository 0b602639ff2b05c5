package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

func testAll(t *testing.T, open Open) {
	keysOf := func(entries []*ledger.Entry) (keys []string) {
		for _, e := range entries {
			keys = append(keys, e.Key)
		}
		return keys
	}
	t.Run("every entry of the sync, whole and in the order of the keys", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l := open(t, folder)
		// These are more than any page, and alternate with another sync.
		want := []*ledger.Entry{fullEntry("full"), entry("A"), entry("ä"), entry("a b"), entry("\xff")}
		for i := range 5 {
			some := many(i*400, 400)
			want = append(want, some...)
			record(t, l, "users", some...)
			record(t, l, "others", many(i*10, 10)...)
		}
		record(t, l, "users", want[:5]...)
		noError(t, l.Close())

		l = reopen(t, open, folder)
		slices.SortFunc(want, func(a, b *ledger.Entry) int { return strings.Compare(a.Key, b.Key) })
		same(t, "users", collect(t, l.All(t.Context(), "users")), want)
		same(t, "others", len(collect(t, l.All(t.Context(), "others"))), 50)
		same(t, "unknown", len(collect(t, l.All(t.Context(), "unknown"))), 0)
	})
	t.Run("the entries whose people are to confirm, the latest first", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		now := time.Now()
		all := many(0, 2000) // these are more than any page, and many have the same time
		for i, e := range all {
			e.Memberships = []ledger.Membership{{Topic: "a", Pending: now.Add(-time.Duration(i/500) * 84 * time.Hour)}, {Topic: "b", Pending: now.AddDate(-1, 0, 0)}}
		}
		record(t, l, "users", append(all, entry("never"))...)
		record(t, l, "others", all[0])
		got := collect(t, l.Pending(t.Context(), "users"))
		standing, err := l.Standing(t.Context(), "users")
		noError(t, err)
		same(t, "entries, and those asked while the link lives", []int{len(got), standing.Asked}, []int{len(all), 1000})
		if !slices.IsSortedFunc(got, func(a, b *ledger.Entry) int { return b.Asked().Compare(a.Asked()) }) {
			t.Error("the entries are not in the order of their times")
		}
		record(t, l, "users", entry(got[0].Key)) // who has confirmed is none of them
		same(t, "the others, whole", collect(t, l.Pending(t.Context(), "users")), got[1:])
	})
	t.Run("the open entries of the sync, whole", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		var want []*ledger.Entry
		all := many(0, 3000)
		for i, e := range all {
			switch i % 5 {
			case 0:
				e.Fingerprint = ledger.Fingerprint{}
			case 1:
				e.Failure = &ledger.Failure{Class: ledger.RetryLater, Attempts: 1}
			case 2:
				e.Failure = &ledger.Failure{Class: ledger.GiveUp, Attempts: 8, Parked: true}
			default:
				continue
			}
			want = append(want, e)
		}
		record(t, l, "users", all...)
		record(t, l, "others", many(0, 10)...)
		sorted := func(seq iter.Seq2[*ledger.Entry, error]) []*ledger.Entry {
			return slices.SortedFunc(slices.Values(collect(t, seq)), func(a, b *ledger.Entry) int { return strings.Compare(a.Key, b.Key) })
		}
		slices.SortFunc(want, func(a, b *ledger.Entry) int { return strings.Compare(a.Key, b.Key) })
		same(t, "users", sorted(l.Open(t.Context(), "users")), want)
		same(t, "others", len(sorted(l.Open(t.Context(), "others"))), 0)
		same(t, "unknown", len(sorted(l.Open(t.Context(), "unknown"))), 0)
		for range l.Open(t.Context(), "users") {
			break
		}
	})
	t.Run("the ledger can be used while it streams", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		var keys []string
		var entries []*ledger.Entry
		for i := range 2000 {
			keys = append(keys, fmt.Sprintf("%04d", i))
			entries = append(entries, entry(keys[i]))
		}
		record(t, l, "users", entries...)
		var seen []string
		for e, err := range l.All(t.Context(), "users") {
			noError(t, err)
			seen = append(seen, e.Key)
			if len(seen)%500 == 0 {
				e.Fields[owlatsync.FirstName] = "Changed"
				record(t, l, "users", e)
				remove(t, l, "users", seen[len(seen)-2])
				same(t, "inner", len(collect(t, l.All(t.Context(), "users"))), 2000-len(seen)/500)
			}
		}
		same(t, "keys", seen, keys)
		same(t, "keys afterwards", len(keysOf(collect(t, l.All(t.Context(), "users")))), 1996)
	})
	t.Run("breaking out releases it", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		record(t, l, "users", many(0, 3)...)
		for range 50 {
			for _, err := range l.All(t.Context(), "users") {
				noError(t, err)
				break
			}
		}
		record(t, l, "users", entry("3"))
		same(t, "keys", keysOf(collect(t, l.All(t.Context(), "users"))), []string{"0", "1", "2", "3"})
	})
	t.Run("a cancelled context ends it with an error", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		record(t, l, "users", many(0, 3000)...)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last error
		n := 0
		for _, err := range l.All(ctx, "users") {
			cancel()
			n++
			last = err
		}
		if !errors.Is(last, context.Canceled) || n > 3000 {
			t.Errorf("after %d entries the last error is %v", n, last)
		}
	})
}

func testSharers(t *testing.T, open Open) {
	l := fresh(t, open)
	stale := entry("1")
	stale.Email, stale.Identity = "stale@example.com", "stale@example.com"
	gone := entry("2")
	gone.Origin = ledger.OriginGone
	unconfirmed := &ledger.Entry{Key: "3", ChangedAt: at(0)}
	record(t, l, "users", entry("1"), gone, unconfirmed)
	record(t, l, "others", stale)
	filler := many(1000, 2000)
	record(t, l, "filler", filler...)
	var everybody []string
	for _, e := range filler {
		everybody = append(everybody, e.ContactID)
	}
	holder := func(sync string, e *ledger.Entry) ledger.Holder { return ledger.Holder{Sync: sync, Entry: e} }
	for _, c := range []struct {
		name     string
		contacts []string
		want     []ledger.Holder
	}{
		{"in all syncs, under any address", []string{"contact1"}, []ledger.Holder{holder("others", stale), holder("users", entry("1"))}},
		{"gone ones too", []string{"contact2"}, []ledger.Holder{holder("users", gone)}},
		{"compared as they are", []string{"Contact1", "contact", "%"}, nil},
		{"no contact is nobody's", []string{""}, nil},
		{"none", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := l.Sharers(t.Context(), c.contacts)
			noError(t, err)
			slices.SortFunc(got, func(a, b ledger.Holder) int { return strings.Compare(a.Sync, b.Sync) })
			same(t, "sharers", got, c.want)
		})
	}
	t.Run("many contacts", func(t *testing.T) {
		got, err := l.Sharers(t.Context(), append(everybody, "contact1"))
		noError(t, err)
		same(t, "count", len(got), len(filler)+2)
	})
}

func testSyncs(t *testing.T, open Open) {
	folder := t.TempDir()
	l := open(t, folder)
	syncs := func() []string {
		t.Helper()
		names, err := l.Syncs(t.Context())
		noError(t, err)
		return names
	}
	same(t, "of a new ledger", len(syncs()), 0)
	record(t, l, "users", entry("1"), entry("2"))
	k := hold(t, l)
	begin(t, k, "orders")
	noError(t, k.SetBookmark(t.Context(), "events", ledger.Bookmark{}))
	if _, err := l.Entries(t.Context(), "asked for", []string{"1"}); err != nil {
		t.Fatal(err)
	}
	noError(t, l.Close())
	l = reopen(t, open, folder)
	same(t, "syncs", syncs(), []string{"events", "orders", "users"})
}

func historyOf(t *testing.T, l Ledger, sync, key string) []ledger.HistoryLine {
	t.Helper()
	lines, err := l.History(t.Context(), sync, key)
	noError(t, err)
	return lines
}

// told is the history of a row without its times and numbers, which must ascend.
func told(t *testing.T, lines []ledger.HistoryLine) []ledger.HistoryLine {
	t.Helper()
	told := slices.Clone(lines)
	for i := range told {
		if told[i].Number < 1 || i > 0 && lines[i].Number <= lines[i-1].Number {
			t.Errorf("line %d has the number %d", i, lines[i].Number)
		}
		told[i].At, told[i].Number = time.Time{}, 0
	}
	return told
}

func testHistory(t *testing.T, open Open) {
	folder := t.TempDir()
	l := open(t, folder)
	k := hold(t, l)
	before := l.Now()
	write := func(sync, key string, run int64, event, note string) ledger.Record {
		return ledger.Record{Sync: sync, Run: run, Entry: entry(key), Event: event, Note: note}
	}
	noError(t, k.Record(t.Context(), write("users", "1", 1, "created", ""), write("users", "1", 1, "topic added", "topic1")))
	noError(t, k.Record(t.Context(), write("users", "2", 1, "created", ""), write("others", "1", 2, "adopted", "")))
	noError(t, k.Record(t.Context(), write("users", "1", 3, "", "no event, no line")))
	noError(t, k.Record(t.Context(), write("users", "1", 0, "retry", "Zoë 😀 \x00 asked")))
	noError(t, k.Remove(t.Context(), "users", []string{"1"}))
	noError(t, l.Close())

	l = reopen(t, open, folder)
	got := historyOf(t, l, "users", "1")
	same(t, "history", told(t, got), []ledger.HistoryLine{
		{Sync: "users", Key: "1", Run: 1, Event: "created"}, {Sync: "users", Key: "1", Run: 1, Event: "topic added", Note: "topic1"},
		{Sync: "users", Key: "1", Event: "retry", Note: "Zoë 😀 \x00 asked"},
	})
	for i, line := range got {
		if !dated(l, before, line.At) || line.At.Location() != time.UTC || i > 0 && line.At.Before(got[i-1].At) {
			t.Errorf("line %d is of %v", i, line.At)
		}
	}
	same(t, "of another sync", told(t, historyOf(t, l, "others", "1")), []ledger.HistoryLine{{Sync: "others", Key: "1", Run: 2, Event: "adopted"}})
	for _, none := range [][2]string{{"users", "3"}, {"unknown", "1"}, {"", ""}} {
		same(t, fmt.Sprint(none), len(historyOf(t, l, none[0], none[1])), 0)
	}
}

// tick waits until the ledger's clock, which counts milliseconds at least, has moved on, and returns what it shows.
func tick(t *testing.T, clock ledger.Clock) time.Time {
	t.Helper()
	for from := clock.Now(); ; {
		if now := clock.Now(); now.Sub(from) > 2*time.Millisecond {
			return now
		}
	}
}

func testPrune(t *testing.T, open Open) {
	prune := func(t *testing.T, l Ledger, before time.Time) int {
		t.Helper()
		n, err := l.Prune(t.Context(), before)
		noError(t, err)
		return int(n)
	}
	t.Run("history", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l := open(t, folder)
		same(t, "of a new ledger", prune(t, l, l.Now()), 0)
		record(t, l, "users", many(0, 3333)...) // more than any batch
		record(t, l, "others", entry("1"))
		before := tick(t, l)
		tick(t, l)
		record(t, l, "users", entry("1"), entry("new"))
		same(t, "what is old enough for nothing", prune(t, l, before.Add(-time.Hour)), 0)
		same(t, "lines", prune(t, l, before), 3334)
		same(t, "lines left", prune(t, l, before), 0)
		noError(t, l.Close())
		l = reopen(t, open, folder)
		for key, lines := range map[string]int{"0": 0, "1": 1, "3332": 0, "new": 1} {
			same(t, "lines of "+key, len(historyOf(t, l, "users", key)), lines)
		}
		same(t, "entries", len(collect(t, l.All(t.Context(), "users"))), 3334)
	})
	t.Run("runs", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		k := hold(t, l)
		run := func(sync string, second int, status ledger.Status) int64 {
			id, err := k.BeginRun(t.Context(), ledger.Run{Sync: sync, Mode: ledger.ModeRun, Started: at(second)})
			noError(t, err)
			if status == ledger.StatusHeld {
				keep(t, k, id, item(1, 1, "a"))
			}
			end(t, k, ledger.Run{ID: id, Mode: ledger.ModeRun, Started: at(second), Finished: at(second + 1), Status: status})
			return id
		}
		run("users", 0, "ok")
		run("users", 1, "error")
		held := run("users", 2, "held")
		recent := run("users", 30, "ok")
		latest := run("users", 40, "ok")
		onlyOne := run("rare", 3, "ok")
		dead := begin(t, k, "dead")
		keep(t, k, dead, item(1, 1, "a"))
		newest := run("dead", 4, "ok")
		same(t, "removed", prune(t, l, at(20)), 3)
		var left []int64
		runs, err := l.Runs(t.Context(), "", 0)
		noError(t, err)
		for _, r := range runs {
			left = append(left, r.ID)
		}
		same(t, "runs left", left, []int64{newest, onlyOne, latest, recent, held})
		same(t, "plan that is held", len(collect(t, l.Plan(t.Context(), held))), 1)
		same(t, "plan of a run that is gone", len(collect(t, l.Plan(t.Context(), dead))), 0)
		if next := begin(t, k, "users"); next <= newest {
			t.Errorf("number %d after %d", next, newest)
		}
	})
	t.Run("a cancelled call removes nothing", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		record(t, l, "users", entry("1"))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if n, err := l.Prune(ctx, tick(t, l)); n != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("removed %d: %v", n, err)
		}
		same(t, "lines", len(historyOf(t, l, "users", "1")), 1)
	})
}
