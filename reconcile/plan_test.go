package reconcile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/ledger/transfer"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

// inMemory is a world whose ledger is in memory, which tests in fake time and of the lock need.
func inMemory(t *testing.T, topics ...reconcile.Topic) (*world, *memory.Ledger) {
	t.Helper()
	w := newWorld(t, topics...)
	_ = w.ledger.Close()
	memory := memory.New()
	w.through = memory
	return w, memory
}

// exportedAt is what an export has of itself.
var exportedAt = regexp.MustCompile(`"time":"[^"]*",|"sha256":"[^"]*"`)

// exported is all that a ledger holds but bookmarks and plans.
func exported(t testing.TB, store ledger.Store) string {
	t.Helper()
	var b bytes.Buffer
	if err := transfer.Export(context.Background(), store, &b); err != nil {
		t.Fatal(err)
	}
	return exportedAt.ReplaceAllString(b.String(), "")
}

// planned makes a plan, and checks that it sends no write and leaves the ledger as it is.
func (w *world) planned(list []owlatsync.Row) (decisions []reconcile.Decision, summary owlatsync.Summary) {
	w.t.Helper()
	before, requests := exported(w.t, w.through), w.requests()
	e, client := w.engine()
	defer client.CloseIdleConnections()
	s := w.sync
	s.Source = rows{list: list}
	summary, err := e.Plan(context.Background(), s, reconcile.PlanOptions{Each: func(d reconcile.Decision) error {
		decisions = append(decisions, d)
		return nil
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	if diff := cmp.Diff(before, exported(w.t, w.through)); diff != "" {
		w.t.Errorf("a plan has changed the ledger:\n%s", diff)
	}
	for what, n := range w.requests() {
		if what[:4] != http.MethodGet+" " && n != requests[what] {
			w.t.Errorf("a plan has sent %s", what)
		}
	}
	return decisions, summary
}

// edited changes random rows, and takes some away and others in.
func edited(r *rand.Rand, list []owlatsync.Row, next *int) (after []owlatsync.Row) {
	for _, row := range list {
		switch r.IntN(8) {
		case 0, 1:
			row.Fields[owlatsync.FirstName] = owlatsync.Some(fmt.Sprint("Name", r.IntN(1000)))
		case 2:
			row.Email = owlatsync.Some(fmt.Sprintf("new%d@example.com", r.IntN(1000)))
		case 3:
			row.Consents = []owlatsync.Consent{owlatsync.ConsentOf(row.Consents[0] != owlatsync.Yes)}
		case 4:
			if r.IntN(2) == 0 {
				continue
			}
		}
		after = append(after, row)
	}
	for range r.IntN(6) {
		*next++
		after = append(after, user(fmt.Sprint(*next), fmt.Sprintf("row%d@example.com", *next), "Row", r.IntN(2) == 0))
	}
	return after
}

// TestAPlanSettlesDoubtsForItself leaves creates, updates and deletes in doubt, has a plan look them up for itself, then a run that is held
// look them up and record it: a plan after that is the same.
func TestAPlanSettlesDoubtsForItself(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 2))
				w, memory := inMemory(t, reconcile.Topic{ID: "news", When: true})
				w.server.RandomSeed = seed + 1
				w.sync.OnMissing = reconcile.MissingDelete
				next := 0
				list := edited(r, nil, &next)
				for len(list) < 60 {
					list = edited(r, list, &next)
				}
				w.run(list...)
				list = edited(r, list, &next)
				if err := w.server.InjectFaults(
					owlattest.Fault{Kind: owlattest.StatusError, Method: http.MethodGet},
					owlattest.Fault{Kind: owlattest.ResetAfter, Rate: 0.5}, owlattest.Fault{Kind: owlattest.ResetBefore, Rate: 0.4},
				); err != nil {
					t.Fatal(err)
				}
				if _, err := w.try(context.Background(), runOptions{}, rows{list: list}); err != nil && !errors.Is(err, reconcile.ErrUnavailable) {
					t.Fatal(err)
				}
				w.server.ClearFaults()
				time.Sleep(48 * time.Hour) // what failed is due
				list = edited(r, list, &next)

				doubts := inDoubt(t, memory)
				if doubts < 2 {
					t.Errorf("%d entries are in doubt", doubts)
				}
				before, summary := w.planned(list)
				if n := inDoubt(t, memory); n != doubts {
					t.Errorf("%d entries are in doubt after a plan, %d before", n, doubts)
				}
				least := reconcile.Limit{Share: 1e-6}
				w.sync.Guards = reconcile.Guards{Removals: least, Updates: least}
				if _, err := w.try(context.Background(), runOptions{}, rows{list: list}); !errors.Is(err, reconcile.ErrHeld) {
					t.Fatalf("the run ended with: %v", err)
				}
				if n := inDoubt(t, memory); n > 0 {
					t.Errorf("%d entries are in doubt after a run", n)
				}
				again, summaryAgain := w.planned(list)
				if diff := cmp.Diff(again, before, cmp.AllowUnexported(reconcile.Decision{})); diff != "" {
					t.Errorf("rows (-after it was recorded +before):\n%s", diff)
				}
				summary.Lookups = 0 // what is recorded is not asked again
				if diff := cmp.Diff(summaryAgain, summary); diff != "" {
					t.Errorf("summary (-after it was recorded +before):\n%s", diff)
				}
			})
		})
	}
}

