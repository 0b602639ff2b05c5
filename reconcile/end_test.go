package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/owlat"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

// takeOver takes the lock from whoever has it and keeps it, as another run does after a lease has run out.
func takeOver(t *testing.T, memory *memory.Ledger) ledger.Lock {
	t.Helper()
	if err := memory.LoseLock(); err != nil {
		t.Fatal(err)
	}
	lock, err := memory.Reopen().Acquire(context.Background(), ledger.Claim{Purpose: "another run"})
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

// takenOver is a transport under which another run takes over as the answer to the at-th POST comes.
type takenOver struct {
	http.RoundTripper
	at    int32
	posts *atomic.Int32
	then  func()
}

func (o takenOver) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := o.RoundTripper.RoundTrip(r)
	if r.Method == http.MethodPost && o.posts.Add(1) == o.at {
		o.then()
	}
	return resp, err
}

// TestALostLock has another run take over in the middle of one: it ends with that error, sends nothing more, records nothing more, and
// tells what it did not reach.
func TestALostLock(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		given    func(w *world, takes func()) (observer func(progress.Value))
		sent     int
		want     string // outcomes
		row      string // the first that was not applied
		outcome  owlatsync.Outcome
		category string
	}{
		{"between two rows", func(_ *world, takes func()) func(progress.Value) {
			return func(v progress.Value) {
				if d, ok := v.(progress.RowDone); ok && d.Key == "2" {
					takes()
				}
			}
		}, 2, "created 2, skipped 58", "3", owlatsync.Skipped, "unreached"},
		{"while a contact is created", func(w *world, takes func()) func(progress.Value) {
			w.options = append(w.options, owlat.WithTransport(takenOver{w.server.Transport(), 3, new(atomic.Int32), takes}))
			return func(progress.Value) {}
		}, 3, "created 2, skipped 57, failed 1", "3", owlatsync.Failed, "ledger"},
		{"before the first row", func(_ *world, takes func()) func(progress.Value) {
			return func(v progress.Value) {
				if _, ok := v.(progress.Admitted); ok {
					takes()
				}
			}
		}, 0, "skipped 60", "1", owlatsync.Skipped, "unreached"},
		{"while the source is read", func(_ *world, takes func()) func(progress.Value) {
			return func(v progress.Value) {
				if s, ok := v.(progress.Scanned); ok && s.Done {
					takes()
				}
			}
		}, 0, "skipped 60", "1", owlatsync.Skipped, "unreached"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, memory := inMemory(t)
				w.workers = 1
				var other ledger.Lock
				var before string
				told := make(map[string]progress.RowDone)
				ends := 0
				var ended progress.Ended
				observe := tt.given(w, func() {
					other = takeOver(t, memory)
					before = exported(t, memory)
				})
				e, client := w.engine()
				defer client.CloseIdleConnections()
				s := w.sync
				s.Source = rows{list: people(60, "P")}
				report, err := e.Run(context.Background(), s, reconcile.RunOptions{Observers: []progress.Observer{{Complete: true, Each: func(v progress.Value) {
					switch v := v.(type) {
					case progress.RowDone:
						told[v.Key] = v
					case progress.Ended:
						ends, ended = ends+1, v
					}
					observe(v)
				}}}})
				if !errors.Is(err, ledger.ErrLockLost) {
					t.Fatalf("the run ended with: %v", err)
				}
				if !report.Balanced() {
					t.Errorf("the report does not add up: %+v", report)
				}
				expect(t, report, tt.want)
				if n := w.requests()["POST /contacts"]; n != tt.sent || w.server.Len() != tt.sent {
					t.Errorf("%d contacts were sent, %d are there, want %d", n, w.server.Len(), tt.sent)
				}
				if d := told[tt.row]; d.Outcome != tt.outcome || string(d.Category) != tt.category || d.Reason == "" || len(told) != 60 {
					t.Errorf("row %s is told as %+v, of %d", tt.row, d, len(told))
				}
				if ends != 1 || ended.Status != ledger.StatusError || ended.Message == "" || ended.Report.Outcomes[tt.outcome] == 0 {
					t.Errorf("the end is told %d times, as %+v", ends, ended)
				}
				if diff := cmp.Diff(before, exported(t, memory)); diff != "" {
					t.Errorf("the run has recorded after it lost the lock:\n%s", diff)
				}
				if err := other.Release(); err != nil {
					t.Fatal(err)
				}
				w.options = w.options[:1]
				if report := w.run(people(60, "P")...); w.server.Len() != 60 || report.Outcomes[owlatsync.Failed] > 0 {
					t.Errorf("the next run left %d contacts: %+v", w.server.Len(), report)
				}
			})
		})
	}
}

