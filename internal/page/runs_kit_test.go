package page

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/events"
	"owlatsync/internal/standing"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/reconcile/kept"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/step"
)

// works is a deployment with a real ledger and a real queue of runs, whose runs do what the test says.
type works struct {
	*stands
	t      *testing.T
	ledger *memory.Ledger
	hub    *events.Hub
	desk   turns.Desk

	settles map[int64]ledger.Status // of the runs that the next ended one settles

	mu       sync.Mutex
	personal bool
	states   map[int64]progress.State
	goOn     chan struct{} // closed: runs end by themselves
}

// alive is a ledger in memory, whose runs are all of this process.
type alive struct{ *memory.Ledger }

func (alive) Alive(context.Context, ledger.Run) (bool, error) { return true, nil }

func (w *works) Syncs(ctx context.Context) (all []api.SyncState, err error) {
	for _, name := range []string{nasty, "leads"} {
		of, err := standing.Of(ctx, alive{w.ledger}, config.Sync{Name: name}, 1)
		if err != nil {
			return nil, err
		}
		all = append(all, api.SyncState{Sync: of, State: api.Healthy})
	}
	return all, nil
}

func (w *works) Personal(string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.personal
}

func (w *works) Progress(run int64) (progress.State, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.states[run]
	return s, ok
}

func (w *works) is(run int64, s progress.State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states[run] = s
}

// Run implements turns.Runner.
func (w *works) Run(ctx context.Context, j *turns.Job) (bool, error) {
	var id int64
	err := w.under(func(k ledger.Lock) (err error) {
		id, err = k.BeginRun(ctx, ledger.Run{ID: j.Run, Sync: j.Sync, Mode: j.Mode(), Started: w.ledger.Now(), Status: ledger.StatusRunning})
		return err
	})
	if err != nil {
		return false, err
	}
	j.Began(id)
	status := ledger.StatusOK
	select {
	case <-j.Stop:
		status = ledger.StatusInterrupted
	case <-w.goOn:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	return false, w.under(func(k ledger.Lock) error {
		defer w.hub.Publish(events.Event{Kind: events.Ended, Sync: j.Sync, Run: id, Data: events.EndData{Status: status}})
		settled := map[int64]ledger.Status{}
		if j.Approves != 0 {
			settled[j.Approves] = ledger.StatusApproved
		}
		return k.EndRun(context.WithoutCancel(ctx), ledger.Ending{Run: ledger.Run{ID: id, Mode: j.Mode(), Started: w.ledger.Now(), Finished: w.ledger.Now(), Status: status}, Settled: settled})
	})
}

func (w *works) under(do func(ledger.Lock) error) error {
	k, err := w.ledger.Acquire(context.Background(), ledger.Claim{Purpose: "a run", Wait: true})
	if err != nil {
		return err
	}
	if err := do(k); err != nil {
		_ = k.Release()
		return err
	}
	return k.Release()
}

// newWorks puts such a deployment into a world.
func newWorks(t *testing.T, w *world) *works {
	t.Helper()
	k := &works{stands: w.all[""], t: t, ledger: memory.New(), hub: events.NewHub(time.Now), states: make(map[int64]progress.State), goOn: make(chan struct{})}
	queue := turns.New(k.ledger, k.hub, k, nil)
	if err := queue.SetSyncs(t.Context(), []string{nasty, "leads"}); err != nil {
		t.Fatal(err)
	}
	k.desk = queue.Desk()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		queue.Run(ctx, nil)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		k.hub.Close()
		_ = k.ledger.Close()
	})
	of := &folk{syncs: []config.Sync{{Name: nasty, Topics: []config.Topic{{ID: "news", When: "newsletter"}, {ID: "k57offers", Name: "Offers"}}}, {Name: "leads"}}}
	w.own = &api.Deployment{Service: k, Desk: k.desk, Hub: k.hub, Ledger: alive{k.ledger}, Decisions: k.ledger, Inquiry: of}
	return k
}

