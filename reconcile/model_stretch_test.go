package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

// errStretch is the error of a stretch after which the run goes on.
var errStretch = errors.New("the run reads its source again")

// inStretches lets the run have stretches of a few requests, between which the source changes. The model takes each for a run of its own:
// what holds after a run that was broken off holds after a stretch too.
func (m *model) inStretches(spec *runSpec) {
	if m.r.IntN(2) > 0 {
		return
	}
	spec.pace = time.Second
	spec.fresh = pick(m.r, time.Millisecond, time.Second, 2*time.Second, 4*time.Second)
	spec.turmoil = m.r.Uint64()
	spec.gives = len(m.syncs) > 1 && spec.turmoil%2 == 0
	if spec.gives && spec.turmoil%4 == 0 {
		spec.fresh = time.Hour // others alone end its stretches
	}
	if spec.breaks >= 0 && m.r.IntN(2) == 0 {
		spec.breakScan = 2 + m.r.IntN(2)
	}
}

// living is the source of a run, which changes between its stretches.
type living struct {
	m     *model
	spec  *runSpec
	rows  *modelRows // as the present stretch sees them
	scans int
	next  *modelRows // what the next stretch sees, if it has begun already because others had their turn before it
}

// as returns the source as the sync has it: one with a cursor, or without.
func (l *living) as(sync *reconcile.Sync) reconcile.Source {
	if sync.FullEvery > 0 {
		return livingChanges{l}
	}
	return l
}

func (l *living) Rows(ctx context.Context) iter.Seq2[*owlatsync.Row, error] {
	return l.scan(ctx, new(owlatsync.Scan))
}

// livingChanges is a living source that knows when its rows changed.
type livingChanges struct{ *living }

var _ reconcile.Incremental = livingChanges{}

func (l livingChanges) Settings() string { return modelChanges{}.Settings() }

func (l livingChanges) Scan(ctx context.Context, sc *owlatsync.Scan) iter.Seq2[*owlatsync.Row, error] {
	return l.scan(ctx, sc)
}

// Picks says whether rows can be asked for by key.
func (l *living) Picks() bool { return l.rows.Picks() }

// Pick gives the rows with some keys, as the present stretch sees them.
func (l *living) Pick(ctx context.Context, next func(context.Context) ([]string, error)) iter.Seq2[*owlatsync.Row, error] {
	return l.scan(ctx, &owlatsync.Scan{Since: never.Format(time.RFC3339Nano), Again: next})
}

func (l *living) scan(ctx context.Context, sc *owlatsync.Scan) iter.Seq2[*owlatsync.Row, error] {
	return func(yield func(*owlatsync.Row, error) bool) {
		if l.scans++; l.scans > 1 {
			switch {
			case l.spec.fuse.dead():
				yield(nil, errKilled)
				return
			case ctx.Err() != nil:
				yield(nil, ctx.Err())
				return
			}
			if l.rows, l.next = l.next, nil; l.rows == nil {
				l.rows = l.m.nextStretch(l.spec, l.scans, nil)
			}
		}
		l.m.running.changes = sc.Since != ""
		for row, err := range l.rows.scan(ctx, sc) {
			if !yield(row, err) {
				return
			}
		}
	}
}

// breaksIn returns after how many rows the source breaks off in that scan of the run; -1: never.
func (spec *runSpec) breaksIn(scan int) int {
	if scan == max(1, spec.breakScan) {
		return spec.breaks
	}
	return -1
}

// turmoil is what happens in a source while a run goes on.
var turmoil = []func(*model){
	(*model).changeConsent, (*model).changeConsent, (*model).changeConsent, (*model).changeConsent, (*model).somebodyLeaves,
	(*model).somebodyReturns, (*model).addPerson, (*model).changeName, (*model).changeAddress, (*model).changeBack, (*model).invalidate,
}

// Wanted says that other syncs always wait.
func (l *living) Wanted() bool { return true }

// Yield lets another sync run between two stretches.
func (l *living) Yield(ctx context.Context) error {
	f := l.spec.fuse.told()
	if f == killed || f == aborted || f == stopped {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	l.next = l.m.nextStretch(l.spec, l.scans+1, func() {
		l.m.count("turns given to others")
		others := slices.DeleteFunc(slices.Clone(l.m.syncs), func(s *modelSync) bool { return s == l.m.running.sync })
		l.m.tell("  others have their turn")
		l.m.run(pick(l.m.r, others...), &runSpec{breaks: -1})
		l.m.tell("  the run goes on")
		l.m.must(l.m.server.InjectFaults(l.spec.faults...))
	})
	return nil
}

// nextStretch ends the log of the stretch under way, lets the source change, and begins the log of the next one. It returns its source.
// Meanwhile is what others do before it; nil: nothing.
func (m *model) nextStretch(spec *runSpec, scan int, meanwhile func()) *modelRows {
	old := m.running
	m.count("stretches after the first")
	m.sampleAll()
	old.err, old.to = errStretch, time.Now()
	moves := m.ends(old)
	old.after = m.bindings(old.sync)
	m.runs = append(m.runs, old)
	old.carry()
	m.tellRun(old)
	m.checkStretch(old, spec)
	moves()

	time.Sleep(time.Second)
	own := m.r
	m.r = rand.New(rand.NewPCG(spec.turmoil, uint64(scan)))
	for range m.r.IntN(4) {
		pick(m.r, turmoil...)(m)
	}
	m.say(spec.turmoil)
	m.sourceChanged()
	if meanwhile != nil {
		meanwhile()
	}
	m.r = own
	time.Sleep(time.Second)

	log := &runLog{
		sync: old.sync, config: old.config, topics: old.topics, anew: m.anew, from: time.Now(), first: len(m.server.History("")), fuse: old.fuse,
		setBack: old.setBack, part: old.part, full: old.full, bound: m.bindings(old.sync), before: m.entries(old.sync), visits: old.visits, seen: old.seen, doubt: true,
		former: old, faulty: old.faulty, breaks: spec.breaksIn(scan), pace: old.pace,
	}
	src, people := m.sourceOf(old.sync, log.breaks)
	log.rows, log.people, log.given = asTheyCount(&old.sync.Sync, src.list), people, src.given
	m.running = log
	return src
}

// carry takes over what the stretch before told of rows that are not in step, where this one has told nothing new.
func (l *runLog) carry() {
	if l.former == nil {
		return
	}
	told, before := l.done(), l.former.done()
	l.carried = make(map[int]progress.RowDone)
	for i, id := range l.people {
		if _, again := told[i]; again {
			continue
		}
		for at, other := range l.former.people {
			was, ok := before[at]
			reported := was.Category == ledger.CategoryUnsure || was.Category == ledger.CategoryEvent || was.Category == ledger.CategoryUnconfirmed // once, and is in step from then on
			if ok && other == id && !was.Outcome.InStep() && !reported {
				was.Position = fmt.Sprintf("row %d", i+1)
				l.carried[i] = was
			}
		}
	}
}

// told counts what the stretches of a run have told.
func (l *runLog) told() map[owlatsync.Outcome]int {
	told := make(map[owlatsync.Outcome]int)
	for ; l != nil; l = l.former {
		for _, what := range l.happened {
			if d, ok := what.(progress.RowDone); ok {
				told[d.Outcome]++
				if d.Before != "" {
					told[d.Before]--
				}
			}
		}
	}
	return told
}

// sentInAll counts the requests of all stretches of a run.
func (l *runLog) sentInAll() (n int) {
	for ; l != nil; l = l.former {
		n += len(l.requests())
	}
	return n
}
