package turns

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"owlatsync"
	"owlatsync/internal/events"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// records is the ledger of a queue: queued runs and what became of them.
type records struct {
	mu   sync.Mutex
	runs []ledger.Run
}

func (r *records) Enqueue(_ context.Context, run ledger.Run) (int64, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.runs {
		if q.Status == ledger.StatusQueued && q.Sync == run.Sync && q.Full == run.Full && q.Approves == run.Approves && reflect.DeepEqual(q.Part, run.Part) {
			return q.ID, false, nil
		}
	}
	run.ID, run.Status = int64(len(r.runs)+1), ledger.StatusQueued
	r.runs = append(r.runs, run)
	return run.ID, true, nil
}

func (r *records) Queued(context.Context) (queued []ledger.Run, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.runs {
		if q.Status == ledger.StatusQueued {
			queued = append(queued, q)
		}
	}
	return queued, nil
}

func (r *records) at(id int64) (*ledger.Run, error) {
	if id < 1 || id > int64(len(r.runs)) {
		return nil, &ledger.NoRunError{Run: id}
	}
	return &r.runs[id-1], nil
}

func (r *records) Dequeue(_ context.Context, id int64, status ledger.Status, message string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	run, err := r.at(id)
	if err != nil || run.Status != ledger.StatusQueued {
		return false, err
	}
	run.Status, run.Message = status, message
	return true, nil
}

func (r *records) Dismiss(_ context.Context, id int64) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	run, err := r.at(id)
	if err != nil || run.Status != ledger.StatusHeld {
		return false, err
	}
	run.Status = ledger.StatusDismissed
	return true, nil
}

func (r *records) Run(_ context.Context, id int64) (*ledger.Run, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	run, err := r.at(id)
	if err != nil {
		return nil, err
	}
	return new(*run), nil
}

// begin makes a queued run one that goes on, or records a new one.
func (r *records) begin(j *Job) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if j.Run == 0 {
		r.runs = append(r.runs, ledger.Run{ID: int64(len(r.runs) + 1), Sync: j.Sync, Status: ledger.StatusRunning})
		go j.Began(int64(len(r.runs)))
		return nil
	}
	run, err := r.at(j.Run)
	if err == nil && run.Status != ledger.StatusQueued {
		err = &ledger.NoRunError{Run: j.Run}
	}
	if err == nil {
		run.Status = ledger.StatusRunning
	}
	return err
}

// stage is a world in which runs take a minute, unless a test says otherwise.
type stage struct {
	*Queue
	records *records
	began   time.Time
	does    func(ctx context.Context, j *Job) (bool, error) // nil: a minute passes

	mu    sync.Mutex
	told  []string
	going int
	most  int
	ended chan struct{}
	soft  chan struct{}
	abort context.CancelFunc
}

func newStage(t *testing.T, syncs ...string) *stage {
	t.Helper()
	s := &stage{records: &records{}, began: time.Now(), ended: make(chan struct{}), soft: make(chan struct{})}
	s.Queue = New(s.records, events.NewHub(time.Now), s, nil)
	if err := s.SetSyncs(t.Context(), syncs); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.abort = cancel
	go func() { defer close(s.ended); s.Queue.Run(ctx, s.soft) }()
	return s
}

// set gives a run another status.
func (s *stage) set(run int64, status ledger.Status) {
	s.records.mu.Lock()
	defer s.records.mu.Unlock()
	s.records.runs[run-1].Status = status
}

// recorded returns a run as it is recorded.
func (s *stage) recorded(t *testing.T, run int64) ledger.Run {
	t.Helper()
	synctest.Wait()
	r, err := s.records.Run(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	return *r
}

// close stops the queue softly and waits for it.
func (s *stage) close() {
	close(s.soft)
	<-s.ended
	s.abort()
}

func (s *stage) note(j *Job, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	about := j.Sync
	if j.Request.Run != 0 {
		about += fmt.Sprint("#", j.Request.Run)
	}
	for _, key := range j.Keys {
		about += "+" + key
	}
	for _, key := range j.Part.Only {
		about += "=" + key
	}
	if j.Full {
		about += "!"
	}
	if what != "" {
		about += ":" + what
	}
	s.told = append(s.told, fmt.Sprintf("%d %s", int(time.Since(s.began).Seconds()), about))
}

// Run implements Runner.
func (s *stage) Run(ctx context.Context, j *Job) (bool, error) {
	if err := s.records.begin(j); err != nil {
		return false, err
	}
	s.note(j, "")
	s.count(1)
	defer s.count(-1)
	if s.does != nil {
		return s.does(ctx, j)
	}
	return false, work(ctx, j, time.Minute)
}

func (s *stage) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.going += n
	s.most = max(s.most, s.going)
}

