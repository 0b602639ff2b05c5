package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"owlatsync/ledger"
)

// Trouble is something about a row that was not done, or of which nobody knows whether it was.
type Trouble struct {
	Sync     string
	Key      string
	Address  string // personal data, as far as the ledger has it
	What     string // "row", "event" or "topic"
	Category string
	Reason   string
	Attempts int
	First    time.Time
	Last     time.Time
	NextTry  time.Time // zero: never by itself
	Parked   bool
}

// Troubles returns what is wrong with the entry, nothing if it is in order.
func Troubles(e *ledger.Entry, sync string) []Trouble {
	var out []Trouble
	if f := e.Failure; f != nil {
		t := Trouble{Sync: sync, Key: e.Key, Address: e.Email, What: "row", Category: f.Category, Reason: f.Reason,
			Attempts: f.Attempts, First: f.First, Last: f.Last, NextTry: f.NextTry, Parked: f.Parked}
		if f.Parked {
			t.NextTry = time.Time{}
		}
		out = append(out, t)
	}
	for _, m := range e.Events {
		if m.State == ledger.EventUnknown {
			out = append(out, Trouble{Sync: sync, Key: e.Key, Address: e.Email, What: "event", Category: "event", Attempts: 1, First: m.At, Last: m.At,
				Reason: fmt.Sprintf("it is not known whether the event %s arrived; it is not sent again", m.Name), Parked: true})
		}
	}
	for _, m := range e.Memberships {
		if m.State == ledger.MemberUnsure {
			out = append(out, Trouble{Sync: sync, Key: e.Key, Address: e.Email, What: "topic", Category: categoryUnsure, Attempts: 1, First: m.At, Last: m.At,
				Reason: fmt.Sprintf("it is not known whether the contact was put on topic %s; it is not added again", m.Topic), Parked: true})
		}
	}
	return out
}

// Retry lets the next run try the failed rows with the given keys at once, parked ones too; without keys all of the sync's.
// What is merely unknown, an event or a topic add, is not repeated. It returns how many rows there are to try.
func (e *Engine) Retry(ctx context.Context, sync string, keys []string) (n int, err error) {
	release, err := e.ledger.Acquire(ctx, "retry")
	if err != nil {
		return 0, err
	}
	defer func() {
		if released := release(); err == nil {
			err = released
		}
	}()
	var due []ledger.Record
	for entry, err := range e.ledger.All(ctx, sync) {
		if err != nil {
			return 0, fmt.Errorf("read the ledger: %w", err)
		}
		if entry.Failure == nil || len(keys) > 0 && !slices.Contains(keys, entry.Key) {
			continue
		}
		entry.Failure.Attempts, entry.Failure.Parked, entry.Failure.NextTry = 0, false, time.Now()
		due = append(due, ledger.Record{Sync: sync, Entry: entry, Event: "retry", Note: "asked for"})
	}
	for batch := range slices.Chunk(due, spoolBatch) {
		if err := e.ledger.Record(ctx, batch...); err != nil {
			return 0, fmt.Errorf("record the retry: %w", err)
		}
	}
	return len(due), nil
}
