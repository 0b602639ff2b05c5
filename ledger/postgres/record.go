package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/postgres/internal/entryrow"
)

// step is a record that its caller has encoded, so that the writer only writes.
type step struct {
	sync, key   string
	replaces    string
	memberships []ledger.Membership
	row         entryrow.Row
	removes     bool // there is no row: the entry with the key goes
	mark        [entry.MarkSize]byte
	run, at     int64
	event, note string
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
		e := entry.AsKept(r.Entry)
		kept, err := entryrow.Encode(e, now)
		if err != nil {
			return nil, err
		}
		steps[i] = step{
			sync: r.Sync, key: e.Key, replaces: r.Replaces, memberships: e.Memberships, row: kept,
			mark: entry.MarkOf(e), run: r.Run, at: now.UnixMicro(), event: r.Event, note: r.Note,
		}
	}
	return steps, nil
}

// rowKey names a row.
type rowKey struct {
	sync int64
	key  string
}

// keptRows is how many rows a lock remembers the numbers of.
const keptRows = 50_000

// rows are the numbers of entries as far as a lock knows them. Only the holder of the lock makes entries or removes them.
type rows struct {
	numbers map[rowKey]int64
	last    map[int64]int64 // the last number of a sync
}

func (r *rows) forget() { r.numbers, r.last = nil, nil }

// change is what a transaction does to entries in the end.
type change struct {
	steps  map[rowKey]*step // the last step of each row
	order  []rowKey
	lines  []*step // that add to the history
	sync   map[string]int64
	fresh  map[rowKey]int64
	gone   []rowKey
	lasts  map[int64]int64
	syncs  []int64 // of the marks, in the order of the packs
	number []int64
	marks  [][]byte
}

// fold returns what the steps come to, one after the other.
func fold(steps []*step, syncs map[string]int64) *change {
	c := &change{steps: make(map[rowKey]*step, len(steps)), sync: syncs, fresh: make(map[rowKey]int64), lasts: make(map[int64]int64)}
	put := func(at rowKey, s *step) {
		if _, again := c.steps[at]; !again {
			c.order = append(c.order, at)
		}
		c.steps[at] = s
	}
	for _, s := range steps {
		sync := syncs[s.sync]
		put(rowKey{sync, s.key}, s) // which may remove it
		if s.replaces != "" {
			put(rowKey{sync, s.replaces}, removal)
		}
		if s.event != "" {
			c.lines = append(c.lines, s)
		}
	}
	return c
}

// removal is the step of a row whose entry goes.
var removal = &step{removes: true}

// put makes steps durable in their order, all or none. The caller has the turn.
func (k *recorder) put(ctx context.Context, steps []*step) error {
	syncs, topics, err := k.intern(ctx, steps)
	if err != nil {
		return err
	}
	return k.fenced(ctx, func(number int64) error {
		err := k.putOnce(ctx, number, fold(steps, syncs), topics)
		if err != nil {
			k.rows.forget()
		}
		return err
	})
}

