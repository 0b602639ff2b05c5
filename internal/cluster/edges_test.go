package cluster

import (
	"reflect"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/events"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/reconcile/progress"
)

// TestRunsAskedForOneAfterTheOther: River tells of a job in a queue only if it has told of none for a moment, and none waits for that.
func TestRunsAskedForOneAfterTheOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := Deployment{Name: "acme", Always: true}
	a, b := w.node("a", nil, acme), w.node("b", nil, acme)
	w.until(10*time.Second, "it is at home", func() bool { return len(a.Homes())+len(b.Homes()) == 1 })
	away := a
	if len(a.Homes()) == 1 {
		away = b
	}
	asked := int64(0)
	ask := func() {
		t.Helper()
		asked++
		if err := away.Errands().Ask(t.Context(), "acme", turns.Request{Sync: "users", Why: turns.Asked, Run: asked}); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		ask()
		w.until(4*time.Second, "the first is made", func() bool { return len(w.made()) == int(asked) })
		for range 2 { // too soon after the first for River
			ask()
		}
		w.until(3*time.Second, "the others are made", func() bool { return len(w.made()) == int(asked) })
	}
}

// TestAHomeGivenToANodeThatHasDied is taken by another.
func TestAHomeGivenToANodeThatHasDied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := many(4, false)
	a, b := w.node("a", unhurried, all...), w.node("b", unhurried, all...)
	if _, err := (lookout{a.Node}).look(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.kill()
	asked := time.Now()
	for _, d := range all {
		if err := a.Errands().Ask(t.Context(), d.Name, turns.Request{Sync: "users", Why: turns.Scheduled}); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.count("kind = 'home' AND queue = $1", homesQueueOf("b")); n == 0 {
		t.Error("the dead node is given none, so that this tests nothing")
	}
	w.until(30*time.Second, "all are made", func() bool { return len(w.made()) == len(all) })
	t.Logf("the last was made after %s", time.Since(asked).Round(time.Millisecond))
}

// TestALookComesWhenALeaseEnds that nobody renews, so that a home is not without a node until the next regular look.
func TestALookComesWhenALeaseEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.node("a", unhurried)
	most := lookout{n.Node}.mostApart()
	for left, want := range map[time.Duration]time.Duration{-time.Second: most, 2 * time.Second: 2 * time.Second, time.Hour: most} {
		if _, err := w.pool.Exec(t.Context(), `WITH d AS (INSERT INTO owlat_sync.deployments (name) VALUES ('acme') ON CONFLICT (name) DO UPDATE SET name = 'acme' RETURNING id)
			INSERT INTO owlat_sync.leases (deployment, kind, epoch, holder, host, pid, purpose, since, expires) SELECT id, 'home', 1, 0, '', 0, '', now(), now() + $1::interval FROM d
			ON CONFLICT (deployment, kind) DO UPDATE SET expires = excluded.expires`, left); err != nil {
			t.Fatal(err)
		}
		soonest, err := (lookout{n.Node}).look(t.Context())
		if err != nil || soonest > want || soonest <= 0 || want == most && soonest != most {
			t.Errorf("a lease ends in %s: the next look is in %s, %v", left, soonest, err)
		}
	}
}

