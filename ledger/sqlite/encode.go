package sqlite

import (
	"errors"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
)

// step is a record that its caller has encoded, so that the writer only writes.
type step struct {
	sync, key string
	replaces  string
	entry     entry.Values
	mark      [entry.MarkSize]byte
	run       int64
	at        int64
	event     string
	note      string
}

func encodeRecords(records []ledger.Record, now time.Time) ([]step, error) {
	steps := make([]step, len(records))
	for i, r := range records {
		if r.Entry == nil {
			return nil, errors.New("a record has no entry")
		}
		if r.Sync == "" || r.Entry.Key == "" {
			return nil, errors.New("a record names no sync or no key")
		}
		if r.Replaces == r.Entry.Key {
			return nil, errors.New("a record replaces itself")
		}
		values, err := entry.Encode(entry.AsKept(r.Entry), now)
		if err != nil {
			return nil, err
		}
		steps[i] = step{
			sync: r.Sync, key: r.Entry.Key, replaces: r.Replaces, entry: values,
			mark: entry.MarkOf(r.Entry), run: r.Run, at: now.UnixMicro(), event: r.Event, note: r.Note,
		}
	}
	return steps, nil
}
