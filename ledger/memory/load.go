package memory

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"owlatsync/ledger"
)

// Snapshot implements ledger.Archive.
func (m archive) Snapshot(ctx context.Context, read func(ledger.Snapshot) error) error {
	var snapshot *snapshot
	err := m.use(ctx, "read ledger", func(s *store) error { snapshot = s.snapshot(); return nil })
	if err != nil {
		return err
	}
	snapshot.ctx = ctx
	return read(snapshot)
}

// snapshot is a copy of a store.
type snapshot struct {
	ctx        context.Context // the context of the one call of Snapshot
	deployment string
	secret     []byte
	lastLine   int64
	syncs      []ledger.SyncRecord
	runs       []ledger.Run
	entries    []ledger.Holder
	history    []ledger.HistoryLine
	optOuts    []ledger.OptOut
	suppressed []ledger.Suppression
	forgotten  [][]byte
	audit      []ledger.AuditLine
}

func (s *store) snapshot() *snapshot {
	c := &snapshot{deployment: s.deployment, secret: bytes.Clone(s.secret), lastLine: s.lastLine, history: s.lines(), audit: slices.Clone(s.audit)}
	for _, name := range slices.Sorted(maps.Keys(s.syncs)) {
		state := s.syncs[name]
		c.syncs = append(c.syncs, ledger.SyncRecord{Name: name, Adopted: state.adopted, SetBack: state.setBack})
		for _, e := range state.entries {
			c.entries = append(c.entries, ledger.Holder{Sync: name, Entry: copyOf(e)})
		}
	}
	slices.SortFunc(c.entries, func(a, b ledger.Holder) int {
		return cmp.Compare(s.syncs[a.Sync].first[a.Entry.Key], s.syncs[b.Sync].first[b.Entry.Key])
	})
	for _, r := range s.runs {
		c.runs = append(c.runs, copyOfRun(r.Run))
	}
	c.optOuts = slices.Collect(maps.Values(s.optOuts))
	slices.SortFunc(c.optOuts, func(a, b ledger.OptOut) int {
		return cmp.Or(cmp.Compare(a.ContactID, b.ContactID), cmp.Compare(a.Topic, b.Topic))
	})
	for _, name := range slices.Sorted(maps.Keys(s.heard.suppressions)) {
		c.suppressed = append(c.suppressed, s.heard.suppressions[name])
	}
	for _, hash := range slices.Sorted(maps.Keys(s.forgotten)) {
		c.forgotten = append(c.forgotten, []byte(hash))
	}
	return c
}