// TestAHomeTakesUpNotItself: the job of a home that was tried before, or came late, names an earlier lease than the last.
func TestAHomeTakesUpNotItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	let := w.holdRuns()
	acme := Deployment{Name: "acme"}
	if _, err := w.pool.Exec(t.Context(), "WITH d AS (INSERT INTO owlat_sync.deployments (name) VALUES ('acme') RETURNING id) "+
		"INSERT INTO owlat_sync.leases (deployment, kind, epoch, holder, host, pid, purpose, since, expires) SELECT id, 'home', 7, 0, '', 0, '', now(), now() FROM d"); err != nil {
		t.Fatal(err)
	}
	visitor, err := Visit(w.pool, schema, w.now, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := visitor.client.Insert(t.Context(), homeArgs{"acme", 3}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := visitor.client.Insert(t.Context(), runArgs{Deployment: "acme", Sync: "users", Run: 1}, runArgs{Deployment: "acme", Run: 1}.options()); err != nil {
		t.Fatal(err)
	}
	w.node("a", nil, acme)
	w.until(10*time.Second, "the run goes on", func() bool { return w.count("kind = 'run' AND state = 'running'") == 1 })
	if n := w.count("kind = 'home' AND state = 'running'"); n != 1 {
		t.Errorf("%d jobs of homes go on\n%s", n, w.jobs())
	}
	let()
	w.until(10*time.Second, "the home has ended", func() bool { return w.count("kind = 'home' AND state = 'completed'") == 1 })
	if n := w.count("errors IS NOT NULL"); n != 0 {
		t.Errorf("%d jobs have failed\n%s", n, w.jobs())
	}
}

// TestEveryNodeKnowsHowFarARunIs: what a home tells others, they show; but not what they have not heard of for a while.
func TestEveryNodeKnowsHowFarARunIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := Deployment{Name: "acme", Always: true}
	a, b := w.node("a", nil, acme), w.node("b", nil, acme)
	w.until(10*time.Second, "it is at home", func() bool { return len(a.Homes())+len(b.Homes()) == 1 })
	at, away := a, b
	if len(b.Homes()) == 1 {
		at, away = b, a
	}
	report := owlatsync.NewReport("users", "7")
	report.Rows, report.Outcomes[owlatsync.Created], report.Requests.Writes = 50, 20, 30
	want := progress.State{
		About: progress.About{Sync: "users", Run: 7}, Started: time.Now().UTC().Truncate(time.Microsecond), Stage: ledger.StageApplying, Stretch: 2, Rows: 50,
		Report: report, Summary: &owlatsync.Summary{Requests: 90}, Left: 6 * time.Second,
	}
	w.mu.Lock()
	w.states = map[int64]progress.State{7: want}
	w.mu.Unlock()
	books, hub := memory.New(), events.NewHub(time.Now)
	defer books.Close()
	defer hub.Close()
	line := away.Line("acme", books, hub)
	var got progress.State
	w.until(10*time.Second, "the other node has heard of it", func() (ok bool) {
		at.Tell("acme", events.Event{Kind: events.Stage, Sync: "users", Run: 7})
		got, ok = line.Progress(7)
		return ok
	})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("heard\n%+v, want\n%+v", got, want)
	}
	if _, ok := line.Progress(8); ok {
		t.Error("something is known of a run that nobody has told of")
	}
	if _, ok := away.voice.state("acme", 7, time.Now().Add(heardFor)); ok {
		t.Error("what was heard long ago is shown")
	}
	at.Tell("acme", events.Event{Kind: events.Ended, Sync: "users", Run: 7})
	w.until(10*time.Second, "the other node has heard of its end", func() bool { _, ok := line.Progress(7); return !ok })
}

// TestADeploymentThatGoesWhileItIsOpened is at home no longer than one that was, whatever there is to do.
func TestADeploymentThatGoesWhileItIsOpened(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.holdRuns()
	opening, gone := make(chan struct{}), make(chan struct{})
	w.opens = func(string) {
		close(opening)
		<-gone
	}
	a := w.node("a", nil, Deployment{Name: "acme"})
	if err := a.Errands().Ask(t.Context(), "acme", turns.Request{Sync: "users", Why: turns.Asked, Run: 1}); err != nil {
		t.Fatal(err)
	}
	<-opening
	if err := a.SetDeployments(nil); err != nil {
		t.Fatal(err)
	}
	close(gone)
	w.until(20*time.Second, "the home has ended", func() bool { return w.count("kind = 'home' AND state = 'completed'") == 1 })
	if n := len(a.Homes()); n != 0 {
		t.Errorf("%d homes are left", n)
	}
}
