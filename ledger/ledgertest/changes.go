package ledgertest

import (
	"fmt"
	"testing"
	"time"

	"owlatsync/ledger"
)

// changes returns the lines after the number, without their times.
func changes(t *testing.T, l Ledger, after int64, limit int) (lines []ledger.HistoryLine, last int64) {
	t.Helper()
	lines, err := l.Changes(t.Context(), after, limit)
	noError(t, err)
	last = after
	for i := range lines {
		if lines[i].Number <= last {
			t.Errorf("line %d has the number %d, the one before %d", i, lines[i].Number, last)
		}
		last, lines[i].Number, lines[i].At = lines[i].Number, 0, time.Time{}
	}
	return lines, last
}

func testChanges(t *testing.T, open Open) {
	line := func(sync, key, event string) ledger.HistoryLine {
		return ledger.HistoryLine{Sync: sync, Key: key, Run: 1, Event: event}
	}
	t.Run("of all syncs, one after the other", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l := open(t, folder)
		none, last := changes(t, l, 0, 10)
		same(t, "of a new ledger", len(none)+int(last), 0)
		record(t, l, "users", entry("1"), entry("\xff"))
		record(t, l, "others", entry("1"))
		same(t, "no event, no line", len(all(t, l)), 3)
		first, last := changes(t, l, 0, 2)
		same(t, "the first", first, []ledger.HistoryLine{line("users", "1", "created"), line("users", "\xff", "created")})
		rest, last := changes(t, l, last, 2)
		same(t, "the rest", rest, []ledger.HistoryLine{line("others", "1", "created")})
		none, again := changes(t, l, last, 2)
		same(t, "nothing more", len(none)+int(again-last), 0)
		failing := entry("2")
		failing.Failure = &ledger.Failure{Class: ledger.GiveUp, Parked: true}
		record(t, l, "users", failing)
		if _, err := l.Retry(t.Context(), "users", nil, time.Now()); err != nil {
			t.Fatal(err)
		}
		noError(t, l.Close())
		l = reopen(t, open, folder)
		later, _ := changes(t, l, last, 0)
		same(t, "later", later, []ledger.HistoryLine{
			line("users", "2", "created"), {Sync: "users", Key: "2", Event: ledger.EventRetry, Note: ledger.NoteRetry},
		})
		same(t, "history", historyOf(t, l, "users", "2")[1].Number > last, true)
	})
	t.Run("no number comes twice, whatever is gone", func(t *testing.T) {
		t.Parallel()
		for name, lose := range map[string]func(t *testing.T, l Ledger){
			"forgotten": func(t *testing.T, l Ledger) {
				forgetPerson(t, l, "row3@example.com", 1)
				forgetPerson(t, l, "row2@example.com", 1)
			},
			"pruned": func(t *testing.T, l Ledger) {
				n, err := l.Prune(t.Context(), tick(t, l))
				noError(t, err)
				same(t, "lines", int(n), 3)
				n, err = l.Prune(t.Context(), tick(t, l))
				noError(t, err)
				same(t, "lines again", int(n), 0)
			},
		} {
			folder := t.TempDir()
			l := open(t, folder)
			record(t, l, "users", many(1, 3)...)
			_, last := changes(t, l, 0, 0)
			for round := range 3 {
				if round == 0 {
					lose(t, l)
				}
				if round == 1 {
					noError(t, l.Close())
					l = open(t, folder)
				}
				key := fmt.Sprint("new", round)
				record(t, l, "users", entry(key))
				got, now := changes(t, l, last, 0)
				same(t, name, got, []ledger.HistoryLine{line("users", key, "created")})
				last = now
			}
			left := map[string]int{"forgotten": 4, "pruned": 3}[name]
			same(t, name+": lines left", len(all(t, l)), left)
			n, err := l.Prune(t.Context(), tick(t, l))
			noError(t, err)
			same(t, name+": pruned at last", int(n), left)
			same(t, name+": lines at last", len(all(t, l)), 0)
			noError(t, l.Close())
		}
	})
}

// all is the whole history.
func all(t *testing.T, l Ledger) []ledger.HistoryLine {
	t.Helper()
	lines, _ := changes(t, l, 0, -1)
	return lines
}