// each yields the values of a snapshot until its context ends.
func each[T any](ctx context.Context, all []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range all {
			if ctx.Err() != nil {
				yield(*new(T), context.Cause(ctx))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
	}
}

func (c *snapshot) Deployment() string                         { return c.deployment }
func (c *snapshot) ForgetSecret() []byte                       { return c.secret }
func (c *snapshot) LastNumber() int64                          { return c.lastLine }
func (c *snapshot) Syncs() iter.Seq2[ledger.SyncRecord, error] { return each(c.ctx, c.syncs) }
func (c *snapshot) Runs() iter.Seq2[ledger.Run, error]         { return each(c.ctx, c.runs) }
func (c *snapshot) Entries() iter.Seq2[ledger.Holder, error]   { return each(c.ctx, c.entries) }
func (c *snapshot) History() iter.Seq2[ledger.HistoryLine, error] {
	return each(c.ctx, c.history)
}
func (c *snapshot) OptOuts() iter.Seq2[ledger.OptOut, error] { return each(c.ctx, c.optOuts) }
func (c *snapshot) Suppressions() iter.Seq2[ledger.Suppression, error] {
	return each(c.ctx, c.suppressed)
}
func (c *snapshot) Forgotten() iter.Seq2[[]byte, error]       { return each(c.ctx, c.forgotten) }
func (c *snapshot) Audit() iter.Seq2[ledger.AuditLine, error] { return each(c.ctx, c.audit) }

// Load implements ledger.Archive.
func (m archive) Load(ctx context.Context, deployment string, write func(ledger.Loader) error) (err error) {
	lock, err := locker(m).acquire(ctx, ledger.Claim{Purpose: "import into the ledger"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	empty := func(s *store) error {
		if !s.heard.empty() || len(s.syncs)+len(s.audit)+len(s.optOuts)+len(s.forgotten)+len(s.secret) > 0 || s.deployment != "" && s.deployment != deployment {
			return ledger.ErrNotEmpty
		}
		return nil
	}
	const doing = "import ledger"
	if err := lock.use(ctx, doing, empty); err != nil {
		return err
	}
	loaded := newStore()
	if err := write(&loader{loaded}); err != nil {
		return err
	}
	return lock.use(ctx, doing, func(s *store) error {
		if err := empty(s); err != nil {
			return err
		}
		s.deployment = deployment
		s.syncs, s.runs, s.optOuts, s.forgotten, s.secret = loaded.syncs, loaded.runs, loaded.optOuts, loaded.forgotten, loaded.secret
		s.setBack, s.heard, s.audit = loaded.setBack, loaded.heard, loaded.audit
		s.lastRun, s.lastLine, s.lastEntry, s.lastAudit = loaded.lastRun, loaded.lastLine, loaded.lastEntry, loaded.lastAudit
		return nil
	})
}

// loader fills a store that nobody else sees yet.
type loader struct{ *store }

// SetForgetSecret implements ledger.Loader.
func (l *loader) SetForgetSecret(secret []byte) error {
	switch {
	case len(secret) != ledger.HashSize:
		return fmt.Errorf("a secret for forgotten addresses has %d bytes", len(secret))
	case l.secret != nil:
		return ledger.ErrContradiction
	}
	l.secret = bytes.Clone(secret)
	return nil
}

// AddSync implements ledger.Loader.
func (l *loader) AddSync(s ledger.SyncRecord) error {
	state, err := l.sync(s.Name)
	if err == nil {
		state.adopted = state.adopted || s.Adopted
		if !s.SetBack.IsZero() {
			state.setBack, l.setBack = moment(s.SetBack), moment(s.SetBack)
		}
	}
	return err
}

// AddRun implements ledger.Loader.
func (l *loader) AddRun(r ledger.Run) error {
	if _, err := l.sync(r.Sync); err != nil {
		return err
	}
	if r.ID <= l.lastRun {
		return ledger.ErrContradiction
	}
	r.Status, r.PlanForm = r.Status.Moved(), 0
	l.lastRun = r.ID
	l.runs = append(l.runs, &runState{Run: copyOfRun(r)})
	return nil
}

// AddEntry implements ledger.Loader.
func (l *loader) AddEntry(h ledger.Holder) error {
	if h.Entry == nil || h.Entry.Key == "" {
		return errors.New("an entry has no key")
	}
	state, err := l.sync(h.Sync)
	if err != nil {
		return err
	}
	if state.entries[h.Entry.Key] != nil {
		return ledger.ErrContradiction
	}
	l.put(state, h.Entry)
	return nil
}

// AddHistory implements ledger.Loader.
func (l *loader) AddHistory(line ledger.HistoryLine) error {
	state, err := l.sync(line.Sync)
	if err != nil {
		return err
	}
	if line.Number != 0 {
		if line.Number <= l.lastLine {
			return ledger.ErrContradiction
		}
		l.lastLine = line.Number - 1
	}
	line.At = moment(line.At)
	l.note(state, line)
	return nil
}

// SetLastNumber implements ledger.Loader.
func (l *loader) SetLastNumber(n int64) error {
	l.lastLine = max(l.lastLine, n)
	return nil
}

// AddOptOut implements ledger.Loader.
func (l *loader) AddOptOut(o ledger.OptOut) error {
	if err := o.Check(); err != nil {
		return err
	}
	if _, twice := l.optOuts[optOutPlace{o.ContactID, o.Topic}]; twice {
		return ledger.ErrContradiction
	}
	l.leave(o)
	return nil
}

// AddSuppression implements ledger.Loader.
func (l *loader) AddSuppression(s ledger.Suppression) error {
	if err := s.Check(); err != nil {
		return err
	}
	if _, twice := l.heard.suppressions[s.Email]; twice {
		return ledger.ErrContradiction
	}
	l.heard.suppress(s)
	return nil
}

// AddForgotten implements ledger.Loader.
func (l *loader) AddForgotten(hash []byte) error {
	if len(hash) != ledger.HashSize {
		return fmt.Errorf("the hash of an address has %d bytes", len(hash))
	}
	if l.forgotten[string(hash)] {
		return ledger.ErrContradiction
	}
	l.forgotten[string(hash)] = true
	return nil
}

// AddAudit implements ledger.Loader.
func (l *loader) AddAudit(line ledger.AuditLine) error {
	if err := line.Check(); err != nil {
		return err
	}
	return l.addAudit(line)
}