// ended records a run of the nasty sync with lines of history, and returns its number.
func (w *works) ended(status ledger.Status, lines ...ledger.Record) (id int64) {
	w.t.Helper()
	report := owlatsync.NewReport(nasty, "")
	report.Rows, report.Outcomes[owlatsync.Created], report.Outcomes[owlatsync.Invalid], report.Requests = 12345, 1234, 17, owlatsync.RequestCounts{Total: 4321, Writes: 4000, RateLimited: 7}
	for _, l := range lines {
		if l.Event == string(owlatsync.Failed) {
			report.Outcomes[owlatsync.Failed]++
		}
	}
	sum := &owlatsync.Summary{Rows: 12345, Creates: 1111, Removals: 222, TopicAdds: 333, Requests: 4444, Outcomes: map[owlatsync.Outcome]int{owlatsync.Created: 1111, owlatsync.Updated: 55},
		Memberships: owlatsync.MembershipCounts{Added: 333, Removed: 222}, Events: 2}
	err := w.under(func(k ledger.Lock) (err error) {
		at := w.ledger.Now()
		if id, err = k.BeginRun(w.t.Context(), ledger.Run{Sync: nasty, Mode: ledger.ModeRun, Started: at, Status: ledger.StatusRunning}); err != nil {
			return err
		}
		for i := range lines {
			lines[i].Sync, lines[i].Run = nasty, id
		}
		if err := k.Record(w.t.Context(), lines...); err != nil {
			return err
		}
		run := ledger.Run{ID: id, Mode: ledger.ModeRun, Started: at, Finished: at.Add(3 * time.Second), Status: status, Report: report, Summary: sum}
		if status == ledger.StatusHeld {
			report.Outcomes[owlatsync.Skipped] = 213
			run.PlanForm, run.Message, run.Guards = step.Form, nasty, []owlatsync.Hit{{Guard: owlatsync.GuardRemovals, Reason: nasty}}
			if err := k.KeepPlan(w.t.Context(), id, heldPlan()); err != nil {
				return err
			}
		}
		return k.EndRun(w.t.Context(), ledger.Ending{Run: run, Settled: w.settles})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// heldPlan is a plan of 213 steps: two contacts to be created, 210 to be put on a topic, and one to be taken off it.
func heldPlan() (items []ledger.PlanItem) {
	var sample kept.Sampling
	add := func(phase step.Phase, key, email string, changes ...owlatsync.Change) {
		s := &step.Step{Phase: phase, Outcome: owlatsync.Updated, Row: &step.Row{Key: key, Email: email}, Entry: &ledger.Entry{}, Changes: changes}
		if changes[0].Kind == owlatsync.CreateContact {
			s.Outcome, s.Events = owlatsync.Created, []ledger.EventMark{{Name: "signed up", State: ledger.EventDue}}
		}
		item := kept.Item(s, 0)
		sample.Take(s, item)
		items = append(items, item)
	}
	for _, key := range []string{"4711", "ada@example.com"} {
		add(step.Create, key, "ada@example.com", owlatsync.Change{Kind: owlatsync.CreateContact, Field: "email", To: "ada@example.com"},
			owlatsync.Change{Kind: owlatsync.SetField, Field: "firstName", To: nasty})
	}
	for i := range 210 {
		add(step.Update, fmt.Sprint("many", i), fmt.Sprintf("many%d@example.com", i), owlatsync.Change{Kind: owlatsync.AddTopic, Topic: "news"})
	}
	add(step.Withdraw, "1", "one@example.com", owlatsync.Change{Kind: owlatsync.RemoveTopic, Topic: "news"})
	return append(items, sample.Items...)
}

// line is a line of history of a row, which fails if there is a category.
func line(key, event, note string, category ledger.Category) ledger.Record {
	e := &ledger.Entry{Key: key, ContactID: "c" + key, Email: "row@example.com", Origin: ledger.OriginCreated}
	if category != "" {
		e.Failure = &ledger.Failure{Class: ledger.GiveUp, Category: category, Reason: note}
	}
	return ledger.Record{Entry: e, Event: event, Note: note}
}

// until waits until a run has a status.
func (w *works) until(run int64, want ledger.Status) {
	w.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
		r, err := w.ledger.Run(w.t.Context(), run)
		if err == nil && r.Status == want {
			tick.Stop()
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("run %d is %+v, %v, and not %s", run, r, err, want)
		}
	}
}

// audited checks who asked for what, oldest first, apart from sign-ins.
func (w *works) audited(want ...string) {
	w.t.Helper()
	lines, err := w.ledger.AuditLines(w.t.Context(), 0, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	var got []string
	for _, l := range slices.Backward(lines) {
		if l.What != ledger.DeedSignIn {
			got = append(got, fmt.Sprint(l.Who, " ", l.What, " ", l.Run))
		}
		if l.Way != ledger.ByPage {
			w.t.Errorf("by %s: %+v", l.Way, l)
		}
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("the audit has %q", got)
	}
}
