package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/postgres/internal/heard"
)

// Load calls write to put a snapshot into the empty ledger, all or nothing. It takes the lock as a run does, and fails with a
// *ledger.LockedError while another holds it. The error of a line that contradicts one before it may come only at the end. Load calls write
// once.
func (a archive) Load(ctx context.Context, deployment string, write func(ledger.Loader) error) (err error) {
	k, err := a.locker.acquire(ctx, ledger.Claim{Purpose: "import into the ledger"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.Release()) }()
	written := false
	return k.transact(ctx, durable, func(t *tx) error {
		if written { // what write reads from may have come to its end
			return errors.New("the connection to PostgreSQL broke while the ledger was imported, and nothing was: try again")
		}
		written = true
		// What is imported may come slowly.
		if err := t.Exec("SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
			return err
		}
		if err := t.mustBeEmpty(deployment); err != nil {
			return err
		}
		if deployment != "" {
			if err := bind(t, deployment); err != nil {
				return err
			}
		}
		l := newLoader(t)
		if err := write(l); err != nil {
			return err
		}
		return explain(ctx, l.end())
	})
}

// mustBeEmpty returns ErrNotEmpty if the ledger holds anything but a tie to the same deployment.
func (t *tx) mustBeEmpty(deployment string) error {
	var used bool
	err := t.Row(`SELECT EXISTS (SELECT 1 FROM @syncs WHERE deployment = $1) OR EXISTS (SELECT 1 FROM @opt_outs WHERE deployment = $1)
		OR EXISTS (SELECT 1 FROM @forgotten WHERE deployment = $1) OR EXISTS (SELECT 1 FROM @feedback WHERE deployment = $1)
		OR EXISTS (SELECT 1 FROM @suppressions WHERE deployment = $1)
		OR EXISTS (SELECT 1 FROM @deployments WHERE id = $1 AND (forget_secret IS NOT NULL OR heard IS NOT NULL OR bound <> $2))`,
		[]any{t.deployment, deployment}, &used)
	if err == nil && used {
		err = ledger.ErrNotEmpty
	}
	return err
}

// loadBatch is how many lines of a kind are sent at once.
const loadBatch = 5000

// loader implements ledger.Loader.
type loader struct {
	t      *tx
	now    time.Time
	syncs  map[string]*loadedSync
	topics map[string]int64
	last   int64 // the latest number of a line of history
	run    int64 // the latest number of a run
	epoch  int64 // the latest of a run

	entries, packs, history, forgotten copied
	optOuts                            []ledger.OptOut
	suppressions                       []ledger.Suppression
}

// loadedSync is a sync and its latest pack.
type loadedSync struct {
	id, last int64 // last is the number of the latest entry
	marks    []byte
}

func newLoader(t *tx) *loader {
	return &loader{
		t: t, now: time.Now(), syncs: make(map[string]*loadedSync), topics: make(map[string]int64),
		entries:   copied{table: "entries", columns: append([]string{"deployment", "sync", "number"}, columns...)},
		packs:     copied{table: "packs", columns: []string{"sync", "pack", "marks"}},
		history:   copied{table: "history", columns: []string{"deployment", "number", "sync", "key", "at", "run", "event", "note"}},
		forgotten: copied{table: "forgotten", columns: []string{"deployment", "hash"}},
	}
}

// copied are rows on their way into a table.
type copied struct {
	table   string
	columns []string
	rows    [][]any
}

// add adds a row, and sends those before if they are many.
func (c *copied) add(t *tx, row ...any) error {
	c.rows = append(c.rows, row)
	if len(c.rows) < loadBatch {
		return nil
	}
	return c.send(t)
}

func (c *copied) send(t *tx) error {
	if len(c.rows) == 0 {
		return nil
	}
	_, err := t.CopyFrom(t.ctx, pgx.Identifier{t.l.db.schema, c.table}, c.columns, pgx.CopyFromRows(c.rows))
	c.rows = c.rows[:0]
	return contradicting(err)
}

