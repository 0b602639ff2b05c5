package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"owlatsync"
	"owlatsync/internal/events"
	"owlatsync/internal/schedule"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/reconcile"
)

// every is a timetable of one sync.
func every(t *testing.T, sync string, period time.Duration) []schedule.Entry {
	t.Helper()
	s, err := schedule.New(sync, schedule.Spec{Every: period})
	if err != nil {
		t.Fatal(err)
	}
	return []schedule.Entry{{Sync: sync, Schedule: s}}
}

func TestTheLeaderSaysWhenSyncsAreDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := Deployment{Name: "acme", Syncs: []string{"users"}, Timetable: every(t, "users", 2*time.Second)}
	a, b := w.node("a", nil, acme), w.node("b", nil, acme)
	w.until(30*time.Second, "two runs", func() bool { return len(w.made()) >= 2 })
	if r := w.made()[0]; r.Sync != "users" || r.Why != turns.Scheduled {
		t.Errorf("%+v", r)
	}
	for _, n := range []*member{a, b} { // a schedule that is gone is followed no more
		beat := Deployment{Name: "beat", Syncs: []string{"users"}, Timetable: every(t, "users", 2*time.Second)}
		if err := n.SetDeployments([]Deployment{{Name: "acme", Syncs: []string{"users"}}, beat}); err != nil {
			t.Fatal(err)
		}
	}
	const acmes, beats = "kind = 'due' AND args->>'deployment' = 'acme'", "kind = 'due' AND args->>'deployment' = 'beat'"
	w.until(10*time.Second, "what was due is done", func() bool { return w.count(acmes+" AND finalized_at IS NULL") == 0 })
	before, heard := w.count(acmes), w.count(beats)
	w.until(30*time.Second, "two more periods", func() bool { return w.count(beats) >= heard+2 })
	if after := w.count(acmes); after != before {
		t.Errorf("%d more are due", after-before)
	}
}

// TestANodeThatLearnsADeploymentLater does not refuse what another asks for it just then.
func TestANodeThatLearnsADeploymentLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.node("a", nil)
	if _, err := n.client.Insert(t.Context(), dueArgs{"acme", "users"}, nil); err != nil {
		t.Fatal(err)
	}
	w.until(5*time.Second, "the node has looked at it", func() bool { return w.count("kind = 'due' AND attempted_at IS NOT NULL AND state <> 'running'") == 1 })
	if err := n.SetDeployments([]Deployment{{Name: "acme", Syncs: []string{"users"}, Timetable: every(t, "users", time.Hour)}}); err != nil {
		t.Fatal(err)
	}
	w.until(10*time.Second, "the run", func() bool { return len(w.made()) == 1 })
}

func TestWhatWasDueWhileNobodyLedIsMadeUpFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.node("a", nil,
		Deployment{Name: "acme", Timetable: every(t, "users", time.Hour)}, Deployment{Name: "bcme", Timetable: every(t, "users", time.Hour)}, Deployment{Name: "ccme", Timetable: every(t, "users", time.Hour)})
	now := n.clock.Now()
	last := map[string]map[string]time.Time{"acme": {"users": now}, "bcme": {"users": now.Add(-2 * time.Hour)}}
	w.until(5*time.Second, "the leader has done its chores", func() bool { return w.count("kind = 'chore' AND state = 'completed'") == 3 })
	w.until(5*time.Second, "a run of each, because none has ever run", func() bool { return len(w.made()) == 3 })
	w.until(5*time.Second, "nothing is left to do", func() bool { return w.count("kind IN ('due', 'run') AND finalized_at IS NULL") == 0 })
	w.mu.Lock()
	w.runs = nil
	w.mu.Unlock()
	if err := n.Overdue(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	w.until(5*time.Second, "two runs", func() bool { return len(w.made()) == 2 })
	got := []string{w.made()[0].deployment, w.made()[1].deployment}
	if slices.Sort(got); !slices.Equal(got, []string{"bcme", "ccme"}) {
		t.Errorf("%v", got)
	}
}

// passes are the passes over what is to be written back.
type passes struct {
	mu   sync.Mutex
	made []string
	next time.Duration // after a pass; 0: never
	err  error

	during func() // what each pass does; it may be nil
}

func (p *passes) Pass(_ context.Context, deployment, target string) (time.Time, error) {
	if p.during != nil {
		p.during()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made = append(p.made, deployment+"/"+target)
	if p.next == 0 {
		return time.Time{}, p.err
	}
	return time.Now().Add(p.next), p.err
}

func (p *passes) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.made)
}

func TestWriteBacksAreMadeByAnyNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := &passes{next: time.Hour}
	acme := Deployment{Name: "acme", Targets: []string{"crm"}}
	set := func(o *Options) { o.WriteBacks = p }
	a, b := w.node("a", set, acme), w.node("b", set, acme)
	if err := a.Errands().Deliver(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	w.until(5*time.Second, "a pass", func() bool { return p.count() == 1 })
	w.until(5*time.Second, "it waits for the next", func() bool { return w.count("kind = 'write_back' AND state = 'scheduled'") == 1 })
	// Something new does not wait for what is due in an hour.
	if err := b.Errands().Deliver(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	w.until(5*time.Second, "another pass", func() bool { return p.count() == 2 })
	if n := w.count("kind = 'write_back' AND finalized_at IS NULL"); n != 1 {
		t.Errorf("%d jobs", n)
	}
}

// TestWhatIsDueTakesOneConnection, although another node froze while it asked for the same, so that all who ask wait for it.
func TestWhatIsDueTakesOneConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.node("a", func(o *Options) { o.WriteBacks = new(passes) }, Deployment{Name: "acme", Targets: []string{"crm"}})
	frozen, err := w.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.client.InsertTx(t.Context(), frozen, writeBackArgs{"acme", "crm"}, nil); err != nil {
		t.Fatal(err)
	}
	line := a.Line("acme", nil, nil)
	for range 100 {
		line.Due()
	}
	w.looks(4, a)
	if busy := a.pool.Stat().AcquiredConns(); busy > 5 {
		t.Errorf("%d connections are in use", busy)
	}
	if err := frozen.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.until(10*time.Second, "it is asked for", func() bool { return w.count("kind = 'write_back'") == 1 })
}

// TestWhatComesDuringAPassIsNotLeftBehind delivers while a pass is on its way that does not see what is new, whether or not the pass says
// that there is something to be told later.
func TestWhatComesDuringAPassIsNotLeftBehind(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]time.Duration{"nothing is due later": 0, "something is due in an hour": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			begun, goOn := make(chan struct{}, 10), make(chan struct{})
			p := &passes{next: next, during: func() { begun <- struct{}{}; <-goOn }}
			acme := Deployment{Name: "acme", Targets: []string{"crm"}}
			set := func(o *Options) { o.WriteBacks = p }
			a, b := w.node("a", set, acme), w.node("b", set, acme)
			deliver := func(m *member) {
				if err := m.Errands().Deliver(t.Context(), "acme"); err != nil {
					t.Error(err)
				}
			}
			deliver(a)
			<-begun
			deliver(a)
			deliver(b)
			goOn <- struct{}{}
			<-begun
			goOn <- struct{}{}
			w.until(5*time.Second, "no pass is on its way", func() bool { return w.count("kind = 'write_back' AND state = 'running'") == 0 })
			if n := p.count(); n != 2 {
				t.Errorf("%d passes, not one for all that came during the first", n)
			}
			waiting := w.count("kind = 'write_back' AND state = 'scheduled' AND scheduled_at > now() + interval '50 minutes'")
			if want := min(int(next), 1); waiting != want || w.count("kind = 'write_back' AND finalized_at IS NULL") != want {
				t.Errorf("jobs: %s", w.jobs())
			}
			close(goOn)
		})
	}
}

// TestAPassThatFailsIsMadeAgainSoon has a ledger that is away for a moment.
func TestAPassThatFailsIsMadeAgainSoon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := &passes{err: errors.New("the ledger is away")}
	acme := Deployment{Name: "acme", Targets: []string{"crm"}}
	a := w.node("a", func(o *Options) { o.WriteBacks = p }, acme)
	if err := a.Errands().Deliver(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	w.until(5*time.Second, "it waits for the ledger", func() bool {
		return w.count("kind = 'write_back' AND state IN ('retryable', 'available') AND scheduled_at < now() + interval '5 seconds'") == 1
	})
	w.until(15*time.Second, "three passes", func() bool { return p.count() >= 3 })
}

