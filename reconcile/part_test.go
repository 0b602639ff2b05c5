package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

// TestGuardsHoldAPart holds runs of some rows only, by every guard, and approves them: no other row is applied.
func TestGuardsHoldAPart(t *testing.T) {
	t.Parallel()
	withdrawn := append(people(21, "P", false), people(200, "P", true)[21:]...)
	for _, tt := range []struct {
		name        string
		first, then []owlatsync.Row
		part        runOptions
		guard       owlatsync.Guard // empty: not held
		want        string          // outcomes of the approved run
		sent        []string
	}{
		{
			name: "first run, keys", then: people(3, "P", true), part: runOptions{Only: []string{"2"}}, guard: owlatsync.GuardFirstRun,
			want: "created 1, skipped 2", sent: []string{"POST /contacts 1", "POST /topics/{topic}/contacts 1"},
		},
		{
			name: "first run, a number", then: people(3, "P", true), part: runOptions{Limit: 2}, guard: owlatsync.GuardFirstRun,
			want: "created 2, skipped 1", sent: []string{"POST /contacts 2", "POST /topics/{topic}/contacts 2"},
		},
		{
			name: "updates, keys", first: people(180, "P", true), then: people(180, "X", true), part: runOptions{Only: []string{"7", "8"}},
			guard: owlatsync.GuardUpdates, want: "updated 2, skipped 178", sent: []string{"PUT /contacts/{contact} 2"},
		},
		{
			name: "updates, a number", first: people(180, "P", true), then: people(180, "X", true), part: runOptions{Limit: 1},
			guard: owlatsync.GuardUpdates, want: "updated 1, skipped 179", sent: []string{"PUT /contacts/{contact} 1"},
		},
		{
			name: "updates, a number of some keys", first: people(180, "P", true), then: people(180, "X", true),
			part: runOptions{Only: []string{"7", "8", "9"}, Limit: 2}, guard: owlatsync.GuardUpdates,
			want: "updated 2, skipped 178", sent: []string{"PUT /contacts/{contact} 2"},
		},
		{
			name: "consents withdrawn", first: people(200, "P", true), then: withdrawn, part: runOptions{Only: []string{"1"}},
			guard: owlatsync.GuardRemovals, want: "updated 1, unchanged 179, skipped 20", sent: []string{"DELETE /topics/{topic}/contacts/{contact} 1"},
		},
		{
			name: "creates, a number", first: people(30, "P", false), then: people(1000, "P", false), part: runOptions{Limit: 3},
			guard: owlatsync.GuardCreates, want: "created 3, unchanged 30, skipped 967", sent: []string{"POST /contacts 3"},
		},
		{
			name: "topic adds, keys", first: people(30, "P", false), then: people(30, "P", true), part: runOptions{Only: []string{"7"}},
			guard: owlatsync.GuardTopicAdds, want: "updated 1, skipped 29", sent: []string{"POST /topics/{topic}/contacts 1"},
		},
		{
			name: "a source without rows", first: people(3, "P", true), part: runOptions{Only: []string{"1"}},
			guard: owlatsync.GuardEmptySource,
		},
		{ // Absence says nothing to a part, so that it does not count.
			name: "many leave", first: people(200, "P", true), then: people(10, "P", true), part: runOptions{Limit: 5},
			want: "unchanged 10",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			w.sync.OnMissing = reconcile.MissingDelete
			if tt.first != nil {
				w.run(tt.first...)
			}
			w.sync.Guards = reconcile.Guards{}
			before := w.requests()
			report, err := w.try(t.Context(), tt.part, rows{list: tt.then})
			if tt.guard != "" {
				var held *reconcile.HeldError
				if !errors.As(err, &held) || len(held.Hits) != 1 || held.Hits[0].Guard != tt.guard {
					t.Fatalf("error %v", err)
				}
				w.sent(before)
				kept, err := w.ledger.Run(t.Context(), held.Run)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(owlatsync.Part{Only: tt.part.Only, Limit: tt.part.Limit}, kept.Part); diff != "" {
					t.Errorf("%v, part (-want +got):\n%s", err, diff)
				}
				if report, err = w.try(t.Context(), runOptions{Approve: held.Run}, rows{list: tt.then}); err != nil {
					t.Fatalf("approve: %v", err)
				}
				if runs, err := w.ledger.Runs(t.Context(), "users", 2); err != nil || runs[1].Status != ledger.StatusApproved {
					t.Errorf("runs %+v, %v", runs, err)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			expect(t, report, tt.want)
			w.sent(before, tt.sent...)
		})
	}
}

// TestAPartIsNotApprovedWhenItMoved changes rows after a part was held: only those that were asked for count.
func TestAPartIsNotApprovedWhenItMoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(people(180, "P")...)
	w.sync.Guards = reconcile.Guards{}
	list := people(180, "X")
	hold := func() int64 {
		t.Helper()
		_, err := w.try(t.Context(), runOptions{Only: []string{"7"}}, rows{list: list})
		held, ok := errors.AsType[*reconcile.HeldError](err)
		if !ok {
			t.Fatal(err)
		}
		return held.Run
	}
	run := hold()
	list[6].Fields[owlatsync.FirstName], list[7].Fields[owlatsync.FirstName] = owlatsync.Some("Y"), owlatsync.Some("Y")
	_, err := w.try(t.Context(), runOptions{Approve: run}, rows{list: list})
	if moved, ok := errors.AsType[*reconcile.MovedError](err); !ok || !slices.Equal(moved.Keys, []string{"the row with key 7"}) {
		t.Errorf("error %v", err)
	}
	run = hold()
	list[7].Fields[owlatsync.FirstName] = owlatsync.Some("Z")
	report, err := w.try(t.Context(), runOptions{Approve: run}, rows{list: list})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, "updated 1, skipped 179")
}

