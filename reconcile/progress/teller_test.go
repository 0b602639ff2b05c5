package progress

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var about = About{Sync: "users", Run: 7}

// teller returns one that has sent so many requests, of which each takes a second.
func teller(sent owlatsync.RequestCounts, observers ...Observer) *Teller {
	return NewTeller(about, observers, func() owlatsync.RequestCounts { return sent }, func(n int) time.Duration { return time.Duration(n) * time.Second })
}

func row(key string, o owlatsync.Outcome) step.Decision {
	return step.NewDecision(key, owlatsync.Position{}, key+"@example.com", o, "")
}

// words names a value by its kind, and by what tells it from others of its kind.
func words(v Value) string {
	switch v := v.(type) {
	case RowDone:
		return v.Key
	case Dropped:
		return fmt.Sprint("dropped ", v.Values)
	case Staged:
		return string(v.Stage)
	case Ended:
		return "ended " + string(v.Status)
	}
	return reflect.TypeOf(v).Name()
}

// TestAStreamIsInOrder tells one of each value to one observer that is complete and to one that is not.
func TestAStreamIsInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var complete, lossy []Value
		tell := teller(owlatsync.RequestCounts{}, Observer{Each: func(v Value) { complete = append(complete, v) }, Complete: true},
			Observer{Each: func(v Value) { lossy = append(lossy, v) }}, Observer{})
		tell.Stage(ledger.StageReading)
		tell.Stage(ledger.StageReading) // as it was
		tell.Scanned(1, false)
		tell.Scanned(2, true)
		tell.Listed(1, 1)
		tell.Planned(owlatsync.Summary{Rows: 2})
		tell.Held([]owlatsync.Hit{{Guard: owlatsync.GuardRemovals}})
		tell.Admitted()
		tell.Row(row("a", owlatsync.Created), "", false)
		tell.Row(row("b", owlatsync.Unchanged), "", false)
		report := tell.Report()
		tell.Ended(ledger.StatusOK, "well", report)
		tell.Ended(ledger.StatusError, "again", report)
		synctest.Wait()
		want := []Value{
			Started{about, time.Now()}, Staged{about, ledger.StageReading}, Scanned{about, 1, false}, Scanned{about, 2, true}, Listed{about, 1, 1},
			Planned{about, owlatsync.Summary{Rows: 2}}, Held{about, []owlatsync.Hit{{Guard: owlatsync.GuardRemovals}}}, Admitted{about},
			RowDone{about, row("a", owlatsync.Created), "", ""}, Ended{about, ledger.StatusOK, "well", report},
		}
		for who, got := range map[string][]Value{"complete": complete, "lossy": lossy} {
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(step.Decision{})); diff != "" {
				t.Errorf("the observer that is %s (-want +got):\n%s", who, diff)
			}
		}
	})
}

// TestASlowObserverLosesValues blocks an observer while a run tells more than waits for it: the run goes on, and the observer learns how
// much it was not told.
func TestASlowObserverLosesValues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []string
		next := make(chan struct{})
		tell := teller(owlatsync.RequestCounts{}, Observer{Each: func(v Value) {
			<-next
			got = append(got, words(v))
		}})
		want, sent := []string{"Started"}, 0
		send := func(n, kept int) { // so many, of which the first are kept
			for i := range n {
				sent++
				name := fmt.Sprint("row ", sent)
				if tell.Row(row(name, owlatsync.Created), "", false); i < kept {
					want = append(want, name)
				}
			}
		}
		synctest.Wait() // Started is with the observer
		send(queued+100, queued)
		for range 3 {
			next <- struct{}{}
			synctest.Wait()
		}
		want = append(want, "dropped 100")
		send(20, 2) // three places are free, of which one goes to what is dropped
		next <- struct{}{}
		synctest.Wait()
		send(5, 0) // one is free, too few to say so and tell more
		want = append(want, "dropped 23", "ended ok")
		tell.Ended(ledger.StatusOK, "", tell.Report())
		close(next)
		synctest.Wait()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if n := tell.Report().Outcomes[owlatsync.Created]; n != sent {
			t.Errorf("%d rows are counted, want %d", n, sent)
		}
	})
}

// TestABlockedObserverDoesNotHoldTheEnd ends a run before its observer has had its first value, with room for all or not.
func TestABlockedObserverDoesNotHoldTheEnd(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{0, 10, queued, 3 * queued} {
		t.Run(fmt.Sprint(rows), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				told, dropped, last := 0, 0, ""
				blocked := make(chan struct{})
				tell := teller(owlatsync.RequestCounts{}, Observer{Each: func(v Value) {
					<-blocked
					if d, ok := v.(Dropped); ok {
						dropped += d.Values
					} else {
						told++
					}
					last = words(v)
				}})
				for i := range rows {
					tell.Row(row(fmt.Sprint(i), owlatsync.Updated), "", false)
				}
				tell.Ended(ledger.StatusOK, "", tell.Report())
				close(blocked)
				synctest.Wait()
				if told+dropped != rows+2 || last != "ended ok" || rows <= queued-1 && dropped > 0 {
					t.Errorf("%d values told and %d dropped of %d, the last: %s", told, dropped, rows+2, last)
				}
			})
		})
	}
}