// TestALateEndLeavesTheStateOfTheNextRun has a run that lost its lock end after the next one began in the same engine.
func TestALateEndLeavesTheStateOfTheNextRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, memory := inMemory(t)
		e, client := w.engine()
		defer client.CloseIdleConnections()
		s := w.sync
		s.Source = rows{list: people(2, "P")}
		start := func() (begun, goOn, finished chan struct{}) {
			begun, goOn, finished = make(chan struct{}), make(chan struct{}), make(chan struct{})
			go func() {
				defer close(finished)
				_, _ = e.Run(context.Background(), s, reconcile.RunOptions{Observers: []progress.Observer{{Complete: true, Each: func(v progress.Value) {
					if p, ok := v.(progress.Staged); ok && p.Stage == ledger.StageReading {
						close(begun)
						<-goOn
					}
				}}}})
			}()
			<-begun
			return begun, goOn, finished
		}
		_, firstGoesOn, firstEnds := start()
		if err := memory.LoseLock(); err != nil {
			t.Fatal(err)
		}
		_, secondGoesOn, secondEnds := start()
		close(firstGoesOn)
		<-firstEnds
		if s, ok := e.State("users"); !ok || s.Run != 2 {
			t.Errorf("the state is %+v, %v", s, ok)
		}
		close(secondGoesOn)
		<-secondEnds
		if s, ok := e.State("users"); ok {
			t.Errorf("after all runs the state is %+v", s)
		}
	})
}

