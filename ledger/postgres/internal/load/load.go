// Package load puts a snapshot into the empty rows of a deployment.
package load

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/internal/runform"
	"owlatsync/ledger/postgres/internal/auditrow"
	"owlatsync/ledger/postgres/internal/entryrow"
	"owlatsync/ledger/postgres/internal/heard"
	"owlatsync/ledger/postgres/internal/pgrow"
	"owlatsync/ledger/postgres/internal/runrow"
)

// Tx is the transaction of a Loader.
type Tx interface {
	pgrow.Tx
	// Deployment returns the number of the deployment.
	Deployment() int64
	// Exec runs a statement with just its arguments.
	Exec(query string, args ...any) error
	// Copy copies rows into a table.
	Copy(table pgx.Identifier, columns []string, rows [][]any) error
	// Sync returns the number of a sync, and creates the sync if it is new.
	Sync(name string) (int64, error)
	// Topic returns the number of a topic, and makes it if it is new.
	Topic(topic string) (int64, error)
}

// batch is how many lines of a kind are sent at once.
const batch = 5000

// Loader implements ledger.Loader.
type Loader struct {
	t      Tx
	schema string
	now    time.Time
	syncs  map[string]*loadedSync
	topics map[string]int64
	last   int64 // the latest number of a line of history
	run    int64 // the latest number of a run
	epoch  int64 // the latest of a run
	noted  int64 // the latest number of an audit line

	entries, packs, history, forgotten, audit copied
	optOuts                                   []ledger.OptOut
	suppressions                              []ledger.Suppression
}

// loadedSync is a sync and its latest pack.
type loadedSync struct {
	id, last int64 // last is the number of the latest entry
	marks    []byte
}

// New returns a loader that writes in a transaction on an empty ledger in the schema, at the time now.
func New(t Tx, schema string, now time.Time) *Loader {
	return &Loader{
		t: t, schema: schema, now: now, syncs: make(map[string]*loadedSync), topics: make(map[string]int64),
		entries:   copied{table: "entries", columns: append([]string{"deployment", "sync", "number"}, entryrow.Names...)},
		packs:     copied{table: "packs", columns: []string{"sync", "pack", "marks", "live"}},
		history:   copied{table: "history", columns: []string{"deployment", "number", "sync", "key", "at", "run", "event", "note"}},
		forgotten: copied{table: "forgotten", columns: []string{"deployment", "hash"}},
		audit:     copied{table: "audit", columns: auditrow.Columns},
	}
}

// copied are rows on their way into a table.
type copied struct {
	table   string
	columns []string
	rows    [][]any
}

// add adds a row, and sends those before if they are many.
func (c *copied) add(l *Loader, row ...any) error {
	c.rows = append(c.rows, row)
	if len(c.rows) < batch {
		return nil
	}
	return c.send(l)
}

func (c *copied) send(l *Loader) error {
	if len(c.rows) == 0 {
		return nil
	}
	err := l.t.Copy(pgx.Identifier{l.schema, c.table}, c.columns, c.rows)
	c.rows = c.rows[:0]
	return contradicting(err)
}

// uniqueViolation is the state of SQL of a row that is there already.
const uniqueViolation = "23505"

// contradicting marks errors that the server returns because of an earlier line.
func contradicting(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == uniqueViolation {
		return fmt.Errorf("%w (%w)", ledger.ErrContradiction, err)
	}
	return err
}

// sync returns a sync, which it creates if it is new.
func (l *Loader) sync(name string) (*loadedSync, error) {
	if s, known := l.syncs[name]; known {
		return s, nil
	}
	id, err := l.t.Sync(name)
	if err != nil {
		return nil, err
	}
	l.syncs[name] = &loadedSync{id: id}
	return l.syncs[name], nil
}

// topic returns the number of a topic.
func (l *Loader) topic(topic string) (int64, error) {
	if id, known := l.topics[topic]; known {
		return id, nil
	}
	id, err := l.t.Topic(topic)
	if err == nil {
		l.topics[topic] = id
	}
	return id, err
}