// TestACompleteObserverIsToldEverything has many goroutines tell, beside an observer that is not complete, and others ask how the run
// stands.
func TestACompleteObserverIsToldEverything(t *testing.T) {
	t.Parallel()
	const workers, each = 8, 300
	var inside atomic.Int32
	seen := make(map[string][]string) // rows by worker; without a lock, because calls come one at a time
	total, lossy, dropped := 0, 0, 0
	ended := make(chan struct{})
	tell := teller(owlatsync.RequestCounts{Writes: 40}, Observer{Complete: true, Each: func(v Value) {
		if inside.Add(1) != 1 {
			t.Error("two calls at once")
		}
		defer inside.Add(-1)
		total++
		if d, ok := v.(RowDone); ok {
			seen[d.Reason] = append(seen[d.Reason], d.Key)
		}
	}}, Observer{Each: func(v Value) {
		switch v := v.(type) {
		case Ended:
			defer close(ended)
		case Dropped:
			dropped += v.Values
			return
		}
		lossy++
	}})
	tell.Planned(owlatsync.Summary{Requests: 100})
	var telling, asking sync.WaitGroup
	rest := make(chan struct{})
	for range 2 {
		asking.Go(func() {
			for before := 0; ; {
				s := tell.State()
				sum := 0
				for _, n := range s.Report.Outcomes {
					sum += n
				}
				if sum < before || s.Summary == nil || s.Left != 60*time.Second || s.About != about {
					t.Errorf("%d rows after %d, state %+v", sum, before, s)
				}
				before = sum
				s.Report.Outcomes[owlatsync.Failed]-- // the report is the asker's own
				select {
				case <-rest:
					return
				default:
				}
			}
		})
	}
	for w := range workers {
		telling.Go(func() {
			for i := range each {
				d := row(fmt.Sprint(i), owlatsync.Outcomes[i%len(owlatsync.Outcomes)])
				d.Reason = fmt.Sprint("worker ", w)
				tell.Row(d, "", i%3 == 0)
				tell.Memberships(owlatsync.MembershipCounts{Added: 1, Skipped: 2})
			}
		})
	}
	telling.Wait()
	close(rest)
	asking.Wait()
	tell.Ended(ledger.StatusOK, "", tell.Report())
	<-ended
	told := 0
	for w := range workers {
		var want []string
		for i := range each {
			if owlatsync.Outcomes[i%len(owlatsync.Outcomes)] != owlatsync.Unchanged {
				want = append(want, fmt.Sprint(i))
			}
		}
		told += len(want)
		if !slices.Equal(want, seen[fmt.Sprint("worker ", w)]) {
			t.Errorf("worker %d: rows %v", w, seen[fmt.Sprint("worker ", w)])
		}
	}
	if total != told+3 || lossy+dropped != total {
		t.Errorf("%d values, %d and %d dropped to the other; want %d", total, lossy, dropped, told+3)
	}
	r := tell.Report()
	sum := 0
	for _, n := range r.Outcomes {
		sum += n
	}
	if sum != workers*each || r.Missing != workers*each/3 || r.Memberships != (owlatsync.MembershipCounts{Added: workers * each, Skipped: 2 * workers * each}) {
		t.Errorf("report %+v", r)
	}
}

// TestOutcomesAddUp ends runs with rows that have no outcome: they count as skipped.
func TestOutcomesAddUp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                       string
		read, unchanged, done, out int // out: that left the source
		skipped                    int
	}{
		{"nothing was read", 0, 0, 0, 0, 0},
		{"every row has an outcome", 10, 7, 3, 2, 0},
		{"some have none", 10, 2, 3, 1, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tell := teller(owlatsync.RequestCounts{Total: 3})
			tell.Read(tt.read)
			tell.Unchanged(tt.unchanged)
			for i := range tt.done {
				tell.Row(row(fmt.Sprint(i), owlatsync.Created), "", false)
			}
			for i := range tt.out {
				tell.Row(row(fmt.Sprint("left ", i), owlatsync.Removed), "", true)
			}
			if unfinished := tell.Report(); tt.skipped > 0 == unfinished.Balanced() {
				t.Errorf("before the end %+v", unfinished)
			}
			tell.Complete()
			r := tell.Report()
			if !r.Balanced() || r.Outcomes[owlatsync.Skipped] != tt.skipped || r.Missing != tt.out || r.Requests.Total != 3 || r.Run != "7" {
				t.Errorf("report %+v", r)
			}
		})
	}
}

// TestState asks how a run stands at each of its stages.
func TestState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sent := owlatsync.RequestCounts{}
		tell := NewTeller(about, nil, func() owlatsync.RequestCounts { return sent }, func(n int) time.Duration { return time.Duration(n) * time.Second })
		began := time.Now()
		check := func(stage ledger.Stage, rows int, left time.Duration) {
			t.Helper()
			s := tell.State()
			if s.About != about || !s.Started.Equal(began) || s.Stage != stage || s.Rows != rows || s.Left != left || s.Report.Rows != rows ||
				s.Report.Seconds != time.Since(began).Seconds() {
				t.Errorf("state %+v with report %+v", s, s.Report)
			}
		}
		check(ledger.StageStarting, 0, 0)
		time.Sleep(time.Second)
		tell.Stage(ledger.StageReading)
		tell.Scanned(1000, false)
		check(ledger.StageReading, 1000, 0)
		tell.Planned(owlatsync.Summary{Requests: 10})
		check(ledger.StageReading, 1000, 10*time.Second)
		tell.Stage(ledger.StageApplying)
		sent.Writes = 4
		check(ledger.StageApplying, 1000, 6*time.Second)
		sent.Writes = 12 // some were sent again
		check(ledger.StageApplying, 1000, 0)
	})
}