// contradicting marks errors that the server returns because of an earlier line.
func contradicting(err error) error {
	if stateOf(err) == stateUnique {
		return fmt.Errorf("%w (%w)", ledger.ErrContradiction, err)
	}
	return err
}

// sync returns a sync, which it creates if it is new.
func (l *loader) sync(name string) (*loadedSync, error) {
	if s, known := l.syncs[name]; known {
		return s, nil
	}
	id, err := l.t.syncID(name)
	if err != nil {
		return nil, err
	}
	l.syncs[name] = &loadedSync{id: id}
	return l.syncs[name], nil
}

// topic returns the number of a topic.
func (l *loader) topic(topic string) (int64, error) {
	if id, known := l.topics[topic]; known {
		return id, nil
	}
	id, err := l.t.topicID(topic)
	if err == nil {
		l.topics[topic] = id
	}
	return id, err
}

// SetForgetSecret implements ledger.Loader.
func (l *loader) SetForgetSecret(secret []byte) error {
	if len(secret) != ledger.HashSize {
		return fmt.Errorf("a secret for forgotten addresses has %d bytes", len(secret))
	}
	n, err := l.t.Change("UPDATE @deployments SET forget_secret = $2 WHERE id = $1 AND forget_secret IS NULL", secret)
	if err == nil && n == 0 {
		err = ledger.ErrContradiction
	}
	return err
}

// AddSync implements ledger.Loader.
func (l *loader) AddSync(s ledger.SyncRecord) error {
	known, err := l.sync(s.Name)
	if err == nil && s.Adopted {
		err = l.t.Exec("UPDATE @syncs SET adopted = true WHERE id = $1", known.id)
	}
	if err == nil && !s.SetBack.IsZero() {
		err = l.t.Exec("UPDATE @syncs SET set_back = $2 WHERE id = $1", known.id, s.SetBack.UnixMicro())
		if err == nil {
			_, err = l.t.Change("UPDATE @deployments SET set_back = $2 WHERE id = $1", s.SetBack.UnixMicro())
		}
	}
	return err
}

// AddRun implements ledger.Loader. It makes the epochs of later locks larger than that of the run.
func (l *loader) AddRun(r ledger.Run) error {
	sync, err := l.sync(r.Sync)
	if err != nil {
		return err
	}
	r.Status = r.Status.Moved()
	args, err := encodeRun(&r, r.Heartbeat)
	if err != nil {
		return err
	}
	l.run, l.epoch = max(l.run, r.ID), max(l.epoch, r.Epoch)
	return contradicting(l.t.Exec(insertRun, append([]any{l.t.deployment, r.ID, sync.id, r.Epoch, r.Full, r.Approves}, args...)...))
}

// AddEntry implements ledger.Loader.
func (l *loader) AddEntry(h ledger.Holder) error {
	if h.Entry == nil || h.Entry.Key == "" {
		return errors.New("an entry has no key")
	}
	sync, err := l.sync(h.Sync)
	if err != nil {
		return err
	}
	e := entry.AsKept(h.Entry)
	kept, err := encodeRow(e, l.now)
	if err != nil {
		return err
	}
	if kept.texts[colMembers], err = entry.EncodeMembers(e.Memberships, l.topic); err != nil {
		return err
	}
	sync.last++
	if err := l.addMark(sync, entry.MarkOf(e)); err != nil {
		return err
	}
	values := make([]any, 0, len(l.entries.columns))
	values = append(values, l.t.deployment, sync.id, sync.last)
	for _, text := range kept.texts {
		values = append(values, text)
	}
	for _, n := range kept.ints {
		values = append(values, n)
	}
	for _, b := range kept.bools {
		values = append(values, b)
	}
	return l.entries.add(l.t, values...)
}

