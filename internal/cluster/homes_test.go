package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"owlatsync/internal/testdb"
	"owlatsync/internal/turns"
)

func many(n int, always bool) (all []Deployment) {
	for i := range n {
		all = append(all, Deployment{Name: fmt.Sprintf("tenant-%02d", i), Always: always})
	}
	return all
}

func TestDeploymentsSpreadEvenly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := many(30, false)
	nodes := []*member{w.node("a", nil, all...), w.node("b", nil, all...), w.node("c", nil, all...)}
	for _, n := range nodes { // now each knows the others
		if _, err := (lookout{n.Node}).look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.holdRuns()
	for _, d := range all {
		if err := nodes[0].Errands().Ask(t.Context(), d.Name, turns.Request{Sync: "users", Why: turns.Scheduled}); err != nil {
			t.Fatal(err)
		}
	}
	asked := time.Now()
	w.until(10*time.Second, "all runs are being made", func() bool { return w.count("kind = 'run' AND state = 'running'") == len(all) })
	t.Logf("the last of %d runs began after %s", len(all), time.Since(asked).Round(time.Millisecond))
	for _, n := range nodes {
		if got := len(n.Homes()); got < 5 || got > 17 {
			t.Errorf("node %s has %d homes of %d", n.ID(), got, len(all)) // one that is slow leaves some to others
		}
	}
}

func TestHomesMoveToANodeThatJoins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := many(8, true)
	a := w.node("a", nil, all...)
	w.until(10*time.Second, "all are at home at the only node", func() bool { return len(a.Homes()) == len(all) })
	b := w.node("b", nil, all...)
	w.until(20*time.Second, "some move", func() bool { return len(b.Homes()) == 4 && len(a.Homes()) == 4 })
}

func TestBusyHomesMoveToANodeThatJoins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := many(9, false)
	a := w.node("a", nil, all...)
	let := w.holdRuns()
	for _, d := range all {
		if err := a.Errands().Ask(t.Context(), d.Name, turns.Request{Sync: "users", Why: turns.Scheduled}); err != nil {
			t.Fatal(err)
		}
	}
	w.until(10*time.Second, "all are at work at the only node", func() bool { return w.count("kind = 'run' AND state = 'running'") == len(all) })
	b := w.node("b", nil, all...)
	w.until(20*time.Second, "some move, and go on there", func() bool {
		return len(b.Homes()) >= 4 && w.count("kind = 'run' AND state = 'running'") == len(all)
	})
	let()
	w.until(10*time.Second, "the runs are made", func() bool { return w.count("kind = 'run' AND state = 'completed'") == len(all) })
}

func TestADeploymentThatListensNoMoreLeavesItsHome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.node("a", nil, many(1, true)...)
	w.until(10*time.Second, "it is at home", func() bool { return len(a.Homes()) == 1 })
	if err := a.SetDeployments(many(1, false)); err != nil {
		t.Fatal(err)
	}
	w.until(10*time.Second, "it is at home no more", func() bool { return len(a.Homes()) == 0 })
}

// TestAHomeStaysWhoseNextRunIsNear, so that a deployment which runs often is opened once.
func TestAHomeStaysWhoseNextRunIsNear(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.node("a", nil,
		Deployment{Name: "often", Syncs: []string{"users"}, Timetable: every(t, "users", 1500*time.Millisecond)},
		Deployment{Name: "seldom", Syncs: []string{"users"}, Timetable: every(t, "users", time.Hour)})
	made := func(deployment string) (n int) {
		for _, r := range w.made() {
			if r.deployment == deployment {
				n++
			}
		}
		return n
	}
	w.until(30*time.Second, "runs of both", func() bool { return made("often") >= 4 && made("seldom") == 1 })
	w.until(15*time.Second, "the end of the home that has nothing to do", func() bool {
		return w.count("kind = 'home' AND args->>'deployment' = 'seldom' AND finalized_at IS NOT NULL") == 1
	})
	if n := w.count("kind = 'home' AND args->>'deployment' = 'often'"); n != 1 {
		t.Errorf("the deployment that runs often had %d homes", n)
	}
}

func TestIdleHomesMakeRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := many(6, false)
	a := w.node("a", func(o *Options) { o.Slots, o.Linger = 2, time.Hour }, all...)
	for _, d := range all {
		if err := a.Errands().Ask(t.Context(), d.Name, turns.Request{Sync: "users", Why: turns.Scheduled}); err != nil {
			t.Fatal(err)
		}
	}
	w.until(20*time.Second, "each has its run", func() bool { return len(w.made()) == len(all) })
}

func TestANodeWithoutADeploymentLeavesItToOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.node("a", nil)
	b := w.node("b", nil, Deployment{Name: "Ümlaut GmbH & Co"})
	for i := range 3 {
		if err := a.Errands().Ask(t.Context(), "Ümlaut GmbH & Co", turns.Request{Sync: fmt.Sprint("users", i), Why: turns.Scheduled}); err != nil {
			t.Fatal(err)
		}
	}
	w.until(10*time.Second, "the runs are made", func() bool { return len(w.made()) == 3 })
	for _, r := range w.made() {
		if r.node != b.ID() {
			t.Errorf("%+v", r)
		}
	}
}

func TestARunThatFailsOnOneNodeIsMadeOnAnother(t *testing.T) {
	t.Parallel()
	for name, given := range map[string]bool{
		"the first time": false,
		// The other node may have had the home because of it without trying it: it had left when the run was due again.
		"when the home was given away for it before": true,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			acme := Deployment{Name: "acme", Always: true} // it leaves no home because it has nothing to do
			a := w.node("a", nil, acme)
			w.failAt = "a"
			if err := a.Errands().Ask(t.Context(), "acme", turns.Request{Sync: "users", Why: turns.Scheduled}); err != nil {
				t.Fatal(err)
			}
			b := w.node("b", nil, acme)
			if _, err := (lookout{a.Node}).look(t.Context()); err != nil {
				t.Fatal(err)
			}
			within := time.Minute
			if given { // it would be given away again in the end
				a.crew.MayFlee("acme", syncOf("leads"), false)
				within /= 2
			}
			if err := a.Errands().Ask(t.Context(), "acme", turns.Request{Sync: "leads", Why: turns.Scheduled}); err != nil {
				t.Fatal(err)
			}
			// Where leases end early because the machine is busy, the home comes back once and leaves again.
			w.until(within, "the run is made where it works", func() bool {
				return slices.ContainsFunc(w.made(), func(r madeRun) bool { return r.node == b.ID() && r.Sync == "leads" })
			})
		})
	}
}

// TestAHomeStaysForARunThatIsTriedAgainSoon, so that the node to which the home was given for that does try it.
func TestAHomeStaysForARunThatIsTriedAgainSoon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.node("a", func(o *Options) { o.Linger = 200 * time.Millisecond }, Deployment{Name: "acme"})
	args := argsOf("acme", turns.Request{Sync: "leads", Why: turns.Scheduled})
	opts := args.options()
	opts.ScheduledAt = w.now.Now().Add(1800 * time.Millisecond)
	if _, err := a.client.InsertMany(t.Context(), []river.InsertManyParams{{Args: args, InsertOpts: opts}}); err != nil {
		t.Fatal(err)
	}
	if err := a.Errands().Ask(t.Context(), "acme", turns.Request{Sync: "users", Why: turns.Scheduled}); err != nil {
		t.Fatal(err)
	}
	w.until(time.Minute, "both are made", func() bool { return len(w.made()) == 2 })
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.homes) != 1 {
		t.Errorf("%d homes, want one for both", len(w.homes))
	}
}

// gate is a way to a server that can be closed for a while without either end being told.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // closed: open
}

func (g *gate) wait() {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
}

func (g *gate) close() (open func()) {
	shut := make(chan struct{})
	g.mu.Lock()
	g.shut = shut
	g.mu.Unlock()
	return func() { close(shut) }
}

// through returns a DSN through a proxy with the gate.
func (g *gate) through(t *testing.T, dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	server := u.Host
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var pipes sync.WaitGroup
	t.Cleanup(func() { l.Close(); pipes.Wait() })
	pipe := func(to, from net.Conn) {
		defer to.Close()
		defer from.Close()
		buffer := make([]byte, 32<<10)
		for {
			n, err := from.Read(buffer)
			if err != nil {
				return
			}
			g.wait()
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", server)
			if err != nil {
				c.Close()
				continue
			}
			pipes.Go(func() { pipe(s, c) })
			pipes.Go(func() { pipe(c, s) })
		}
	}()
	u.Host = l.Addr().String()
	return u.String()
}

func TestANodeThatHearsNothingLetsGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := Deployment{Name: "acme"}
	var g gate
	straight := w.dsn
	w.dsn = g.through(t, straight)
	a := w.node("a", nil, acme)
	w.dsn = straight
	let := w.holdRuns()
	if err := a.Errands().Ask(t.Context(), "acme", turns.Request{Sync: "users", Why: turns.Asked, Run: 7}); err != nil {
		t.Fatal(err)
	}
	w.until(5*time.Second, "the run begins", func() bool { return w.count("kind = 'run' AND state = 'running'") == 1 })
	b := w.node("b", nil, acme)
	open := g.close()
	w.until(10*time.Second, "the other node has it", func() bool {
		return len(b.Homes()) == 1 && w.count("kind = 'run' AND state = 'running' AND 'b' = ANY(attempted_by)") == 1
	})
	w.until(5*time.Second, "the first has let go", func() bool {
		w.mu.Lock()
		first := w.homes[0]
		w.mu.Unlock()
		first.mu.Lock()
		defer first.mu.Unlock()
		return !first.closed.IsZero()
	})
	open()
	let()
	w.until(10*time.Second, "the run is made", func() bool {
		return len(w.made()) > 0 && w.count("kind = 'run' AND state IN ('available', 'running')") == 0
	})
	for _, r := range w.made() {
		if r.node != "b" || r.Run != 7 {
			t.Errorf("%+v", r)
		}
	}
}

func TestACallWhoseHomeDiedIsNotRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := Deployment{Name: "acme", Always: true}
	a := w.node("a", nil, acme)
	w.until(5*time.Second, "a home", func() bool { return len(a.Homes()) == 1 })
	b := w.node("b", nil, acme)
	answered := make(chan error, 1)
	go func() {
		_, err := b.Errands().Call(t.Context(), "acme", json.RawMessage(`"hang"`))
		answered <- err
	}()
	w.until(5*time.Second, "the call is being done", func() bool { return w.count("kind = 'call' AND state = 'running'") == 1 })
	a.kill()
	err := <-answered
	if e, ok := errors.AsType[*CallError](err); !ok || !e.Unknown {
		t.Errorf("%v", err)
	}
}

func TestThroughAPoolerOfTransactions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dsn = testdb.PgBouncer(t, w.dsn, 5)
	acme := Deployment{Name: "acme"}
	a, b := w.node("a", nil, acme), w.node("b", nil, acme)
	if !a.o.PollOnly || !b.o.PollOnly {
		t.Error("notifications seem to arrive")
	}
	for run := range int64(2) {
		if err := a.Errands().Ask(t.Context(), "acme", turns.Request{Sync: "users", Why: turns.Asked, Run: run + 1}); err != nil {
			t.Fatal(err)
		}
	}
	w.until(10*time.Second, "the runs are made", func() bool { return len(w.made()) == 2 })
	answer, err := b.Errands().Call(t.Context(), "acme", json.RawMessage(`"x"`))
	if err != nil {
		t.Errorf("%s, %v", answer, err)
	}
}

// TestAHomeSaysWhyItEnds in the log, of which people think first.
func TestAHomeSaysWhyItEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var log logged
	n := w.node("a", func(o *Options) { o.Logger = log.logger() }, Deployment{Name: "acme", Always: true})
	w.until(10*time.Second, "it is at home", func() bool { return len(n.Homes()) == 1 })
	if err := n.SetDeployments(nil); err != nil {
		t.Fatal(err)
	}
	w.until(10*time.Second, "it says why it ends", func() bool {
		return log.has(`msg="a deployment has left its home here"`, `why="`+isGone+`"`)
	})
}

// TestAHomeThatCannotBeTakenIsSpokenOf has a server that lacks what a lease needs, as after a migration that was made by hand.
func TestAHomeThatCannotBeTakenIsSpokenOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var log logged
	w.node("a", func(o *Options) {
		o.Leases = leasesFunc(func() (Lease, error) { return nil, errors.New("there is no function outlast") })
		o.Logger = log.logger()
	}, Deployment{Name: "acme", Always: true})
	w.until(15*time.Second, "it says what fails, and for which deployment", func() bool {
		return log.has("level=WARN", "job=home deployment=acme", "there is no function outlast")
	})
}

type leasesFunc func() (Lease, error)

func (l leasesFunc) Home(context.Context, string) (Lease, error) { return l() }

// logged is what a node has logged. It is safe for concurrent use.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// Write implements io.Writer.
func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// has reports whether all of these were logged.
func (l *logged) has(all ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !slices.ContainsFunc(all, func(one string) bool { return !strings.Contains(l.text.String(), one) })
}