// inDoubt counts entries of the sync that are in doubt.
func inDoubt(t *testing.T, l ledger.Reader) (n int) {
	t.Helper()
	for e, err := range l.All(context.Background(), "users") {
		if err != nil {
			t.Fatal(err)
		}
		if e.Doubt {
			n++
		}
	}
	return n
}

// TestAPlanBesideARun makes plans while a run of the same sync holds the lock and is in the middle of its rows.
func TestAPlanBesideARun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, memory := inMemory(t)
		w.workers = 1
		list := people(5, "P")
		e, client := w.engine()
		defer client.CloseIdleConnections()
		s := w.sync
		s.Source = rows{list: list}
		reached, goOn := make(chan struct{}), make(chan struct{})
		var ended error
		finished := make(chan struct{})
		go func() {
			defer close(finished)
			_, ended = e.Run(context.Background(), s, reconcile.RunOptions{Observers: []progress.Observer{{Complete: true, Each: func(v progress.Value) {
				if d, ok := v.(progress.RowDone); ok && d.Key == "2" {
					close(reached)
					<-goOn
				}
			}}}})
		}()
		<-reached
		if _, err := e.Run(context.Background(), s, reconcile.RunOptions{}); !errors.Is(err, ledger.ErrLocked) {
			t.Errorf("a second run ended with: %v", err)
		}
		state, ok := e.State("users")
		if !ok || state.Run != 1 || state.Stage != ledger.StageApplying || state.Report.Outcomes[owlatsync.Created] != 2 || state.Summary == nil || state.Rows != 5 {
			t.Errorf("the state is %+v", state)
		}
		for _, of := range []ledger.Store{memory, memory.Reopen()} { // as another process has it
			w.through = of
			decisions, summary := w.planned(list)
			if len(decisions) != 3 || summary.Outcomes[owlatsync.Unchanged] != 2 || summary.Outcomes[owlatsync.Created] != 3 {
				t.Errorf("%d rows are told, summary %+v", len(decisions), summary)
			}
		}
		if _, ok := e.State("customers"); ok {
			t.Error("a sync that does not run has a state")
		}
		close(goOn)
		<-finished
		if ended != nil {
			t.Errorf("the run ended with: %v", ended)
		}
		if _, ok := e.State("users"); ok {
			t.Error("a run that has ended has a state")
		}
		if decisions, _ := w.planned(list); len(decisions) != 0 {
			t.Errorf("after the run %d rows are still to be done", len(decisions))
		}
	})
}

// TestAPlanTellsItsObservers tells all but the rows, also to one that is not complete, and needs no function to tell it to.
func TestAPlanTellsItsObservers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := inMemory(t)
		e, client := w.engine()
		defer client.CloseIdleConnections()
		s := w.sync
		s.Source = rows{list: append(people(3, "P"), user("bad", "nobody", "No"))}
		var complete, lossy []string
		each := func(told *[]string) func(progress.Value) {
			return func(v progress.Value) { *told = append(*told, fmt.Sprintf("%T", v)) }
		}
		if _, err := e.Plan(context.Background(), s, reconcile.PlanOptions{Observers: []progress.Observer{
			{Each: each(&complete), Complete: true}, {Each: each(&lossy)}, {}, {Complete: true},
		}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want := []string{"progress.Started", "progress.Staged", "progress.Scanned", "progress.Staged", "progress.Ended"}
		if diff := cmp.Diff(want, complete) + cmp.Diff(want, lossy); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}
