package reconcile_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

const (
	// overlap is how far before its mark a source of the model begins to read: longer than any transaction of the model.
	overlap = 10 * time.Minute
	// rarest is the longest time after which a sync reads all rows.
	rarest = 7 * 24 * time.Hour
)

// stamped is what the table has beside a row to tell when it changed.
type stamped struct {
	stamp     time.Time // the cursor; zero: NULL
	null      bool      // the row never has one
	uncounted time.Time // when it last changed and kept its cursor, zero if it has got one since
	was       string
}

// stampChanges gives the rows that changed a new cursor. A transaction that took long commits it late, and now and then one
// forgets it.
func (m *model) stampChanges() {
	for _, p := range m.table {
		is := fmt.Sprintf("%s %q %v %v %v %v %s %s %s", p.key, p.email, p.first, p.last, p.consents, p.in, p.never, p.plan, p.ends)
		if is == p.was {
			continue
		}
		isNew := p.was == ""
		p.was = is
		switch i := m.r.IntN(20); {
		case p.null || isNew && i == 0:
			p.null = true
		case i == 1 && !isNew:
			p.uncounted = time.Now()
			m.count("uncounted change")
		default:
			p.stamp, p.uncounted = time.Now(), time.Time{}
			if i < 6 {
				p.stamp = p.stamp.Add(-time.Duration(m.r.Int64N(int64(overlap))))
				m.count("late commit")
			}
		}
	}
}

// modelRows is the source of a run, which may break off.
type modelRows struct {
	list   []owlatsync.Row
	stamps []time.Time // by row
	given  []bool      // by row: whether the run has read it
	breaks int         // after so many rows, or at its end if it has fewer; -1: never
}

// sourceOf returns the sync's source as it is now, and whose its rows are.
func (m *model) sourceOf(s *modelSync, breaks int) (*modelRows, []int) {
	list, people := m.rowsOf(s)
	src := &modelRows{list: list, given: make([]bool, len(list)), breaks: breaks}
	for i, id := range people {
		src.list[i].Position = owlatsync.Position{Unit: "row", Number: i + 1}
		src.stamps = append(src.stamps, m.person(id).stamp)
	}
	return src, people
}

// as returns the source as the sync has it: one with a cursor, or without.
func (s *modelRows) as(sync *reconcile.Sync) reconcile.Source {
	if sync.FullEvery > 0 {
		return modelChanges{s}
	}
	return s
}

var _ reconcile.Keyed = (*modelRows)(nil)

// Picks says that rows with keys can be asked for.
func (s *modelRows) Picks() bool {
	return !slices.ContainsFunc(s.list, func(r owlatsync.Row) bool { return r.Key == "" }) && len(s.list) > 0
}

// Pick gives the rows with some keys.
func (s *modelRows) Pick(ctx context.Context, next func(context.Context) ([]string, error)) iter.Seq2[*owlatsync.Row, error] {
	return s.scan(ctx, &owlatsync.Scan{Since: never.Format(time.RFC3339Nano), Again: next})
}

// never is later than any change of a row.
var never = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)

func (s *modelRows) Rows(ctx context.Context) iter.Seq2[*owlatsync.Row, error] {
	return s.scan(ctx, new(owlatsync.Scan))
}

// modelChanges is a source that knows when its rows changed.
type modelChanges struct{ *modelRows }

var _ reconcile.Incremental = modelChanges{}

func (s modelChanges) Settings() string { return "the table of a model" }

func (s modelChanges) Scan(ctx context.Context, sc *owlatsync.Scan) iter.Seq2[*owlatsync.Row, error] {
	return s.scan(ctx, sc)
}

func (s *modelRows) scan(ctx context.Context, sc *owlatsync.Scan) iter.Seq2[*owlatsync.Row, error] {
	sc.From, sc.Mark = "", ""
	return func(yield func(*owlatsync.Row, error) bool) {
		if err := s.read(ctx, sc, func(i int) bool {
			s.given[i] = true
			row := s.list[i]
			return yield(&row, nil)
		}); err != nil {
			yield(nil, err)
		}
	}
}

// read gives the rows of a scan, by where they stand, and makes the mark.
func (s *modelRows) read(ctx context.Context, sc *owlatsync.Scan, yield func(int) bool) error {
	var from time.Time
	if sc.Since != "" {
		since, err := time.Parse(time.RFC3339Nano, sc.Since)
		if err != nil {
			return err
		}
		from = since.Add(-overlap)
		sc.From = from.Format(time.RFC3339)
	}
	n := 0
	give := func(i int) (more bool, err error) {
		if n == s.breaks {
			return false, errSource
		}
		n++
		if err := ctx.Err(); err != nil {
			return false, err
		}
		return yield(i), nil
	}
	var mark time.Time
	for i, at := range s.stamps {
		if at.Before(from) && (!at.IsZero() || from.After(never.AddDate(-1, 0, 0))) { // with keys nothing else is read
			continue
		}
		if more, err := give(i); !more {
			return err
		}
		if at.After(mark) {
			mark = at
		}
	}
	for sc.Since != "" && sc.Again != nil {
		keys, err := sc.Again(ctx)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			break
		}
		for i, row := range s.list {
			if s.given[i] || !slices.Contains(keys, row.Key) {
				continue
			}
			if more, err := give(i); !more {
				return err
			}
		}
	}
	if s.breaks >= 0 {
		return errSource
	}
	if sc.Mark = sc.Since; !mark.IsZero() {
		sc.Mark = mark.Format(time.RFC3339Nano)
	}
	return nil
}

// read reports whether the run has read the person's row.
func (l *runLog) read(id int) bool {
	at := slices.Index(l.people, id)
	return at >= 0 && (!l.changes || l.given[at])
}