// SetForgetSecret implements ledger.Loader.
func (l *Loader) SetForgetSecret(secret []byte) error {
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
func (l *Loader) AddSync(s ledger.SyncRecord) error {
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
func (l *Loader) AddRun(r ledger.Run) error {
	sync, err := l.sync(r.Sync)
	if err != nil {
		return err
	}
	r.Status = r.Status.Moved()
	args, err := runform.Encode(&r, r.Heartbeat)
	if err != nil {
		return err
	}
	l.run, l.epoch = max(l.run, r.ID), max(l.epoch, r.Epoch)
	return contradicting(l.t.Exec(runrow.Insert, append([]any{l.t.Deployment(), r.ID, sync.id, r.Epoch, r.Full, r.Approves}, args...)...))
}

// AddEntry implements ledger.Loader.
func (l *Loader) AddEntry(h ledger.Holder) error {
	if h.Entry == nil || h.Entry.Key == "" {
		return errors.New("an entry has no key")
	}
	sync, err := l.sync(h.Sync)
	if err != nil {
		return err
	}
	e := entry.AsKept(h.Entry)
	kept, err := entryrow.Encode(e, l.now)
	if err != nil {
		return err
	}
	members, err := entry.EncodeMembers(e.Memberships, l.topic)
	if err != nil {
		return err
	}
	kept.SetMembers(members)
	sync.last++
	if err := l.addMark(sync, entry.MarkOf(e)); err != nil {
		return err
	}
	return l.entries.add(l, append([]any{l.t.Deployment(), sync.id, sync.last}, kept.Values()...)...)
}

// addMark adds the mark of the latest entry of a sync.
func (l *Loader) addMark(sync *loadedSync, mark [entry.MarkSize]byte) error {
	at := int(sync.last%entryrow.PackSlots) * entry.MarkSize
	if at == 0 && sync.last > 0 {
		if err := l.addPack(sync, sync.last/entryrow.PackSlots-1); err != nil {
			return err
		}
	}
	sync.marks = append(append(sync.marks, make([]byte, at-len(sync.marks))...), mark[:]...)
	return nil
}

// addPack adds the latest pack of a sync.
func (l *Loader) addPack(sync *loadedSync, number int64) error {
	marks := sync.marks
	sync.marks = nil
	live := 0
	for m := range slices.Chunk(marks, entry.MarkSize) {
		if !entry.IsNone(m) {
			live++
		}
	}
	return l.packs.add(l, sync.id, number, marks, live)
}

// AddHistory implements ledger.Loader.
func (l *Loader) AddHistory(line ledger.HistoryLine) error {
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
	return l.history.add(l, l.t.Deployment(), l.last, sync.id, []byte(line.Key), line.At.UnixMicro(), line.Run, []byte(line.Event), []byte(line.Note))
}

// SetLastNumber implements ledger.Loader.
func (l *Loader) SetLastNumber(n int64) error {
	l.last = max(l.last, n)
	return nil
}

// AddOptOut implements ledger.Loader.
func (l *Loader) AddOptOut(o ledger.OptOut) error {
	if err := o.Check(); err != nil {
		return err
	}
	if l.optOuts = append(l.optOuts, o); len(l.optOuts) < batch {
		return nil
	}
	return l.sendOptOuts()
}

func (l *Loader) sendOptOuts() error {
	err := contradicting(heard.AddOptOuts(l.t, l.optOuts))
	l.optOuts = l.optOuts[:0]
	return err
}

// AddSuppression implements ledger.Loader.
func (l *Loader) AddSuppression(s ledger.Suppression) error {
	if err := s.Check(); err != nil {
		return err
	}
	if l.suppressions = append(l.suppressions, s); len(l.suppressions) < batch {
		return nil
	}
	return l.sendSuppressions()
}

func (l *Loader) sendSuppressions() error {
	err := contradicting(heard.AddSuppressions(l.t, l.suppressions))
	l.suppressions = l.suppressions[:0]
	return err
}

// AddForgotten implements ledger.Loader.
func (l *Loader) AddForgotten(hash []byte) error {
	if len(hash) != ledger.HashSize {
		return fmt.Errorf("the hash of an address has %d bytes", len(hash))
	}
	return l.forgotten.add(l, l.t.Deployment(), append([]byte{}, hash...))
}

// AddAudit implements ledger.Loader.
func (l *Loader) AddAudit(line ledger.AuditLine) error {
	if err := line.Check(); err != nil {
		return err
	}
	switch {
	case line.Number == 0:
		line.Number = l.noted + 1
	case line.Number <= l.noted:
		return ledger.ErrContradiction
	}
	l.noted = line.Number
	return l.audit.add(l, auditrow.Values(l.t.Deployment(), &line)...)
}

// End sends what was not sent yet, and makes later numbers larger.
func (l *Loader) End() error {
	for _, s := range l.syncs {
		if len(s.marks) > 0 {
			if err := l.addPack(s, s.last/entryrow.PackSlots); err != nil {
				return err
			}
		}
		if err := l.t.Exec("UPDATE @syncs SET last_entry = greatest(last_entry, $2) WHERE id = $1", s.id, s.last); err != nil {
			return err
		}
	}
	for _, c := range []*copied{&l.entries, &l.packs, &l.history, &l.forgotten, &l.audit} {
		if err := c.send(l); err != nil {
			return err
		}
	}
	if err := l.sendOptOuts(); err != nil {
		return err
	}
	if err := l.sendSuppressions(); err != nil {
		return err
	}
	if _, err := l.t.Change("UPDATE @leases SET least = greatest(least, $2) WHERE deployment = $1 AND kind = $3", l.epoch, "run"); err != nil {
		return err
	}
	_, err := l.t.Change(`INSERT INTO @counters AS c (deployment, kind, last) VALUES ($1, $2, $3), ($1, $4, $5), ($1, $6, $7)
		ON CONFLICT (deployment, kind) DO UPDATE SET last = greatest(c.last, excluded.last)`, pgrow.History, l.last, pgrow.Runs, l.run, pgrow.Audit, l.noted)
	return err
}