func work(ctx context.Context, j *Job, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-j.Stop:
		return reconcile.ErrInterrupted
	case <-time.After(d):
		return nil
	}
}

func (s *stage) is(t *testing.T, want string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := strings.Join(s.told, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func play(t *testing.T, f func(t *testing.T)) {
	t.Parallel()
	synctest.Test(t, f)
}

func TestOneAtATimeInTheOrderOfAsking(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a", "b", "c")
		for _, sync := range []string{"c", "a", "b", "nobody"} {
			s.Submit(Request{Sync: sync, Why: Scheduled})
		}
		time.Sleep(time.Hour)
		s.close()
		s.is(t, "0 c, 60 a, 120 b")
		if s.most != 1 {
			t.Errorf("%d runs at once", s.most)
		}
	})
}

// TestRequestsThatHaveNotBegunBecomeOne and those that come while a run goes on are one more run.
func TestRequestsThatHaveNotBegunBecomeOne(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a", "b")
		s.Submit(Request{Sync: "a"})
		for _, keys := range [][]string{{"3"}, {"1", "2"}, {"3"}} {
			s.Submit(Request{Sync: "b", Keys: keys})
		}
		for range 50 {
			time.Sleep(time.Second)
			s.Submit(Request{Sync: "a", Why: Scheduled})
		}
		time.Sleep(time.Hour)
		many := make([]string, mostKeys+1)
		for i := range many {
			many[i] = fmt.Sprint(i)
		}
		s.Submit(Request{Sync: "b"}) // has its turn at once
		for _, r := range []Request{{Sync: "a", Keys: []string{"1"}}, {Sync: "a"}, {Sync: "a", Full: true}, {Sync: "a", Keys: []string{"2"}}, {Sync: "b", Keys: many}} {
			s.Submit(r)
		}
		time.Sleep(time.Hour)
		s.close()
		s.is(t, "0 a, 60 b+1+2+3, 120 a, 3650 b, 3710 a!, 3770 b")
	})
}

// TestTheEarliestOfRequestsThatBecomeOneCounts whichever comes first, and with which of them the others go.
func TestTheEarliestOfRequestsThatBecomeOneCounts(t *testing.T) {
	t.Parallel()
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	for _, requests := range [][]Request{
		{{Sync: "a", Since: at(2)}, {Sync: "a", Since: at(1)}, {Sync: "a", Since: at(3), Full: true}},
		{{Sync: "a", Since: at(1)}, {Sync: "a", Since: at(2), Run: 7}}, // the run with a number does what the other asks
		{{Sync: "a", Since: at(3), Run: 7}, {Sync: "a", Since: at(1), Keys: []string{"x"}}},
		{{Sync: "a", Since: at(3), Run: 7}, {Sync: "a", Since: at(1), Run: 7}},
	} {
		var waiting []Request
		for _, r := range requests {
			waiting = add(waiting, r)
		}
		if len(waiting) != 1 || !waiting[0].Since.Equal(at(1)) {
			t.Errorf("%+v become %+v", requests, waiting)
		}
	}
}

// TestRunsWithANumber are made one by one, and do what waits without a number.
func TestRunsWithANumber(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a", "b")
		s.Submit(Request{Sync: "b"})
		synctest.Wait()
		s.Submit(Request{Sync: "a", Why: Scheduled})
		var runs []int64
		for _, o := range []Options{{}, {}, {Full: true}, {Part: owlatsync.Part{Limit: 3}}} {
			run, err := s.Desk().Trigger(t.Context(), "a", o)
			if err != nil {
				t.Fatal(err)
			}
			runs = append(runs, run)
		}
		s.Submit(Request{Sync: "a", Keys: []string{"7"}})
		if w := s.Waiting("a"); !w.Any || !slices.Equal(w.Runs, []int64{2, 3, 4}) || w.Going != 0 {
			t.Errorf("%+v waits", w)
		}
		if !slices.Equal(runs, []int64{2, 2, 3, 4}) {
			t.Errorf("runs %v", runs)
		}
		time.Sleep(90 * time.Second)
		if w := s.Waiting("a"); w.Going != 2 || !w.Turn || !s.Busy() {
			t.Errorf("%+v goes on", w)
		}
		time.Sleep(time.Hour)
		s.close()
		s.is(t, "0 b, 60 a#2, 120 a#3!, 180 a#4")
		var unknown *UnknownSyncError
		if _, err := s.Desk().Trigger(t.Context(), "nobody", Options{}); !errors.As(err, &unknown) || !errors.Is(err, ErrUnknownSync) || len(s.records.runs) != 4 {
			t.Errorf("%v with %d runs", err, len(s.records.runs))
		}
	})
}