// TestOnlyThePartThatWaitsIsMoot holds whole runs and parts of them, one after the other.
func TestOnlyThePartThatWaitsIsMoot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(people(180, "P")...)
	w.sync.Guards = reconcile.Guards{}
	list := people(180, "X")
	try := func(o runOptions) {
		t.Helper()
		if _, err := w.try(t.Context(), o, rows{list: list}); err != nil && !errors.Is(err, reconcile.ErrHeld) {
			t.Fatal(err)
		}
	}
	statuses := func() string {
		runs, err := w.ledger.Runs(t.Context(), "users", 0)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, run := range slices.Backward(runs[:len(runs)-1]) {
			all = append(all, string(run.Status))
		}
		return strings.Join(all, ", ")
	}
	for _, step := range []struct {
		options runOptions
		want    string
	}{
		{runOptions{}, "held"},
		{runOptions{Limit: 1}, "held, held"},
		{runOptions{Only: []string{"7"}}, "held, superseded, held"},
		{runOptions{Approve: 4}, "held, superseded, approved, ok"},
		{runOptions{Limit: 1}, "held, superseded, approved, ok, held"},
		{runOptions{}, "superseded, superseded, approved, ok, superseded, held"},
	} {
		if try(step.options); statuses() != step.want {
			t.Errorf("%+v: %s, want %s", step.options, statuses(), step.want)
		}
	}
}

// TestAPartIsForgotten forgets the person whose row alone a held run was to apply: it must not become the whole plan.
func TestAPartIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sync.KeyIsAddress = true
	w.run(byAddress("P", 180)...)
	w.sync.Guards = reconcile.Guards{}
	list := byAddress("X", 180)
	_, err := w.try(t.Context(), runOptions{Only: []string{list[6].Email.Value}}, rows{list: list})
	held, ok := errors.AsType[*reconcile.HeldError](err)
	if !ok {
		t.Fatal(err)
	}
	if _, err := w.ledger.ForgetPerson(t.Context(), list[6].Email.Value); err != nil {
		t.Fatal(err)
	}
	before := w.requests()
	if _, err := w.try(t.Context(), runOptions{Approve: held.Run}, rows{list: list}); !errors.Is(err, reconcile.ErrPartForgotten) {
		t.Errorf("error %v", err)
	}
	w.sent(before)
}

// byAddress returns rows that have no key but their address.
func byAddress(first string, n int) []owlatsync.Row {
	list := people(n, first)
	for i := range list {
		list[i].Key = ""
	}
	return list
}

// fewRuns is a ledger that cannot be asked for all the runs there ever were.
type fewRuns struct {
	*sqlite.Ledger
	t *testing.T
}

func (l fewRuns) Runs(ctx context.Context, sync string, limit int) ([]ledger.Run, error) {
	if limit < 1 || limit > 10 {
		l.t.Errorf("asked for %d runs", limit)
	}
	return l.Ledger.Runs(ctx, sync, limit)
}

// TestARunCostsNotWhatWasEverRun has runs that are held, that make held ones moot, and that have nothing to do.
func TestARunCostsNotWhatWasEverRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, err := owlat.NewClient("https://owlat.example/base", w.key, owlat.WithTransport(w.server.Transport()), owlat.WithoutLimiter())
	if err != nil {
		t.Fatal(err)
	}
	e := reconcile.New(client, fewRuns{w.ledger, t}, reconcile.Options{})
	s := w.sync
	s.Source = rows{list: people(3, "P")}
	for i, guards := range []reconcile.Guards{{}, {}, unguarded, unguarded} {
		s.Guards = guards
		if _, err := e.Run(t.Context(), s, reconcile.RunOptions{}); (err != nil) != (i < 2) || err != nil && !errors.Is(err, reconcile.ErrHeld) {
			t.Errorf("run %d: %v", i+1, err)
		}
	}
	if held, err := w.ledger.HeldRuns(t.Context(), "users"); err != nil || len(held) > 0 {
		t.Errorf("held: %v, %v", held, err)
	}
}