// intern returns the numbers of the syncs and topics that the steps name, and makes what is new.
func (k *recorder) intern(ctx context.Context, steps []*step) (syncs, topics map[string]int64, err error) {
	syncs, topics = make(map[string]int64), make(map[string]int64)
	missing := false
	for _, s := range steps {
		if _, done := syncs[s.sync]; !done {
			syncs[s.sync] = k.syncs.of(s.sync)
			missing = missing || syncs[s.sync] == 0
		}
		for i := range s.memberships {
			topic := s.memberships[i].Topic
			if _, done := topics[topic]; !done {
				topics[topic], _ = k.topics.of(topic)
				missing = missing || topics[topic] == 0
			}
		}
	}
	if !missing {
		return syncs, topics, nil
	}
	err = k.fenced(ctx, func(number int64) error {
		ctx, cancel := context.WithTimeout(ctx, answerTimeout)
		defer cancel()
		return k.within(ctx, lazy, number, func(t *tx) (err error) {
			for name := range syncs {
				if syncs[name], err = t.syncID(name); err != nil {
					return err
				}
			}
			for topic := range topics {
				if topics[topic], err = t.topicID(topic); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, nil, err
	}
	for name, id := range syncs {
		k.syncs.keep(name, id)
	}
	for topic, id := range topics {
		k.topics.keep(topic, id)
	}
	return syncs, topics, nil
}

// answerTimeout is how long the server may take for a transaction of Record.
const answerTimeout = 8 * time.Second

// putOnce makes a change in one transaction that is sent at once, so that nobody who freezes keeps it open.
func (k *recorder) putOnce(ctx context.Context, number int64, c *change, topics map[string]int64) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if err := k.rows.find(ctx, k.db, c); err != nil {
		return err
	}
	b, err := c.batch(k.fence, number, topics)
	if err != nil {
		return err
	}
	if err := k.db.pool.SendBatch(ctx, b).Close(); err != nil {
		if isAway(err) {
			return &unansweredError{err}
		}
		return err
	}
	k.rows.keep(c)
	return nil
}

// keep remembers what a change has made.
func (r *rows) keep(c *change) {
	if r.numbers == nil || len(r.numbers) > keptRows {
		r.numbers = make(map[rowKey]int64)
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
	// keyTail is what the index has of a key besides its head.
	keyTail = "(CASE WHEN length(e.key) > 64 THEN sha256(e.key) ELSE ''::bytea END)"
	// findNumbers finds entries by their keys.
	findNumbers = `SELECT u.ord, f.number FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS u (sync, key, ord)
		CROSS JOIN LATERAL (SELECT e.number FROM @entries e WHERE e.sync = u.sync AND substring(e.key FROM 1 FOR 64) = substring(u.key FROM 1 FOR 64)
			AND ` + keyTail + ` = (CASE WHEN length(u.key) > 64 THEN sha256(u.key) ELSE ''::bytea END) LIMIT 1) AS f`
)

// find finds the numbers of the entries that a change concerns, and gives numbers to new ones.
func (r *rows) find(ctx context.Context, db *Database, c *change) error {
	var unknown []rowKey
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
		rows, err := db.pool.Query(ctx, db.sql("SELECT id, last_entry FROM @syncs WHERE id = ANY ($1)"), without)
		err = eachRow(rows, err, func(rows pgx.Rows) error {
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

func findUnknown(ctx context.Context, db *Database, c *change, unknown []rowKey) error {
	syncs, keys := make([]int64, len(unknown)), make([][]byte, len(unknown))
	for i, at := range unknown {
		syncs[i], keys[i] = at.sync, []byte(at.key)
	}
	rows, err := db.pool.Query(ctx, db.sql(findNumbers), syncs, keys)
	return eachRow(rows, err, func(rows pgx.Rows) error {
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
	setMarks    = "SELECT @mark($1, $2, $3)"
	setLasts    = "UPDATE @syncs s SET last_entry = u.last FROM unnest($1::bigint[], $2::bigint[]) AS u (sync, last) WHERE s.id = u.sync AND s.last_entry < u.last"
	// addLines adds lines to the history under the next numbers. It comes last, because others wait for the numbers.
	addLines = `WITH c AS (INSERT INTO @counters AS c (deployment, kind, last) VALUES ($1, 'history', $2)
			ON CONFLICT (deployment, kind) DO UPDATE SET last = c.last + excluded.last RETURNING last)
		INSERT INTO @history (deployment, number, sync, key, at, run, event, note)
		SELECT $1, c.last - $2 + u.ord, u.sync, u.key, u.at, u.run, u.event, u.note
		FROM c, unnest($3::bigint[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[]) WITH ORDINALITY AS u (sync, key, at, run, event, note, ord)`
)

// batch returns the statements of a change, which are one transaction.
func (c *change) batch(k *fence, number int64, topics map[string]int64) (*pgx.Batch, error) {
	b := new(pgx.Batch)
	b.Queue(k.db.sql(passFence), k.deployment, k.epoch, k.holder, k.writes, number)
	syncs, numbers := make([]int64, len(c.gone)), make([]int64, len(c.gone))
	for i, at := range c.gone {
		syncs[i], numbers[i] = at.sync, c.fresh[at]
		c.mark(at, entry.NoMark)
	}
	if len(c.gone) > 0 {
		b.Queue(k.db.sql(dropEntries), syncs, numbers)
	}
	syncs, numbers = nil, nil
	var entries []entryrow.Row
	for _, at := range c.order {
		s := c.steps[at]
		if s.removes {
			continue
		}
		r := s.row
		members, err := entry.EncodeMembers(s.memberships, func(topic string) (int64, error) { return topics[topic], nil })
		if err != nil {
			return nil, err
		}
		r.SetMembers(members)
		syncs, numbers, entries = append(syncs, at.sync), append(numbers, c.fresh[at]), append(entries, r)
		c.mark(at, s.mark)
	}
	if len(entries) > 0 {
		b.Queue(k.db.sql(entryrow.Put), entryrow.PutArgs(k.deployment, syncs, numbers, entries)...)
	}
	if len(c.marks) > 0 {
		c.sortMarks()
		b.Queue(k.db.sql(setMarks), c.syncs, c.number, c.marks)
	}
	if len(c.lasts) > 0 {
		var syncs, lasts []int64
		for sync, last := range c.lasts {
			syncs, lasts = append(syncs, sync), append(lasts, last)
		}
		b.Queue(k.db.sql(setLasts), syncs, lasts)
	}
	if len(c.lines) > 0 {
		b.Queue(k.db.sql(addLines), c.lineArgs(k.deployment)...)
	}
	return b, nil
}

func (c *change) mark(at rowKey, mark [entry.MarkSize]byte) {
	c.syncs, c.number, c.marks = append(c.syncs, at.sync), append(c.number, c.fresh[at]), append(c.marks, mark[:])
}

// sortMarks brings the marks into the order of their packs.
func (c *change) sortMarks() {
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

func (c *change) lineArgs(deployment int64) []any {
	n := len(c.lines)
	syncs, at, runs := make([]int64, n), make([]int64, n), make([]int64, n)
	keys, events, notes := make([][]byte, n), make([][]byte, n), make([][]byte, n)
	for i, s := range c.lines {
		syncs[i], keys[i], at[i], runs[i] = c.sync[s.sync], []byte(s.key), s.at, s.run
		events[i], notes[i] = []byte(s.event), []byte(s.note)
	}
	return []any{deployment, n, syncs, keys, at, runs, events, notes}
}

// Remove implements ledger.Writer. It ignores keys without an entry.
func (k *recorder) Remove(ctx context.Context, sync string, keys []string) error {
	steps := make([]*step, 0, len(keys))
	for _, key := range keys {
		if key != "" {
			steps = append(steps, &step{sync: sync, key: key, removes: true})
		}
	}
	err := k.usable()
	if sync == "" && err == nil && len(keys) > 0 {
		err = errors.New("the sync has no name")
	}
	if err == nil && len(steps) > 0 {
		err = k.share(ctx, steps)
	}
	if err != nil {
		return fmt.Errorf("remove from ledger: %w", explain(ctx, err))
	}
	return nil
}
