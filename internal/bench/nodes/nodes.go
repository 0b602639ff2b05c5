// Package nodes measures what several machines that share a ledger make of the budget of one key.
package nodes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"owlatsync"
	"owlatsync/internal/bench/bubble"
	"owlatsync/internal/bench/findings"
	"owlatsync/internal/errand"
	"owlatsync/internal/list"
	"owlatsync/internal/setup"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

const (
	runs     = 15
	rows     = 120
	ms       = time.Millisecond
	sendPart = 0.95 // the least part of the budget that is to be used
)

// scenario is a way in which machines take turns. Each run is made by the next of them.
type scenario struct {
	Name  string
	Nodes int
	Lists int // commands that have a list sent by whoever has the budget
	// Freezes makes every third run lose the ledger in the middle to the next, without a word to its holder.
	Freezes bool
}

func scenarios() []scenario {
	return []scenario{
		{Name: "1 node", Nodes: 1},
		{Name: "3 nodes", Nodes: 3},
		{Name: "10 nodes", Nodes: 10},
		{Name: "3 nodes, and 5 lists sent through them", Nodes: 3, Lists: 5},
		{Name: "3 nodes, of which one freezes in every third run", Nodes: 3, Freezes: true},
	}
}

// outcome is what the emulator counted.
type outcome struct {
	Allowed         float64 // what the limit allowed in the time
	Passed, Refused int
	Hands           int // how often the ledger changed hands
}

func (r outcome) share() float64 { return float64(r.Passed) / r.Allowed }

// node is a machine.
type node struct {
	engine  *reconcile.Engine
	carrier *errand.Carrier
}

// play plays one scenario in a bubble.
type play struct {
	scenario
	server *owlattest.Server
	key    string
	book   *memory.Ledger
	nodes  []node
	holder atomic.Int64 // which of them has the ledger
}

// Call implements errand.Line: the holder does it.
func (p *play) Call(ctx context.Context, _ string, sealed json.RawMessage) (json.RawMessage, error) {
	return p.nodes[p.holder.Load()].carrier.Carry(ctx, sealed)
}

func (p *play) client(limiter *owlat.Limiter) (*owlat.Client, error) {
	return owlat.NewClient("https://owlat.example", p.key, owlat.WithTransport(p.server.Transport()), owlat.WithLimiter(limiter))
}

func (p *play) open() error {
	p.server = &owlattest.Server{RandomSeed: 1}
	p.key, p.book = p.server.AddKey(), memory.New()
	err := p.server.InjectFaults(owlattest.Fault{Kind: owlattest.Latency, Delay: 10 * ms, Jitter: 20 * ms}, owlattest.Fault{Kind: owlattest.Latency, Delay: 10 * ms, Jitter: 20 * ms, After: true})
	if err != nil {
		return err
	}
	for range p.Nodes {
		client, err := p.client(owlat.NewPartLimiter(setup.HoldersPart))
		if err != nil {
			return err
		}
		carrier, err := errand.NewCarrier(client, p.key)
		if err != nil {
			return err
		}
		p.nodes = append(p.nodes, node{reconcile.New(client, p.book.Reopen(), reconcile.Options{Shared: true}), carrier})
	}
	return nil
}

// measure plays the scenario.
func (p *play) measure(ctx context.Context) (r outcome, err error) {
	if err := p.open(); err != nil {
		return r, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer cancel()
	rest, err := p.client(owlat.NewPartLimiter(setup.SharePart))
	if err != nil {
		return r, err
	}
	rest.Drain()
	others.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			_, _ = rest.Contacts.Upsert(ctx, owlat.CreateContactRequest{Email: fmt.Sprintf("rest%d@example.org", i)})
		}
	})
	for n := range p.Lists {
		client, err := p.client(owlat.NewAutoLimiter())
		if err == nil {
			client, err = errand.NewClient(client, p.key, p, "", p.server.Transport())
		}
		if err != nil {
			return r, err
		}
		var entries []list.Entry
		for i := range 100 {
			entries = append(entries, list.Entry{Contact: fmt.Sprintf("user%d@%d.example", i, n)})
		}
		others.Go(func() { _, _ = list.Upsert().Do(ctx, client, entries, nil, nil, func(list.Result) {}) })
	}
	began := time.Now()
	if err := p.takeTurns(ctx, &r); err != nil {
		return r, err
	}
	took := time.Since(began)
	stats := p.server.Stats()
	r.Refused, r.Passed, r.Allowed = stats.RateLimited, stats.Total-stats.RateLimited, 10*took.Seconds()
	return r, nil
}