// TestALongRunLetsOthersGoFirst: it has its turn again when those who waited before have had theirs, whatever comes meanwhile.
func TestALongRunLetsOthersGoFirst(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "long", "a", "b")
		s.does = func(ctx context.Context, j *Job) (bool, error) {
			if j.Sync != "long" {
				return false, work(ctx, j, time.Minute)
			}
			for i := range 3 {
				if err := work(ctx, j, 10*time.Minute); err != nil {
					return false, err
				}
				if !j.Wanted() {
					continue
				}
				s.count(-1)
				if err := j.Yield(ctx); err != nil {
					return false, err
				}
				s.count(1)
				s.note(j, fmt.Sprint(i+2))
			}
			return false, nil
		}
		s.Submit(Request{Sync: "long"})
		time.Sleep(15 * time.Second)
		for range 75 {
			time.Sleep(30 * time.Second)
			for _, sync := range []string{"a", "b", "long"} { // every half minute, though each takes a minute
				s.Submit(Request{Sync: sync, Why: Scheduled})
			}
		}
		if w := s.Waiting("long"); w.Going != 0 || !w.Any {
			t.Errorf("%+v", w)
		}
		s.close()
		s.is(t, "0 long, 600 a, 660 b, 720 long:2, 1320 a, 1380 b, 1440 long:3, 2040 a, 2100 b, 2160 long:4, 2160 a, 2220 b")
		if s.most != 1 {
			t.Errorf("%d runs at once", s.most)
		}
	})
}

func TestNobodyWaitsForAHeldRun(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a", "b")
		s.does = func(context.Context, *Job) (bool, error) { return false, &reconcile.HeldError{Sync: "a"} }
		s.Submit(Request{Sync: "a"})
		s.Submit(Request{Sync: "b"})
		time.Sleep(time.Hour)
		s.close()
		s.is(t, "0 a, 0 b")
	})
}

// TestAFailureThatMayPass is followed by further runs after pauses that grow.
func TestAFailureThatMayPass(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a", "b")
		var fails atomic.Int32
		fails.Store(4)
		s.does = func(context.Context, *Job) (bool, error) {
			if fails.Add(-1) >= 0 {
				return true, errors.New("the database is down")
			}
			return false, nil
		}
		s.Submit(Request{Sync: "a", Keys: []string{"1"}})
		time.Sleep(20 * time.Second)
		s.Submit(Request{Sync: "a", Keys: []string{"2"}}) // fails too, and waits with the other
		time.Sleep(time.Hour)
		fails.Store(1)
		s.Submit(Request{Sync: "a"})
		time.Sleep(5 * time.Second)
		s.Submit(Request{Sync: "a", Why: Scheduled}) // does what was to be done again
		time.Sleep(time.Hour)
		s.close()
		s.is(t, "0 a+1, 15 a+1, 20 a+2, 80 a+1+2, 200 a+1+2, 3620 a, 3625 a")
	})
}

func TestAnotherProcessHoldsTheLedger(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a")
		var locked atomic.Int32
		locked.Store(6)
		s.does = func(_ context.Context, j *Job) (bool, error) {
			if locked.Add(-1) >= 0 {
				s.set(1, ledger.StatusQueued) // it could not begin
				return false, fmt.Errorf("begin: %w", &ledger.LockedError{})
			}
			return false, nil
		}
		if _, err := s.Desk().Trigger(t.Context(), "a", Options{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		s.close()
		s.is(t, "0 a#1, 0 a#1, 0 a#1, 1 a#1, 3 a#1, 7 a#1, 12 a#1")
		if r := s.recorded(t, 1); r.Status != ledger.StatusRunning {
			t.Errorf("%+v", r)
		}
	})
}