// TestChoresThatHangHoldNoScheduleUp has more chores that wait for others than the node does at a time.
func TestChoresThatHangHoldNoScheduleUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hang, hung := make(chan struct{}), make(chan struct{}, 2*chores)
	all := []Deployment{{Name: "acme", Syncs: []string{"users"}, Timetable: every(t, "users", 2*time.Second)}}
	for n := range chores + 1 {
		all = append(all, Deployment{Name: fmt.Sprint("slow", n), Chores: []string{"alerts"}})
	}
	w.node("a", func(o *Options) {
		o.Chores = []Chore{{Name: "alerts", Every: time.Hour, Within: time.Hour, Each: func(ctx context.Context, _ string) error {
			hung <- struct{}{}
			select {
			case <-hang:
			case <-ctx.Done():
			}
			return nil
		}}}
	}, all...)
	defer close(hang)
	for range chores {
		<-hung
	}
	before := len(w.made())
	w.until(30*time.Second, "a run that is due meanwhile", func() bool { return len(w.made()) > before+1 }) // one may have been on its way
}

func TestAChoreIsDoneByOneNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var mu sync.Mutex
	var done []string
	chore := func(name string) func(*Options) {
		return func(o *Options) {
			o.Chores = []Chore{{Name: "tidy", Every: time.Hour, Within: time.Minute, Do: func(context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				done = append(done, name)
				return errors.New("it is all the same")
			}}}
		}
	}
	w.node("a", chore("a"))
	w.node("b", chore("b"))
	w.until(15*time.Second, "it is done", func() bool {
		return w.count("kind = 'chore' AND args->>'name' = 'tidy' AND finalized_at IS NOT NULL") == 1
	})
	mu.Lock()
	defer mu.Unlock()
	if len(done) != 1 {
		t.Errorf("%v", done)
	}
}

func TestWhatNobodyWorksIsDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := &passes{}
	acme := Deployment{Name: "acme", Syncs: []string{"users"}, Timetable: every(t, "users", time.Hour), Targets: []string{"crm"}}
	visitor, err := Visit(w.pool, schema, w.now, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, job := range []struct {
		args river.JobArgs
		by   string
		ago  time.Duration
	}{
		{dueArgs{"acme", "users"}, "a", 10 * time.Minute}, // it lives, and could not say how the job ended
		{writeBackArgs{"acme", "crm"}, "a", 10 * time.Minute},
		{choreArgs{Name: "tidy"}, "dead", 10 * time.Second},
	} {
		made, err := visitor.client.Insert(t.Context(), job.args, &river.InsertOpts{ScheduledAt: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		sql := "UPDATE owlat_sync.river_job SET state = 'running', attempt = 1, attempted_at = now() - $2::interval, attempted_by = ARRAY['b', $3] WHERE id = $1"
		if _, err := w.pool.Exec(t.Context(), sql, made.Job.ID, job.ago, job.by); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{}, 10)
	w.node("a", func(o *Options) {
		o.WriteBacks = p
		o.Chores = []Chore{{Name: "tidy", Every: time.Hour, Within: time.Minute, Do: func(context.Context) error { done <- struct{}{}; return nil }}}
	}, acme)
	w.until(15*time.Second, "all is done", func() bool { return p.count() > 0 && len(w.made()) > 0 && len(done) > 0 })
	w.until(5*time.Second, "nothing seems to be worked", func() bool { return w.count("state = 'running' AND kind IN ('due', 'write_back', 'chore')") == 0 })
}

func TestNodesHearOfEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	heard := make(chan events.Event, 10)
	hear := func(o *Options) {
		o.Hear = func(deployment string, e events.Event) {
			if deployment == "acme" {
				heard <- e
			}
		}
	}
	a, b := w.node("a", hear), w.node("b", hear)
	_ = b
	deadline := time.After(10 * time.Second)
	for told := false; !told; { // the other may not listen yet
		a.Tell("acme", events.Event{ID: 5, At: time.Now(), Kind: events.Ended, Sync: "users", Run: 7, Data: events.EndData{Status: ledger.StatusOK}})
		select {
		case e := <-heard:
			told = true
			if e.ID != 0 || e.Kind != events.Ended || e.Run != 7 || e.Data == nil {
				t.Errorf("%+v", e)
			}
		case <-time.After(200 * time.Millisecond):
		case <-deadline:
			t.Fatal("nothing is heard")
		}
	}
	for range 5 {
		a.Tell("acme", events.Event{Kind: events.Progress, Sync: "users", Run: 8, Data: events.ProgressData{Rows: 3}})
	}
	a.Tell("acme", events.Event{Kind: events.Row, Sync: "users", Run: 8})
	a.Tell("acme", events.Event{Kind: events.Stage, Sync: "users", Run: 8, Data: events.StageData{Stage: ledger.StageReading}})
	var kinds []events.Kind
	for len(kinds) == 0 || kinds[len(kinds)-1] != events.Stage {
		select {
		case e := <-heard:
			if e.Run == 8 {
				kinds = append(kinds, e.Kind)
			}
		case <-deadline:
			t.Fatalf("only %v is heard", kinds)
		}
	}
	if !slices.Equal(kinds, []events.Kind{events.Progress, events.Stage}) {
		t.Errorf("%v is heard, want how far the run is once, and its stage", kinds)
	}
}

func TestALineQueuesInTheLedgerFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := Deployment{Name: "acme", Syncs: []string{"users"}, Timetable: every(t, "users", time.Hour)}
	a, b := w.node("a", nil, acme), w.node("b", nil, acme)
	books := memory.New()
	defer books.Close()
	hub := events.NewHub(time.Now)
	defer hub.Close()
	told, cancel := hub.Subscribe(events.Filter{})
	defer cancel()
	la, lb := a.Line("acme", books, hub), b.Line("acme", books, hub)
	w.holdRuns()
	first, err := la.Trigger(t.Context(), "users", turns.Options{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := lb.Trigger(t.Context(), "users", turns.Options{})
	if err != nil || again != first {
		t.Errorf("asked again: %d, %v, want %d", again, err, first)
	}
	other, err := lb.Trigger(t.Context(), "users", turns.Options{Part: owlatsync.Part{Limit: 3}})
	if err != nil || other == first {
		t.Errorf("asked for less: %d, %v", other, err)
	}
	if _, err := la.Trigger(t.Context(), "nobody", turns.Options{}); !errors.Is(err, turns.ErrUnknownSync) {
		t.Errorf("an unknown sync: %v", err)
	}
	w.until(5*time.Second, "both are being made", func() bool { return w.count("kind = 'run' AND state = 'running' AND args->>'why' = 'asked'") == 2 })
	away := lb
	if lb.here() != nil {
		away = la
	}
	waiting, err := away.Waiting(t.Context(), "users")
	if err != nil || !slices.Equal(waiting.Runs, []int64{first, other}) || !waiting.Any {
		t.Errorf("%+v, %v", waiting, err)
	}
	if err := away.Cancel(t.Context(), other); err != nil {
		t.Error(err)
	}
	w.until(5*time.Second, "the job is cancelled", func() bool { return w.count("kind = 'run' AND state = 'cancelled'") == 1 })
	if err := away.Cancel(t.Context(), other); !errors.Is(err, turns.ErrNotCancellable) {
		t.Errorf("a second time: %v", err)
	}
	if err := away.Cancel(t.Context(), 999); !errors.Is(err, ledger.ErrNoRun) {
		t.Errorf("no run: %v", err)
	}
	if next := away.Next("users"); next.IsZero() || !away.Next("leads").IsZero() {
		t.Errorf("next at %s", next)
	}
	if err := away.Alive(t.Context()); err != nil {
		t.Error(err)
	}
	for _, want := range []events.Kind{events.Queued, events.Queued, events.Ended} {
		if e := <-told; e.Kind != want {
			t.Errorf("told %+v, want %s", e, want)
		}
	}
}

// twoNodes returns two nodes with one deployment, its ledger, and the line to it of each.
func twoNodes(t *testing.T, w *world) (a, b *member, books *memory.Ledger, la, lb *Line) {
	t.Helper()
	acme := Deployment{Name: "acme", Syncs: []string{"users"}}
	a, b = w.node("a", nil, acme), w.node("b", nil, acme)
	books = memory.New()
	t.Cleanup(func() { _ = books.Close() })
	hub := events.NewHub(time.Now)
	t.Cleanup(hub.Close)
	return a, b, books, a.Line("acme", books, hub), b.Line("acme", books, hub)
}

// TestARunForReviewIsHeldForWhoeverAsked: it is made for its number as one for review, at any node, and is no run of everything.
func TestARunForReviewIsHeldForWhoeverAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, books, la, lb := twoNodes(t, w)
	let := w.holdRuns()
	whole, err := la.Trigger(t.Context(), "users", turns.Options{})
	if err != nil {
		t.Fatal(err)
	}
	run, err := la.Trigger(t.Context(), "users", turns.Options{Review: true})
	if err != nil || run == whole {
		t.Errorf("for review: %d, %v", run, err)
	}
	if again, err := lb.Trigger(t.Context(), "users", turns.Options{Review: true}); err != nil || again != run {
		t.Errorf("asked for review again: %d, %v, want %d", again, err, run)
	}
	if queued, err := books.Run(t.Context(), run); err != nil || queued.Mode != ledger.ModeReview {
		t.Errorf("the ledger has %+v, %v", queued, err)
	}
	let()
	w.until(10*time.Second, "both are made", func() bool { return len(w.made()) >= 2 })
	reviewed := 0
	for _, m := range w.made() {
		if m.Review != (m.Run == run) {
			t.Errorf("made as %+v, and run %d is the one for review", m.Request, run)
		}
		if m.Review {
			reviewed++
		}
	}
	if reviewed != 1 || w.count("kind = 'run' AND args->>'review' = 'true'") != 1 {
		t.Errorf("made for review %d times\n%s", reviewed, w.jobs())
	}

	// One that fails is not made again under another number: nobody would look at that plan.
	w.mu.Lock()
	w.failAt = a.ID()
	w.mu.Unlock()
	n := len(w.made())
	if a.home("acme") == nil {
		w.mu.Lock()
		w.failAt = b.ID()
		w.mu.Unlock()
	}
	failing, err := lb.Trigger(t.Context(), "users", turns.Options{Review: true, Full: true})
	if err != nil {
		t.Fatal(err)
	}
	w.until(20*time.Second, "it is made where the source can be read", func() bool { return len(w.made()) > n })
	if m := w.made()[n]; m.Run != failing || !m.Review || m.Why != turns.Asked {
		t.Errorf("made as %+v, want run %d", m.Request, failing)
	}
}

// TestAnyNodeDismissesAHeldRun, unless its plan is being applied at whichever node, and the run is one that is held.
func TestAnyNodeDismissesAHeldRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, _, books, la, lb := twoNodes(t, w)
	held := func() int64 {
		t.Helper()
		lock, err := books.Acquire(t.Context(), ledger.Claim{Purpose: "test"})
		if err != nil {
			t.Fatal(err)
		}
		id, err := lock.BeginRun(t.Context(), ledger.Run{Sync: "users", Mode: ledger.ModeRun, Started: time.Now()})
		if err == nil {
			err = lock.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: id, Sync: "users", Mode: ledger.ModeRun, Status: ledger.StatusHeld, Finished: time.Now(), Guards: []owlatsync.Hit{{Guard: owlatsync.GuardCreates, Reason: "too many"}}}})
		}
		if err := errors.Join(err, lock.Release()); err != nil {
			t.Fatal(err)
		}
		return id
	}
	first := held()
	if err := lb.Dismiss(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if r, err := books.Run(t.Context(), first); err != nil || r.Status != ledger.StatusDismissed {
		t.Errorf("the run is %+v, %v", r, err)
	}
	if err := la.Dismiss(t.Context(), first); !errors.Is(err, reconcile.ErrNotHeld) {
		t.Errorf("a second time: %v", err)
	}
	if _, err := la.Approve(t.Context(), first); err == nil {
		t.Error("the plan is approved after all")
	}
	if err := la.Dismiss(t.Context(), 999); !errors.Is(err, ledger.ErrNoRun) {
		t.Errorf("no run: %v", err)
	}

	second := held()
	applying, _, err := books.Enqueue(t.Context(), ledger.Run{Sync: "users", Mode: ledger.ModeRun, Approves: second})
	if err != nil {
		t.Fatal(err)
	}
	if err := lb.Dismiss(t.Context(), second); !errors.Is(err, turns.ErrBeingApplied) {
		t.Errorf("somebody has approved it: %v", err)
	}
	lock, err := books.Acquire(t.Context(), ledger.Claim{Purpose: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Release() }()
	if _, err := lock.BeginRun(t.Context(), ledger.Run{ID: applying, Sync: "users", Mode: ledger.ModeRun, Started: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*Line{la, lb} {
		if err := l.Dismiss(t.Context(), second); !errors.Is(err, turns.ErrBeingApplied) {
			t.Errorf("while its plan is applied: %v", err)
		}
	}
	if r, err := books.Run(t.Context(), second); err != nil || r.Status != ledger.StatusHeld {
		t.Errorf("the run is %+v, %v", r, err)
	}
}

// TestRiverIsToldNoKeys although a key may be an address, and River keeps what it did.
func TestRiverIsToldNoKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.node("a", nil, Deployment{Name: "acme", Syncs: []string{"users"}})
	books := memory.New()
	defer books.Close()
	hub := events.NewHub(time.Now)
	defer hub.Close()
	part := owlatsync.Part{Only: []string{"ada@example.com"}}
	run, err := n.Line("acme", books, hub).Trigger(t.Context(), "users", turns.Options{Part: part})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Errands().Ask(t.Context(), "acme", turns.Request{Sync: "users", Why: turns.Notified, Keys: part.Only}); err != nil {
		t.Fatal(err)
	}
	if err := n.Errands().Ask(t.Context(), "acme", turns.Request{Sync: "users", Why: turns.Again, Part: part}); err == nil {
		t.Error("a part without a number is asked for")
	}
	w.until(10*time.Second, "both are made", func() bool { return len(w.made()) == 2 })
	if !slices.ContainsFunc(w.made(), func(m madeRun) bool { return m.Run == run }) {
		t.Errorf("%+v", w.made())
	}
	if n := w.count("river_job::text LIKE '%ada%'"); n != 0 {
		t.Errorf("%d jobs have the address\n%s", n, w.jobs())
	}
}

func TestAQueuedRunWithoutAJobIsNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.node("a", nil, Deployment{Name: "acme"})
	w.until(5*time.Second, "nothing to do", func() bool { return len(a.Homes()) == 0 })
	for _, sql := range []string{
		"INSERT INTO owlat_sync.deployments (name) VALUES ('acme')",
		`INSERT INTO owlat_sync.runs (deployment, id, sync, mode, epoch, stage, status, message, full_scan, approves, plan_form)
			SELECT id, 1, 1, '', 0, '', 'queued', '', false, 0, 0 FROM owlat_sync.deployments`,
	} {
		if _, err := w.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	w.until(6*time.Second, "a home", func() bool { return len(a.Homes()) == 1 })
}

func TestRiverSaysTheSameNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := quiet(slog.New(slog.NewTextHandler(&out, nil))).With("a", 1)
		for range 100 {
			log.Error("Error fetching jobs", "queue", "d-acme")
			log.Info("it works")
			time.Sleep(time.Second)
		}
		if n := strings.Count(out.String(), "level=WARN msg=\"River: Error fetching jobs\" a=1 queue=d-acme\n"); n != 4 || strings.Count(out.String(), "\n") != 4 {
			t.Errorf("%d lines:\n%s", n, &out)
		}
	})
}

