package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"owlatsync"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(migrated.Exit)) }

func TestARunThatAnyNodeAsksForIsMadeOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := Deployment{Name: "acme"}
	a := w.node("a", nil, acme)
	b := w.node("b", nil, acme)
	began := time.Now()
	for i, n := range []*member{a, b} {
		if err := n.Errands().Ask(t.Context(), "acme", turns.Request{Sync: "users", Why: turns.Asked, Run: int64(i + 1)}); err != nil {
			t.Fatal(err)
		}
		if err := n.Errands().Ask(t.Context(), "acme", turns.Request{Sync: "users", Why: turns.Asked, Run: int64(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	w.until(5*time.Second, "two runs", func() bool { return len(w.made()) == 2 })
	w.until(10*time.Second, "the home ends that has nothing to do", func() bool { return len(a.Homes())+len(b.Homes()) == 0 })
	runs := w.made()
	if len(runs) != 2 || runs[0].node != runs[1].node || runs[0].Run == runs[1].Run {
		t.Errorf("%+v", runs)
	}
	for _, r := range runs {
		if early, late := began.Sub(r.Since), time.Since(r.Since); early > 5*time.Second || late < 0 {
			t.Errorf("a run was asked for %s before that, and %s ago", early, late)
		}
	}
	if n := w.count("kind = 'run' AND state = 'completed' AND (metadata->'output'->>'run')::int > 0"); n != 2 {
		t.Errorf("%d jobs say the number of their run\n%s", n, w.jobs())
	}
}

func TestRequestsForEverythingThatWaitBecomeOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.node("a", nil) // it has no deployment, so that all waits
	for _, r := range []turns.Request{
		{Sync: "users", Why: turns.Scheduled}, {Sync: "users", Why: turns.Scheduled}, {Sync: "leads", Why: turns.Scheduled},
		{Sync: "users", Why: turns.Scheduled, Full: true}, {Sync: "users", Why: turns.Scheduled}, {Sync: "users", Why: turns.Notified, Keys: []string{"secret-key"}},
	} {
		if err := n.Errands().Ask(t.Context(), "acme", r); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Errands().Ask(t.Context(), "acme", turns.Request{Sync: "users", Part: owlatsync.Part{Limit: 1}}); err == nil {
		t.Error("a run of some rows without a number is asked for")
	}
	if got := w.count("args::text LIKE '%secret-key%'"); got != 0 {
		t.Errorf("a job names a row\n%s", w.jobs())
	}
	if got := w.count("kind = 'run' AND state = 'available'"); got != 3 {
		t.Errorf("%d runs wait\n%s", got, w.jobs())
	}
	if got := w.count("kind = 'home'"); got != 1 {
		t.Errorf("%d homes are asked for\n%s", got, w.jobs())
	}
}

func TestAnotherNodeGoesOnAfterADeath(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := Deployment{Name: "acme"}
	a, b := w.node("a", nil, acme), w.node("b", nil, acme)
	let := w.holdRuns()
	for run := range int64(3) {
		if err := a.Errands().Ask(t.Context(), "acme", turns.Request{Sync: fmt.Sprint("s", run), Why: turns.Asked, Run: run + 1}); err != nil {
			t.Fatal(err)
		}
	}
	w.until(15*time.Second, "the runs begin", func() bool { return w.count("kind = 'run' AND state = 'running'") == 3 })
	dead, other := a, b
	if len(b.Homes()) == 1 {
		dead, other = b, a
	}
	killed := time.Now()
	dead.kill()
	w.until(15*time.Second, "the other node takes over", func() bool { return len(other.Homes()) == 1 && w.count("kind = 'run' AND state = 'running'") == 3 })
	t.Logf("taken over after %s with leases of %s", time.Since(killed).Round(time.Millisecond), w.ttl)
	if time.Since(killed) > w.ttl+2*time.Second {
		t.Errorf("it took %s", time.Since(killed))
	}
	let()
	w.until(5*time.Second, "the runs are made", func() bool { return w.count("kind = 'run' AND state = 'completed'") == 3 })
	seen := map[int64]bool{}
	for _, r := range w.made() {
		if r.node != other.ID() || seen[r.Run] {
			t.Errorf("%+v", r)
		}
		seen[r.Run] = true
	}
	w.until(15*time.Second, "the dead node's job for the home is put away", func() bool { return w.count("kind = 'home' AND state = 'discarded'") == 1 })
}

func TestAStoppingNodeHandsItsRunsOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := Deployment{Name: "acme"}
	a := w.node("a", nil, acme)
	w.holdRuns()
	if err := a.Errands().Ask(t.Context(), "acme", turns.Request{Sync: "users", Why: turns.Asked, Run: 7}); err != nil {
		t.Fatal(err)
	}
	w.until(5*time.Second, "the run begins", func() bool { return w.count("kind = 'run' AND state = 'running'") == 1 })
	b := w.node("b", nil, acme)
	began := time.Now()
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the stop took %s", took)
	}
	w.until(6*time.Second, "the other node has the run", func() bool {
		return len(b.Homes()) == 1 && w.count("kind = 'run' AND state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = 'b'") == 1
	})
	if got := w.count("kind = 'run' AND attempt > 1"); got != 0 {
		t.Errorf("the hand-over counts as a failure\n%s", w.jobs())
	}
}

func TestARunIsCancelledFromAnotherNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := Deployment{Name: "acme"}
	a, b := w.node("a", nil, acme), w.node("b", nil, acme)
	w.holdRuns()
	if err := a.Errands().Ask(t.Context(), "acme", turns.Request{Sync: "users", Why: turns.Asked, Run: 7}); err != nil {
		t.Fatal(err)
	}
	w.until(5*time.Second, "the run begins", func() bool { return w.count("kind = 'run' AND state = 'running'") == 1 })
	asks := a
	if len(a.Homes()) == 1 {
		asks = b
	}
	if was, err := asks.Errands().Cancel(t.Context(), "acme", 7); !was || err != nil {
		t.Fatal(was, err)
	}
	w.until(3*time.Second, "the job is cancelled", func() bool { return w.count("kind = 'run' AND state = 'cancelled'") == 1 })
	if was, err := asks.Errands().Cancel(t.Context(), "acme", 7); was || err != nil {
		t.Errorf("a run that is over: %v, %v", was, err)
	}
	if runs := w.made(); len(runs) != 0 {
		t.Errorf("%+v", runs)
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	away := errors.New("the source is away")
	for _, test := range []struct {
		name string
		out  turns.Outcome
		want string
	}{
		{"done", turns.Outcome{Ended: true}, "<nil>"},
		{"the home ends", turns.Outcome{}, "JobSnoozeError"},
		{"the lock is lost", turns.Outcome{Ended: true, Err: fmt.Errorf("record: %w", ledger.ErrLockLost)}, "JobSnoozeError"},
		{"held by another", turns.Outcome{Ended: true, Err: &ledger.LockedError{}}, "JobSnoozeError"},
		{"may pass", turns.Outcome{Ended: true, Err: away, Again: true}, away.Error()},
		{"does not pass", turns.Outcome{Ended: true, Err: away}, "JobCancelError: " + away.Error()},
	} {
		if got := fmt.Sprint(verdict(t.Context(), test.out)); len(got) < len(test.want) || got[:len(test.want)] != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestACallIsDoneByTheHome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := Deployment{Name: "acme"}
	a, b := w.node("a", nil, acme), w.node("b", nil, acme)
	w.holdRuns()
	if err := a.Errands().Ask(t.Context(), "acme", turns.Request{Sync: "users", Why: turns.Asked, Run: 1}); err != nil {
		t.Fatal(err)
	}
	w.until(5*time.Second, "a home", func() bool { return len(a.Homes())+len(b.Homes()) == 1 })
	home := a
	if len(b.Homes()) == 1 {
		home = b
	}
	for _, n := range []*member{a, b} {
		answer, err := n.Errands().Call(t.Context(), "acme", json.RawMessage(`"optout"`))
		if want := fmt.Sprintf(`"%s did \"optout\""`, home.ID()); err != nil || string(answer) != want {
			t.Errorf("%s, %v, want %s", answer, err, want)
		}
		_, err = n.Errands().Call(t.Context(), "acme", json.RawMessage(`"wrong"`))
		if e, ok := errors.AsType[*CallError](err); !ok || e.Unknown {
			t.Errorf("%v", err)
		}
	}
	visitor, err := Visit(w.pool, schema, w.now, nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := visitor.Call(t.Context(), "acme", json.RawMessage(`"upsert"`)); err != nil || string(answer) != fmt.Sprintf(`"%s did \"upsert\""`, home.ID()) {
		t.Errorf("for somebody who is no node: %s, %v", answer, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	_, err = a.Errands().Call(ctx, "nobody", json.RawMessage(`1`))
	if e, ok := errors.AsType[*CallError](err); !errors.Is(err, context.DeadlineExceeded) || !ok || !e.NotSent() {
		t.Errorf("a call that nobody does: %v", err)
	}
	if got := w.count("kind = 'call' AND state IN ('available', 'running')"); got != 0 {
		t.Errorf("%d calls wait\n%s", got, w.jobs())
	}
}

// TestANodeNeedsTheTablesOfRiver and says which command makes them. One that has not begun has nothing to end.
func TestANodeNeedsTheTablesOfRiver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, sql := range []string{"DELETE FROM owlat_sync.river_migration WHERE version = (SELECT max(version) FROM owlat_sync.river_migration)", "DROP TABLE owlat_sync.river_job, owlat_sync.river_migration"} {
		if _, err := w.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		m := &member{w: w, pool: w.pool}
		n, err := New(t.Context(), Options{Pool: w.pool, Schema: schema, Homes: m, Leases: m})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "owlat-sync ledger migrate") {
			t.Errorf("start: %v", err)
		}
		if err := n.Stop(t.Context()); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
}