func TestCancel(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a", "b", "c")
		hub, unsubscribe := s.hub.Subscribe(events.Filter{Kinds: []events.Kind{events.Ended}})
		defer unsubscribe()
		var runs []int64
		for _, sync := range []string{"a", "b", "c"} {
			run, err := s.Desk().Trigger(t.Context(), sync, Options{})
			if err != nil {
				t.Fatal(err)
			}
			runs = append(runs, run)
		}
		time.Sleep(10 * time.Second)
		for _, run := range []int64{runs[0], runs[1]} {
			if err := s.Desk().Cancel(t.Context(), run); err != nil {
				t.Errorf("cancel %d: %v", run, err)
			}
		}
		if e := <-hub; e.Run != runs[1] || e.Data.(events.EndData).Status != ledger.StatusCancelled {
			t.Errorf("%+v is told of the run that was taken back", e)
		}
		time.Sleep(time.Hour)
		for _, test := range []struct {
			run    int64
			status ledger.Status
			want   error
			says   string
		}{
			{runs[0], ledger.StatusInterrupted, ErrNotCancellable, "has ended"}, {runs[2], ledger.StatusHeld, ErrNotCancellable, "until it is approved"},
			{runs[2], ledger.StatusRunning, ErrNotCancellable, "not of this process"}, {99, "", ledger.ErrNoRun, "no run 99"},
		} {
			if test.run <= 3 {
				s.set(test.run, test.status)
			}
			if err := s.Desk().Cancel(t.Context(), test.run); !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("cancel %d, %q: %v", test.run, test.status, err)
			}
		}
		s.close()
		s.is(t, "0 a#1, 10 c#3")
	})
}

func TestApprove(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a")
		part := owlatsync.Part{Only: []string{"7"}}
		s.records.mu.Lock()
		s.records.runs = []ledger.Run{
			{ID: 1, Sync: "a", Status: ledger.StatusHeld, PlanForm: 1, Part: part}, {ID: 2, Sync: "a", Status: ledger.StatusOK}, {ID: 3, Sync: "gone", Status: ledger.StatusHeld},
		}
		form := s.records.runs[0].PlanForm
		for ; reconcile.Approvable(s.records.runs[0]) != nil; form++ { // the present form
			s.records.runs[0].PlanForm = form
		}
		s.records.runs[2].PlanForm = s.records.runs[0].PlanForm
		s.records.mu.Unlock()
		run, err := s.Desk().Approve(t.Context(), 1)
		if again, againErr := s.Desk().Approve(t.Context(), 1); err != nil || againErr != nil || run != 4 {
			t.Fatalf("run %d, %v; then %d, %v", run, err, again, againErr)
		}
		time.Sleep(time.Hour)
		if r := s.recorded(t, 4); r.Approves != 1 || !reflect.DeepEqual(r.Part, part) {
			t.Errorf("%+v", r)
		}
		for held, want := range map[int64]error{2: reconcile.ErrNotHeld, 3: ErrUnknownSync, 99: ledger.ErrNoRun} {
			if _, err := s.Desk().Approve(t.Context(), held); !errors.Is(err, want) {
				t.Errorf("approve %d: %v", held, err)
			}
		}
		s.close()
		s.is(t, "0 a#4=7")
	})
}

// TestTheNextProcessTakesUpWhatIsQueued, and a sync that is gone takes back what waits.
func TestTheNextProcessTakesUpWhatIsQueued(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a", "b", "c")
		for _, sync := range []string{"a", "b", "c"} {
			if _, err := s.Desk().Trigger(t.Context(), sync, Options{Full: true}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		s.close()
		s.Submit(Request{Sync: "b"}) // in vain
		next := newStage(t)
		next.records = s.records
		next.Queue.ledger = s.records
		if err := next.SetSyncs(t.Context(), []string{"b"}); err != nil {
			t.Fatal(err)
		}
		if err := next.Desk().Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		next.close()
		next.is(t, "0 b#2!")
		if r := s.recorded(t, 3); r.Status != ledger.StatusCancelled || !strings.Contains(r.Message, "no such sync") {
			t.Errorf("%+v", r)
		}
	})
}