// takeTurns lets the nodes make runs one after the other.
func (p *play) takeTurns(ctx context.Context, r *outcome) error {
	var frozen sync.WaitGroup
	defer frozen.Wait()
	for i := range runs {
		n := i % p.Nodes
		p.holder.Store(int64(n))
		if p.Nodes > 1 {
			r.Hands++
		}
		done := make(chan error, 1)
		frozen.Go(func() { done <- p.run(ctx, n, i) })
		if p.Freezes && i%3 == 2 {
			select {
			case err := <-done:
				return fmt.Errorf("run %d was to lose its ledger, and has ended: %w", i+1, err)
			case <-time.After(6 * time.Second):
			}
			if err := p.book.LoseLock(); err != nil {
				return err
			}
			continue // its own requests must stop by themselves
		}
		if err := <-done; err != nil {
			return fmt.Errorf("run %d: %w", i+1, err)
		}
	}
	return nil
}

func (p *play) run(ctx context.Context, n, run int) error {
	guards := reconcile.Guards{Removals: reconcile.NoLimit, Updates: reconcile.NoLimit, Creates: reconcile.NoLimit, FirstRun: true}
	s := reconcile.Sync{Name: "users", Guards: guards, Source: people(run)}
	_, err := p.nodes[n].engine.Run(ctx, s, reconcile.RunOptions{})
	if errors.Is(err, ledger.ErrLockLost) && p.Freezes {
		return nil
	}
	return err
}

// people is a source of which every row is another in each run.
type people int

// Rows implements reconcile.Source.
func (p people) Rows(ctx context.Context) iter.Seq2[*owlatsync.Row, error] {
	return func(yield func(*owlatsync.Row, error) bool) {
		for i := range rows {
			row := owlatsync.Row{
				Key: fmt.Sprint(i), Email: owlatsync.Some(fmt.Sprintf("user%d@example.com", i)), Position: owlatsync.Position{Unit: "row", Number: i + 1},
				Fields: owlatsync.Fields{owlatsync.FirstName: owlatsync.Some(fmt.Sprint("Name ", int(p)))},
			}
			if ctx.Err() != nil || !yield(&row, nil) {
				return
			}
		}
	}
}

// goals are what a scenario is to reach.
func (sc scenario) goals(r outcome) []findings.Goal {
	return []findings.Goal{
		{What: "nodes, " + sc.Name + ": 429s", Want: "no 429", Got: fmt.Sprintf("%d of %d", r.Refused, r.Passed+r.Refused), Missed: r.Refused > 0},
		{
			What: "nodes, " + sc.Name + ": share sent", Want: fmt.Sprintf("at least %.0f %%", 100*sendPart),
			Got: fmt.Sprintf("%.1f %%", 100*r.share()), Missed: r.share() < sendPart,
		},
	}
}

// Measure plays every scenario in fake time.
func Measure(ctx context.Context, log io.Writer) (findings.Section, error) {
	found := findings.Section{
		Title: "The budget of several machines",
		Intro: fmt.Sprintf("%d runs of %d changed rows, each made by the next of the nodes that share a ledger and a key, while somebody else sends with the 3 %% that "+
			"they leave. In fake time, with answers after 20 to 60 ms, counted at the emulator. Allowed is 10 a second.", runs, rows),
		Tables: []findings.Table{{Columns: []string{"scenario", "the ledger changed hands", "allowed", "passed", "share", "429s"}}},
	}
	for _, sc := range scenarios() {
		var r outcome
		err := bubble.Run(ctx, sc.Name, func(ctx context.Context) (err error) {
			p := play{scenario: sc}
			r, err = p.measure(ctx)
			return err
		})
		if err != nil {
			return findings.Section{}, err
		}
		_, _ = fmt.Fprintf(log, "nodes: %s: %.1f %% of %.0f\n", sc.Name, 100*r.share(), r.Allowed)
		found.Tables[0].Rows = append(found.Tables[0].Rows, []string{
			sc.Name, fmt.Sprint(r.Hands), fmt.Sprintf("%.0f", r.Allowed), fmt.Sprint(r.Passed), fmt.Sprintf("%.1f %%", 100*r.share()), fmt.Sprint(r.Refused),
		})
		found.Goals = append(found.Goals, sc.goals(r)...)
	}
	return found, nil
}