// kept reports whether the run came to its end, so that the next may go on from where it has read to. One that was broken
// off as it recorded that, or later, did.
func (l *runLog) kept() bool {
	return l.full && l.report != nil && (l.err == nil || l.fuse.marked && l.fuse.blown)
}

// lastRead returns the latest run before this one that read the person's row and came to its end, nil if none did.
func (m *model) lastRead(log *runLog, id int) *runLog {
	for _, earlier := range slices.Backward(m.remembered()) {
		if earlier != log && earlier.sync == log.sync && earlier.kept() && earlier.read(id) {
			return earlier
		}
	}
	return nil
}

// outcome is what became of the i-th row in the run, or in the latest one that read it; empty if none did.
func (m *model) outcome(log *runLog, i int) owlatsync.Outcome {
	if id := log.people[i]; !log.read(id) {
		if log = m.lastRead(log, id); log == nil {
			return ""
		}
		i = slices.Index(log.people, id)
	}
	if done, told := log.done()[i]; told {
		return done.Outcome
	}
	return owlatsync.Unchanged
}

// checkReading: only what changed is read while a run that read all rows is recent, asked for the same and came to its end;
// and then nothing is left out that is not in step.
func (m *model) checkReading(log *runLog, spec *runSpec) {
	if log.report == nil {
		return
	}
	incremental := log.config.FullEvery > 0
	if reading := log.report.Reading; log.err == nil && incremental != (reading != nil) && (reading == nil || reading.Mode != owlatsync.ReadKeys) {
		m.fail("the report says %v of how the source was read", reading)
	}
	if !log.changes {
		if slices.Contains(log.given, false) && log.err == nil {
			m.fail("not all rows were read, and the run does not say so")
		}
		return
	}
	if log.report.Reading.Mode == owlatsync.ReadKeys {
		m.checkKeys(log, spec)
		return
	}
	m.count("runs that read changes")
	if spec.o.Full {
		m.fail("all rows were asked for, and only changes read")
	}
	var last *runLog
	for _, earlier := range slices.Backward(m.remembered()) {
		if earlier != log && earlier.sync == log.sync && earlier.kept() && !earlier.changes {
			last = earlier
			break
		}
	}
	switch {
	case last == nil:
		m.fail("only changes were read, and no run before has read all rows")
		return
	case spec.o.Approve == 0 && log.from.Sub(last.from) >= log.config.FullEvery:
		m.fail("only changes were read, and the last run that read all rows began %v ago", log.from.Sub(last.from))
	case cmp.Diff(asks(last.config), asks(log.config)) != "":
		m.fail("only changes were read, and since the last run that read all rows the configuration has changed: %s",
			cmp.Diff(asks(last.config), asks(log.config)))
	}
	if _, planned := log.planned(); !planned {
		return
	}
	for i := range log.rows {
		if !log.given[i] {
			m.checkUnread(log, i)
		}
	}
}

// checkKeys: the rows that were asked for are read, and no row for which there was no reason.
func (m *model) checkKeys(log *runLog, spec *runSpec) {
	m.count("runs that read keys")
	if len(spec.o.Keys) == 0 && spec.o.Approve == 0 || spec.o.Full {
		m.fail("rows were asked for by key although nobody named any")
	}
	if log.err != nil || log.former != nil {
		return
	}
	for i, row := range log.rows {
		if key := keyOf(&log.config, row); !log.given[i] && slices.Contains(spec.o.Keys, key) && spec.o.Approve == 0 {
			m.fail("row %d was asked for by key, and not read", i+1)
		}
	}
}

// asks is what the configuration makes of rows.
func asks(s reconcile.Sync) reconcile.Sync {
	return reconcile.Sync{Topics: s.Topics, Nulls: s.Nulls, OnMissing: s.OnMissing, OnRemoteDelete: s.OnRemoteDelete, Events: s.Events}
}

// checkUnread checks that a row which the run left out is as it was when it was last read, and in step.
func (m *model) checkUnread(log *runLog, i int) {
	p := m.person(log.people[i])
	last := m.lastRead(log, p.id)
	if m.excused(cursorForgot, !p.uncounted.IsZero() && (last == nil || last.from.Before(p.uncounted))) {
		return
	}
	if last == nil {
		m.fail("row %d was left out, and no run has read it", i+1)
		return
	}
	before := last.rows[slices.Index(last.people, p.id)]
	before.Position = log.rows[i].Position
	if diff := cmp.Diff(before, log.rows[i]); diff != "" {
		m.fail("row %d was left out although it has changed: %s", i+1, diff)
	}
	outcome := m.outcome(log, i)
	recreated := outcome == owlatsync.Skipped && log.config.OnRemoteDelete == reconcile.RemoteDeleteRecreate
	failed := outcome == owlatsync.Failed && !m.excused(toldOnce, last.former != nil)
	if failed || outcome == owlatsync.Duplicate || recreated {
		m.fail("row %d was left out although it is not in step: it is %s", i+1, outcome)
	}
	for _, e := range log.before {
		if e.Key == keyOf(&log.config, log.rows[i]) && e.Fingerprint.IsZero() && e.Origin != ledger.OriginGone && !p.invalid {
			m.fail("row %d was left out although the ledger says that it is not in step", i+1)
		}
	}
}

// count is how many rows the source gave.
func (l *runLog) count() (n int) {
	for _, given := range l.given {
		if given {
			n++
		}
	}
	return n
}

// dated reports whether any row of the run has a cursor, without which there is no mark to go on from.
func (m *model) dated(log *runLog) bool {
	return slices.ContainsFunc(log.people, func(id int) bool { return !m.person(id).stamp.IsZero() })
}