func TestSyncsThatGo(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a", "b")
		s.does = func(ctx context.Context, j *Job) (bool, error) { return j.Sync == "b", work(ctx, j, time.Minute) }
		s.Submit(Request{Sync: "b"})
		time.Sleep(time.Minute + time.Second) // b is to be run again
		s.Submit(Request{Sync: "a"})
		synctest.Wait()
		if _, err := s.Desk().Trigger(t.Context(), "b", Options{}); err != nil {
			t.Fatal(err)
		}
		if err := s.SetSyncs(t.Context(), []string{"a"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		s.Restart("a")
		s.Restart("b") // does not go on
		time.Sleep(time.Hour)
		s.close()
		s.is(t, "0 b, 61 a, 62 a")
		if r := s.recorded(t, 3); r.Sync != "b" || r.Status != ledger.StatusCancelled {
			t.Errorf("%+v", r)
		}
	})
}

// TestARestartedRunOfAPart is of that part again, not of everything.
func TestARestartedRunOfAPart(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a")
		var parts []owlatsync.Part
		s.does = func(_ context.Context, j *Job) (bool, error) {
			parts = append(parts, j.Part)
			select {
			case <-j.Stop:
				return false, reconcile.ErrInterrupted
			case <-time.After(time.Hour):
				return false, nil
			}
		}
		want := owlatsync.Part{Only: []string{"7"}}
		if _, err := s.Desk().Trigger(t.Context(), "a", Options{Part: want}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		s.Restart("a")
		time.Sleep(2 * time.Hour)
		s.close()
		if len(parts) != 2 || !slices.Equal(parts[1].Only, want.Only) {
			t.Errorf("runs of %+v, want twice %+v", parts, want)
		}
	})
}

// TestEnd: a soft end lets the run that goes on end softly, and one that waits for its turn; an abort cancels both.
func TestEnd(t *testing.T) {
	t.Parallel()
	for _, soft := range []bool{true, false} {
		t.Run(fmt.Sprint(soft), func(t *testing.T) {
			play(t, func(t *testing.T) {
				s := newStage(t, "long", "a", "b")
				s.does = func(ctx context.Context, j *Job) (bool, error) {
					if j.Sync == "long" {
						time.Sleep(time.Second)
						ctx, cancel := context.WithCancelCause(ctx)
						defer cancel(nil)
						go func() { // as the engine does
							select {
							case <-j.Stop:
								cancel(reconcile.ErrInterrupted)
							case <-ctx.Done():
							}
						}()
						err := j.Yield(ctx)
						s.note(j, err.Error())
						return false, err
					}
					err := work(ctx, j, time.Hour)
					s.note(j, err.Error())
					return true, err
				}
				s.Submit(Request{Sync: "long"})
				s.Submit(Request{Sync: "a"})
				synctest.Wait()
				if _, err := s.Desk().Trigger(t.Context(), "b", Options{}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				why := context.Canceled
				if soft {
					why = reconcile.ErrInterrupted
					close(s.soft)
				} else {
					s.abort()
				}
				<-s.ended
				s.abort()
				s.Submit(Request{Sync: "b"})
				synctest.Wait()
				slices.Sort(s.told)
				s.is(t, fmt.Sprintf("0 long, 1 a, 60 a:%s, 60 long:%s", why, why))
				if queued, _ := s.records.Queued(t.Context()); len(queued) != 1 {
					t.Errorf("queued is %+v", queued)
				}
			})
		})
	}
}

// TestARunThatCouldNotBegin is not queued for ever, and is told of.
func TestARunThatCouldNotBegin(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a")
		hub, unsubscribe := s.hub.Subscribe(events.Filter{Kinds: []events.Kind{events.Ended}})
		defer unsubscribe()
		s.runner = runnerFunc(func(context.Context, *Job) (bool, error) { return false, errors.New("no such file") })
		if _, err := s.Desk().Trigger(t.Context(), "a", Options{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		s.Submit(Request{Sync: "a"})
		time.Sleep(time.Minute)
		if r := s.recorded(t, 1); r.Status != ledger.StatusError || r.Message != "no such file" {
			t.Errorf("%+v", r)
		}
		for _, run := range []int64{1, 0} {
			if e := <-hub; e.Run != run || e.Data.(events.EndData).Message != "no such file" {
				t.Errorf("%+v is told, want run %d", e, run)
			}
		}
		s.close()
	})
}

type runnerFunc func(context.Context, *Job) (bool, error)

func (f runnerFunc) Run(ctx context.Context, j *Job) (bool, error) { return f(ctx, j) }