// TestWhatCannotBeApproved asks for runs that are not held, in any way: nothing is sent or recorded, and the lock is given back.
func TestWhatCannotBeApproved(t *testing.T) {
	t.Parallel()
	w, memory := inMemory(t)
	list := people(3, "P")
	w.run(list...) // 1
	s := w.sync
	w.sync.Name, w.sync.Guards = "customers", reconcile.Guards{}
	if _, err := w.try(t.Context(), runOptions{}, rows{list: list}); err != nil { // 2: adopts them
		t.Fatal(err)
	}
	w.sync = s
	w.sync.Guards = reconcile.Guards{}
	lock, err := memory.Acquire(t.Context(), ledger.Claim{Purpose: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range []ledger.Run{
		{Sync: "users", Status: ledger.StatusHeld, PlanForm: 1}, // 3, of an older version
		{Sync: "users", Status: ledger.StatusSuperseded},        // 4
	} {
		id, err := lock.BeginRun(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		run.ID = id
		if err := lock.EndRun(t.Context(), ledger.Ending{Run: run}); err != nil {
			t.Fatal(err)
		}
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	before, requests := exported(t, memory), w.requests()
	for _, tt := range []struct {
		name string
		run  int64
		want error
	}{
		{"a run that there is not", 99, &ledger.NoRunError{Sync: "users", Run: 99}},
		{"a run of another sync", 2, &ledger.NoRunError{Sync: "users", Run: 2}},
		{"a run that went well", 1, &reconcile.NotHeldError{Sync: "users", Run: 1, Status: ledger.StatusOK}},
		{"a run that is not held any more", 4, &reconcile.NotHeldError{Sync: "users", Run: 4, Status: ledger.StatusSuperseded}},
		{"a plan of another version", 3, reconcile.ErrOldPlan},
		{"negative", -1, &ledger.NoRunError{Sync: "users", Run: -1}},
	} {
		report, err := w.try(t.Context(), runOptions{Approve: tt.run}, rows{list: list})
		if report != nil || err == nil || err.Error() != tt.want.Error() {
			t.Errorf("%s: report %v, error %v; want %v", tt.name, report, err, tt.want)
		}
		switch tt.want.(type) {
		case *ledger.NoRunError:
			if _, ok := errors.AsType[*ledger.NoRunError](err); !ok || !errors.Is(err, ledger.ErrNoRun) {
				t.Errorf("%s: the error is a %T", tt.name, err)
			}
		case *reconcile.NotHeldError:
			if _, ok := errors.AsType[*reconcile.NotHeldError](err); !ok || !errors.Is(err, reconcile.ErrNotHeld) {
				t.Errorf("%s: the error is a %T", tt.name, err)
			}
		default:
			if !errors.Is(err, tt.want) {
				t.Errorf("%s: the error is a %T", tt.name, err)
			}
		}
		if len(w.events) > 0 {
			t.Errorf("%s: %v is told", tt.name, w.events)
		}
	}
	w.sent(requests)
	if diff := cmp.Diff(before, exported(t, memory)); diff != "" {
		t.Errorf("the ledger has changed:\n%s", diff)
	}
	w.run(list...) // has the lock
}

// endless is a ledger that cannot record the end of a run.
type endless struct{ ledger.Store }

type endlessLock struct{ ledger.Lock }

var errFull = errors.New("the disk is full")

func (l endless) Acquire(ctx context.Context, c ledger.Claim) (ledger.Lock, error) {
	lock, err := l.Store.Acquire(ctx, c)
	return endlessLock{lock}, err
}

func (endlessLock) EndRun(context.Context, ledger.Ending) error { return errFull }

// TestTheEndOfARunIsOneAct has the end of runs not be recorded: nothing of it is.
func TestTheEndOfARunIsOneAct(t *testing.T) {
	t.Parallel()
	u := newUsers(t)
	memory := memory.New()
	state := func() string {
		t.Helper()
		sync, err := memory.SyncState(t.Context(), "users")
		if err != nil {
			t.Fatal(err)
		}
		b, err := memory.Bookmark(t.Context(), "users")
		if err != nil {
			t.Fatal(err)
		}
		runs, err := memory.Runs(t.Context(), "users", 0)
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("adopted %v, bookmark %v", sync.Adopted, b.Mark != "")
		for i := range runs {
			r := runs[len(runs)-1-i]
			plan := 0
			for _, err := range memory.Plan(t.Context(), r.ID) {
				if err != nil {
					t.Fatal(err)
				}
				plan++ // of a held run also the sample of its steps, here all of them
			}
			text += fmt.Sprintf(", %s (%d)", r.Status, plan)
		}
		return text
	}
	u.put(1, "a@example.com", "A")
	u.put(2, "b@example.com", "B")
	for _, tt := range []struct {
		name   string
		ends   bool // it can be recorded
		guards reconcile.Guards
		held   bool
		status ledger.Status // as it is told
		want   string
	}{
		{"held", true, reconcile.Guards{}, true, ledger.StatusHeld, "adopted false, bookmark false, held (4)"},
		{"held, and lost", false, reconcile.Guards{}, true, ledger.StatusError, "adopted false, bookmark false, held (4), running (4)"},
		{"all applied, and lost", false, unguarded, false, ledger.StatusError, "adopted false, bookmark false, held (4), died (0), running (0)"},
		{"all there already", true, unguarded, false, ledger.StatusOK, "adopted true, bookmark true, superseded (0), died (0), died (0), ok (0)"},
	} {
		if u.through = memory; !tt.ends {
			u.through = endless{memory}
		}
		u.sync.Guards = tt.guards
		report, err := u.try(t.Context(), runOptions{}, u.source())
		if errors.Is(err, reconcile.ErrHeld) != tt.held || errors.Is(err, errFull) == tt.ends || report == nil {
			t.Errorf("%s: error %v", tt.name, err)
		}
		if got := state(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if ended, ok := u.events[len(u.events)-1].(progress.Ended); !ok || ended.Status != tt.status {
			t.Errorf("%s: at last %+v is told", tt.name, u.events[len(u.events)-1])
		}
	}
	if u.server.Len() != 2 {
		t.Errorf("%d contacts", u.server.Len())
	}
}