// addMark adds the mark of the latest entry of a sync.
func (l *loader) addMark(sync *loadedSync, mark [entry.MarkSize]byte) error {
	at := int(sync.last%packSlots) * entry.MarkSize
	if at == 0 && sync.last > 0 {
		if err := l.addPack(sync, sync.last/packSlots-1); err != nil {
			return err
		}
	}
	sync.marks = append(append(sync.marks, make([]byte, at-len(sync.marks))...), mark[:]...)
	return nil
}

// addPack adds the latest pack of a sync.
func (l *loader) addPack(sync *loadedSync, number int64) error {
	marks := sync.marks
	sync.marks = nil
	return l.packs.add(l.t, sync.id, number, marks)
}

// AddHistory implements ledger.Loader.
func (l *loader) AddHistory(line ledger.HistoryLine) error {
	sync, err := l.sync(line.Sync)
	if err != nil {
		return err
	}
	switch {
	case line.Number == 0:
		l.last++
	case line.Number <= l.last:
		return ledger.ErrContradiction
	default:
		l.last = line.Number
	}
	return l.history.add(l.t, l.t.deployment, l.last, sync.id, filled(line.Key), line.At.UnixMicro(), line.Run, filled(line.Event), filled(line.Note))
}

// SetLastNumber implements ledger.Loader.
func (l *loader) SetLastNumber(n int64) error {
	l.last = max(l.last, n)
	return nil
}

// AddOptOut implements ledger.Loader.
func (l *loader) AddOptOut(o ledger.OptOut) error {
	if err := o.Check(); err != nil {
		return err
	}
	if l.optOuts = append(l.optOuts, o); len(l.optOuts) < loadBatch {
		return nil
	}
	return l.sendOptOuts()
}

func (l *loader) sendOptOuts() error {
	err := contradicting(heard.AddOptOuts(l.t, l.optOuts))
	l.optOuts = l.optOuts[:0]
	return err
}

// AddSuppression implements ledger.Loader.
func (l *loader) AddSuppression(s ledger.Suppression) error {
	if err := s.Check(); err != nil {
		return err
	}
	if l.suppressions = append(l.suppressions, s); len(l.suppressions) < loadBatch {
		return nil
	}
	return l.sendSuppressions()
}

func (l *loader) sendSuppressions() error {
	err := contradicting(heard.AddSuppressions(l.t, l.suppressions))
	l.suppressions = l.suppressions[:0]
	return err
}

// AddForgotten implements ledger.Loader.
func (l *loader) AddForgotten(hash []byte) error {
	if len(hash) != ledger.HashSize {
		return fmt.Errorf("the hash of an address has %d bytes", len(hash))
	}
	return l.forgotten.add(l.t, l.t.deployment, append([]byte{}, hash...))
}

// end sends what was not sent yet, and makes later numbers larger.
func (l *loader) end() error {
	for _, s := range l.syncs {
		if len(s.marks) > 0 {
			if err := l.addPack(s, s.last/packSlots); err != nil {
				return err
			}
		}
		if err := l.t.Exec("UPDATE @syncs SET last_entry = greatest(last_entry, $2) WHERE id = $1", s.id, s.last); err != nil {
			return err
		}
	}
	for _, c := range []*copied{&l.entries, &l.packs, &l.history, &l.forgotten} {
		if err := c.send(l.t); err != nil {
			return err
		}
	}
	if err := l.sendOptOuts(); err != nil {
		return err
	}
	if err := l.sendSuppressions(); err != nil {
		return err
	}
	if _, err := l.t.Change("UPDATE @leases SET least = greatest(least, $2) WHERE deployment = $1 AND kind = $3", l.epoch, kindRun); err != nil {
		return err
	}
	_, err := l.t.Change(`INSERT INTO @counters AS c (deployment, kind, last) VALUES ($1, $2, $3), ($1, $4, $5)
		ON CONFLICT (deployment, kind) DO UPDATE SET last = greatest(c.last, excluded.last)`, countHistory, l.last, countRuns, l.run)
	return err
}
