// Package change makes records a change of the tables of entries, in one batch of statements.
package change

import (
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/postgres/internal/entryrow"
)

// Step is a record that its caller has encoded, so that the writer only writes.
type Step struct {
	Sync        string
	key         string
	replaces    string
	Memberships []ledger.Membership
	row         entryrow.Row
	removes     bool // there is no row: the entry with the key goes
	mark        [entry.MarkSize]byte
	run, at     int64
	event, note string
}

// Encode returns the records as steps.
func Encode(records []ledger.Record, now time.Time) ([]Step, error) {
	steps := make([]Step, len(records))
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
		e := entry.AsKept(r.Entry)
		kept, err := entryrow.Encode(e, now)
		if err != nil {
			return nil, err
		}
		steps[i] = Step{
			Sync: r.Sync, key: e.Key, replaces: r.Replaces, Memberships: e.Memberships, row: kept,
			mark: entry.MarkOf(e), run: r.Run, at: now.UnixMicro(), event: r.Event, note: r.Note,
		}
	}
	return steps, nil
}

// place names a row.
type place struct {
	sync int64
	key  string
}

// keptRows is how many rows a lock remembers the numbers of.
const keptRows = 50_000

// Numbers are the numbers of entries as far as a lock knows them. Only the holder of the lock makes entries or removes them.
type Numbers struct{ numbers map[place]int64 }

// Forget forgets all.
func (r *Numbers) Forget() { r.numbers = nil }

// Keep remembers the numbers of a change, which Record has returned.
func (r *Numbers) Keep(c *Change, numbers []pgtype.Int8) {
	if r.numbers == nil || len(r.numbers) > keptRows {
		r.numbers = make(map[place]int64)
	}
	for i, at := range c.order {
		if i < c.puts {
			r.numbers[at] = numbers[i].Int64
		} else {
			delete(r.numbers, at)
		}
	}
}

// Change is what a transaction does to entries in the end.
type Change struct {
	steps map[place]*Step // the last step of each row
	order []place         // what is put, and then what is removed
	puts  int             // how many are put
	lines []*Step         // that add to the history
	sync  map[string]int64
}

// Fold returns what the steps come to, one after the other.
func Fold(steps []*Step, syncs map[string]int64) *Change {
	c := &Change{steps: make(map[place]*Step, len(steps)), sync: syncs}
	var all []place
	put := func(at place, s *Step) {
		if _, again := c.steps[at]; !again {
			all = append(all, at)
		}
		c.steps[at] = s
	}
	for _, s := range steps {
		sync := syncs[s.Sync]
		put(place{sync, s.key}, s) // which may remove it
		if s.replaces != "" {
			put(place{sync, s.replaces}, removal)
		}
		if s.event != "" {
			c.lines = append(c.lines, s)
		}
	}
	var gone []place
	for _, at := range all {
		if c.steps[at].removes {
			gone = append(gone, at)
		} else {
			c.order = append(c.order, at)
		}
	}
	c.puts, c.order = len(c.order), append(c.order, gone...)
	return c
}

// removal is the step of a row whose entry goes.
var removal = &Step{removes: true}

// KeyTail is what the index has of a key besides its head.
const KeyTail = "(CASE WHEN length(e.key) > 64 THEN sha256(e.key) ELSE ''::bytea END)"

// The functions of the migrations that write.
var (
	// Record makes a change under a lock: see the function record. Its arguments are those of the fence, and then those of Args.
	Record = "SELECT @record(" + entryrow.Placeholders(5+4+len(entryrow.Names)-1+6) + ")"
	// SetMarks sets marks of entries: see the function mark.
	SetMarks = "SELECT @mark($1, $2, $3)"
	// AddLines adds lines to the history: see the function add_lines.
	AddLines = "SELECT @add_lines($1, $2, $3, $4, $5, $6, $7)"
)

// Args returns the arguments of Record behind those of the fence. Topics has the numbers of the topics.
func (r *Numbers) Args(c *Change, topics map[string]int64) ([]any, error) {
	n := len(c.order)
	syncs, numbers, keys, marks := make([]int64, n), make([]pgtype.Int8, n), make([][]byte, n), make([][]byte, n)
	entries := make([]entryrow.Row, c.puts)
	for i, at := range c.order {
		s := c.steps[at]
		number, known := r.numbers[at]
		syncs[i], numbers[i], keys[i], marks[i] = at.sync, pgtype.Int8{Int64: number, Valid: known}, []byte(at.key), s.mark[:]
		if s.removes {
			continue
		}
		members, err := entry.EncodeMembers(s.Memberships, func(topic string) (int64, error) { return topics[topic], nil })
		if err != nil {
			return nil, err
		}
		entries[i] = s.row
		entries[i].SetMembers(members)
	}
	args := []any{syncs, numbers, keys, marks}
	return slices.Concat(args, entryrow.Arrays(entries)[1:], c.lineArgs()), nil // the keys are there already
}

func (c *Change) lineArgs() []any {
	n := len(c.lines)
	syncs, at, runs := make([]int64, n), make([]int64, n), make([]int64, n)
	keys, events, notes := make([][]byte, n), make([][]byte, n), make([][]byte, n)
	for i, s := range c.lines {
		syncs[i], keys[i], at[i], runs[i] = c.sync[s.Sync], []byte(s.key), s.at, s.run
		events[i], notes[i] = []byte(s.event), []byte(s.note)
	}
	return []any{syncs, keys, at, runs, events, notes}
}

// Removal is the step that removes the entry with the key, if there is one.
func Removal(sync, key string) *Step { return &Step{Sync: sync, key: key, removes: true} }