// TestJobsAreDatedByPostgreSQL puts a job into a queue on a machine whose clock is ten minutes ahead, or behind.
func TestJobsAreDatedByPostgreSQL(t *testing.T) {
	t.Parallel()
	for _, wrong := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		w := newWorld(t)
		visitor, err := Visit(w.pool, schema, apart{w.now, wrong}, nil)
		if err != nil {
			t.Fatal(err)
		}
		// What the driver would take is the machine's clock; that of the test is right, so the database's is taken for wrong.
		made, err := visitor.client.Insert(t.Context(), writeBackArgs{Deployment: "acme", Target: "crm"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []time.Time{made.Job.CreatedAt, made.Job.ScheduledAt} {
			if off := at.Sub(visitor.clock.Now()); off > 0 || off < -time.Minute {
				t.Errorf("the job is dated %v off PostgreSQL's clock, which is %v off the machine's", off, wrong)
			}
		}
		if made.Job.State != rivertype.JobStateAvailable {
			t.Errorf("the job is %s", made.Job.State)
		}
	}
}

// apart is a clock of PostgreSQL that the machine's is not, which is right.
type apart struct {
	Clock
	by time.Duration
}

func (a apart) Now() time.Time { return a.Clock.Now().Add(a.by) }

func TestAJobIsDueByTheClockOfPostgreSQL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for deployment, wrong := range map[string]time.Duration{"acme": -10 * time.Minute, "beta": 10 * time.Minute} {
		visitor, err := Visit(w.pool, schema, apart{w.now, wrong}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := visitor.Ask(t.Context(), deployment, turns.Request{Sync: "users", Why: turns.Scheduled}); err != nil {
			t.Fatal(err)
		}
		var off float64
		err = w.pool.QueryRow(t.Context(), "SELECT max(abs(extract(epoch FROM scheduled_at - now()) - $2)) FROM "+visitor.tables.jobs+" WHERE args->>'deployment' = $1", deployment, wrong.Seconds()).Scan(&off)
		if err != nil {
			t.Fatal(err)
		}
		if off > 60 {
			t.Errorf("with a clock that is wrong by %s a job is due %.0f s from when it should be", wrong, off)
		}
	}
}
