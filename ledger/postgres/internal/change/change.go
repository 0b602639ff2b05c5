// Package change makes records a change of the tables of entries, in one batch of statements.
package change

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/postgres/internal/entryrow"
	"owlatsync/ledger/postgres/internal/server"
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
type Numbers struct {
	numbers map[place]int64
	last    map[int64]int64 // the last number of a sync
}

// Forget forgets all.
func (r *Numbers) Forget() { r.numbers, r.last = nil, nil }

// Change is what a transaction does to entries in the end.
type Change struct {
	steps  map[place]*Step // the last step of each row
	order  []place
	lines  []*Step // that add to the history
	sync   map[string]int64
	fresh  map[place]int64
	gone   []place
	lasts  map[int64]int64
	syncs  []int64 // of the marks, in the order of the packs
	number []int64
	marks  [][]byte
}

// Fold returns what the steps come to, one after the other.
func Fold(steps []*Step, syncs map[string]int64) *Change {
	c := &Change{steps: make(map[place]*Step, len(steps)), sync: syncs, fresh: make(map[place]int64), lasts: make(map[int64]int64)}
	put := func(at place, s *Step) {
		if _, again := c.steps[at]; !again {
			c.order = append(c.order, at)
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
	return c
}

// removal is the step of a row whose entry goes.
var removal = &Step{removes: true}

// Keep remembers what a change has made.
func (r *Numbers) Keep(c *Change) {
	if r.numbers == nil || len(r.numbers) > keptRows {
		r.numbers = make(map[place]int64)
	}
	if r.last == nil {
		r.last = make(map[int64]int64)
	}
	for at, n := range c.fresh {
		r.numbers[at] = n
	}
	for _, at := range c.gone {
		delete(r.numbers, at)
	}
	for sync, n := range c.lasts {
		r.last[sync] = n
	}
}

const (
	// KeyTail is what the index has of a key besides its head.
	KeyTail = "(CASE WHEN length(e.key) > 64 THEN sha256(e.key) ELSE ''::bytea END)"
	// findNumbers finds entries by their keys.
	findNumbers = `SELECT u.ord, f.number FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS u (sync, key, ord)
		CROSS JOIN LATERAL (SELECT e.number FROM @entries e WHERE e.sync = u.sync AND substring(e.key FROM 1 FOR 64) = substring(u.key FROM 1 FOR 64)
			AND ` + KeyTail + ` = (CASE WHEN length(u.key) > 64 THEN sha256(u.key) ELSE ''::bytea END) LIMIT 1) AS f`
)

// Find finds the numbers of the entries that a change concerns, and gives numbers to new ones.
func (r *Numbers) Find(ctx context.Context, db *server.DB, c *Change) error {
	var unknown []place
	for _, at := range c.order {
		n, known := r.numbers[at]
		if known {
			c.fresh[at] = n
		} else {
			unknown = append(unknown, at)
		}
	}
	if len(unknown) > 0 {
		if err := findUnknown(ctx, db, c, unknown); err != nil {
			return err
		}
	}
	var without []int64 // syncs whose last number is not known
	for _, at := range c.order {
		if _, found := c.fresh[at]; found || c.steps[at].removes {
			continue
		}
		if last, known := r.last[at.sync]; known {
			c.lasts[at.sync] = last
		} else if !slices.Contains(without, at.sync) {
			without = append(without, at.sync)
		}
	}
	if len(without) > 0 {
		rows, err := db.Pool.Query(ctx, db.SQL("SELECT id, last_entry FROM @syncs WHERE id = ANY ($1)"), without)
		err = server.EachRow(rows, err, func(rows pgx.Rows) error {
			var sync, last int64
			err := rows.Scan(&sync, &last)
			c.lasts[sync] = last
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, at := range c.order {
		_, found := c.fresh[at]
		switch {
		case c.steps[at].removes:
			if found {
				c.gone = append(c.gone, at)
			}
		case !found:
			c.lasts[at.sync]++
			c.fresh[at] = c.lasts[at.sync]
		}
	}
	return nil
}

func findUnknown(ctx context.Context, db *server.DB, c *Change, unknown []place) error {
	syncs, keys := make([]int64, len(unknown)), make([][]byte, len(unknown))
	for i, at := range unknown {
		syncs[i], keys[i] = at.sync, []byte(at.key)
	}
	rows, err := db.Pool.Query(ctx, db.SQL(findNumbers), syncs, keys)
	return server.EachRow(rows, err, func(rows pgx.Rows) error {
		var ord, number int64
		err := rows.Scan(&ord, &number)
		if err == nil {
			c.fresh[unknown[ord-1]] = number
		}
		return err
	})
}

const (
	dropEntries = "DELETE FROM @entries e USING unnest($1::bigint[], $2::bigint[]) AS u (sync, number) WHERE e.sync = u.sync AND e.number = u.number"
	// SetMarks sets marks of entries: see the function mark in the migrations.
	SetMarks = "SELECT @mark($1, $2, $3)"
	setLasts = "UPDATE @syncs s SET last_entry = u.last FROM unnest($1::bigint[], $2::bigint[]) AS u (sync, last) WHERE s.id = u.sync AND s.last_entry < u.last"
	// AddLines adds lines to the history under the next numbers. It comes last, because others wait for the numbers.
	AddLines = `WITH c AS (INSERT INTO @counters AS c (deployment, kind, last) VALUES ($1, 'history', $2)
			ON CONFLICT (deployment, kind) DO UPDATE SET last = c.last + excluded.last RETURNING last)
		INSERT INTO @history (deployment, number, sync, key, at, run, event, note)
		SELECT $1, c.last - $2 + u.ord, u.sync, u.key, u.at, u.run, u.event, u.note
		FROM c, unnest($3::bigint[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[]) WITH ORDINALITY AS u (sync, key, at, run, event, note, ord)`
)

// Queue adds the statements of a change, which must be one transaction. Topics has the numbers of the topics.
func (c *Change) Queue(db *server.DB, b *pgx.Batch, deployment int64, topics map[string]int64) error {
	syncs, numbers := make([]int64, len(c.gone)), make([]int64, len(c.gone))
	for i, at := range c.gone {
		syncs[i], numbers[i] = at.sync, c.fresh[at]
		c.mark(at, entry.NoMark)
	}
	if len(c.gone) > 0 {
		b.Queue(db.SQL(dropEntries), syncs, numbers)
	}
	syncs, numbers = nil, nil
	var entries []entryrow.Row
	for _, at := range c.order {
		s := c.steps[at]
		if s.removes {
			continue
		}
		r := s.row
		members, err := entry.EncodeMembers(s.Memberships, func(topic string) (int64, error) { return topics[topic], nil })
		if err != nil {
			return err
		}
		r.SetMembers(members)
		syncs, numbers, entries = append(syncs, at.sync), append(numbers, c.fresh[at]), append(entries, r)
		c.mark(at, s.mark)
	}
	if len(entries) > 0 {
		b.Queue(db.SQL(entryrow.Put), entryrow.PutArgs(deployment, syncs, numbers, entries)...)
	}
	if len(c.marks) > 0 {
		c.sortMarks()
		b.Queue(db.SQL(SetMarks), c.syncs, c.number, c.marks)
	}
	if len(c.lasts) > 0 {
		var syncs, lasts []int64
		for sync, last := range c.lasts {
			syncs, lasts = append(syncs, sync), append(lasts, last)
		}
		b.Queue(db.SQL(setLasts), syncs, lasts)
	}
	if len(c.lines) > 0 {
		b.Queue(db.SQL(AddLines), c.lineArgs(deployment)...)
	}
	return nil
}

func (c *Change) mark(at place, mark [entry.MarkSize]byte) {
	c.syncs, c.number, c.marks = append(c.syncs, at.sync), append(c.number, c.fresh[at]), append(c.marks, mark[:])
}

// sortMarks brings the marks into the order of their packs.
func (c *Change) sortMarks() {
	order := make([]int, len(c.marks))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(c.syncs[a], c.syncs[b]), cmp.Compare(c.number[a], c.number[b]))
	})
	syncs, numbers, marks := make([]int64, len(order)), make([]int64, len(order)), make([][]byte, len(order))
	for to, from := range order {
		syncs[to], numbers[to], marks[to] = c.syncs[from], c.number[from], c.marks[from]
	}
	c.syncs, c.number, c.marks = syncs, numbers, marks
}

func (c *Change) lineArgs(deployment int64) []any {
	n := len(c.lines)
	syncs, at, runs := make([]int64, n), make([]int64, n), make([]int64, n)
	keys, events, notes := make([][]byte, n), make([][]byte, n), make([][]byte, n)
	for i, s := range c.lines {
		syncs[i], keys[i], at[i], runs[i] = c.sync[s.Sync], []byte(s.key), s.at, s.run
		events[i], notes[i] = []byte(s.event), []byte(s.note)
	}
	return []any{deployment, n, syncs, keys, at, runs, events, notes}
}

// Removal is the step that removes the entry with the key, if there is one.
func Removal(sync, key string) *Step { return &Step{Sync: sync, key: key, removes: true} }
