package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"owlatsync/internal/cluster/crew"
	"owlatsync/internal/events"
)

// Options are what a node is made with. Pool, Schema, Clock, Homes and Leases must be set.
type Options struct {
	Pool   *pgxpool.Pool
	Schema string // of the ledger and River's tables
	Clock  Clock
	ID     string // unique among the nodes; empty: one is made up
	Homes  Homes
	Leases Leases
	// WriteBacks may be nil: this node tells nobody.
	WriteBacks WriteBacks
	Chores     []Chore
	// Hear is told what other nodes tell; it must not block. It may be nil.
	Hear func(deployment string, e events.Event)
	// Slots is how many deployments may be at home here; 0: 200.
	Slots int
	// Linger is how long a home stays that has nothing to do; 0: 20 seconds.
	Linger time.Duration
	// Look is how often a node says that it lives and looks for deployments without a home, the same for all nodes; 0: 2 seconds.
	Look time.Duration
	// Silent is how long Owlat or a source may not answer a home before it is left to another node; 0: 5 seconds.
	Silent time.Duration
	// Soft is how long a home may take to end softly; 0: 30 seconds.
	Soft time.Duration
	// PollOnly says that PostgreSQL's notifications do not arrive, as through PgBouncer. They are tried anyway.
	PollOnly bool
	Version  string       // of the program
	Logger   *slog.Logger // nil: silent
}

// Node is one process of several that share a ledger. It is safe for concurrent use.
type Node struct {
	o       Options
	host    string
	log     *slog.Logger
	client  *river.Client[pgx.Tx]
	driver  *riverpgxv5.Driver
	clock   Clock
	tables  tables
	crew    *crew.Crew
	alike   alike
	voice   *voice
	opening chan struct{} // has a place for each home that is being opened

	stop     chan struct{} // closed: homes are to end softly
	stopOnce sync.Once
	parts    sync.WaitGroup
	end      context.CancelFunc // of what works beside River
	keeping  sync.WaitGroup     // homes; added to under the mutex, and not once stop is closed
	aborted  context.Context    // ends when homes are to abort
	abort    context.CancelFunc

	mu          sync.Mutex // guards what follows
	deployments map[string]Deployment
	homes       map[string]*held
	periodic    map[string][]handle
}

// New returns a node that does nothing yet. The tables must be there; see Migrate.
func New(ctx context.Context, o Options) (*Node, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	host, _ := os.Hostname() // empty if there is none
	if o.ID == "" {
		o.ID = fmt.Sprintf("%.60s-%d-%s", host, os.Getpid(), strings.ToLower(rand.Text()[:8]))
	}
	if o.Slots == 0 {
		o.Slots = 200
	}
	if o.Linger == 0 {
		o.Linger = 20 * time.Second
	}
	if o.Look == 0 {
		o.Look = 2 * time.Second
	}
	if o.Silent == 0 {
		o.Silent = 5 * time.Second
	}
	if o.Soft == 0 {
		o.Soft = 30 * time.Second
	}
	n := &Node{
		o: o, host: host, log: o.Logger, clock: o.Clock, tables: tablesIn(o.Schema), driver: riverpgxv5.New(o.Pool), crew: crew.New(o.ID), stop: make(chan struct{}),
		opening: make(chan struct{}, 8), deployments: make(map[string]Deployment), homes: make(map[string]*held), periodic: make(map[string][]handle),
	}
	n.aborted, n.abort = context.WithCancel(context.WithoutCancel(ctx))
	if !o.PollOnly {
		arrive, err := notificationsArrive(ctx, o.Pool)
		if err != nil {
			return nil, fmt.Errorf("try notifications of PostgreSQL: %w", err)
		}
		if n.o.PollOnly = !arrive; !arrive {
			n.log.Warn("notifications of PostgreSQL do not arrive, as through a pooler of transactions: this node asks every second instead, and events of other nodes are not seen here",
				"hint", "name a direct connection in ledger")
		}
	}
	n.voice = newVoice(n)
	n.o.Chores = append(calendar{n}.standing(), o.Chores...)
	workers := river.NewWorkers()
	river.AddWorker(workers, &homeWorker{node: n})
	river.AddWorker(workers, &runWorker{node: n})
	river.AddWorker(workers, &callWorker{node: n})
	river.AddWorker(workers, &writeBackWorker{node: n})
	river.AddWorker(workers, &dueWorker{node: n})
	river.AddWorker(workers, &choreWorker{node: n})
	config := &river.Config{
		ID: o.ID, Schema: o.Schema, Logger: quiet(o.Logger), PollOnly: n.o.PollOnly, Workers: workers, MaxAttempts: attempts,
		Queues: map[string]river.QueueConfig{
			homesQueue:         {MaxWorkers: o.Slots},
			homesQueueOf(o.ID): {MaxWorkers: o.Slots},
			choresQueue:        {MaxWorkers: chores},
			dueQueue:           {MaxWorkers: 20},
		},
		SoftStopTimeout:             o.Soft,
		CompletedJobRetentionPeriod: time.Hour,
		CancelledJobRetentionPeriod: 24 * time.Hour,
		DiscardedJobRetentionPeriod: 7 * 24 * time.Hour,
		Test:                        river.TestConfig{Time: riverTime{n.clock}}, // the only way to give River a clock
		Hooks:                       []rivertype.Hook{&stamp{Clock: n.clock}},
		PeriodicJobs:                calendar{n}.chores(),
		ErrorHandler:                newComplaints(o.Logger),
	}
	if o.WriteBacks != nil {
		config.Queues[writeBacksQueue] = river.QueueConfig{MaxWorkers: 50}
	}
	var err error
	if n.client, err = river.NewClient(n.driver, config); err != nil {
		return nil, fmt.Errorf("set up River: %w", err)
	}
	return n, nil
}

// Visit returns the errands of somebody who is no node: what is asked is done by the nodes.
func Visit(pool *pgxpool.Pool, schema string, clock Clock, log *slog.Logger) (Errands, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	n := &Node{o: Options{Pool: pool, Schema: schema}, log: log, clock: clock, crew: crew.New(""), tables: tablesIn(schema), driver: riverpgxv5.New(pool)}
	var err error
	if n.client, err = river.NewClient(n.driver, &river.Config{Schema: schema, Logger: quiet(log), Test: river.TestConfig{Time: riverTime{clock}}, Hooks: []rivertype.Hook{&stamp{Clock: clock}}}); err != nil {
		return Errands{}, fmt.Errorf("reach the nodes that share the ledger: %w", err)
	}
	return Errands{n}, nil
}

// ID is the name of the node.
func (n *Node) ID() string { return n.o.ID }

// Now is the time by PostgreSQL's clock, which all nodes share.
func (n *Node) Now() time.Time { return n.clock.Now() }

// Start begins to work. Ctx ends only the beginning.
func (n *Node) Start(ctx context.Context) error {
	if err := n.hasTables(ctx); err != nil {
		return err
	}
	if _, err := (lookout{n}).look(ctx); err != nil {
		return fmt.Errorf("look at the other nodes: %w", err)
	}
	parts, end := context.WithCancel(context.WithoutCancel(ctx))
	if err := n.client.Start(parts); err != nil {
		end()
		return fmt.Errorf("start River: %w", err)
	}
	n.end = end
	n.parts.Go(func() { lookout{n}.run(parts) })
	if !n.o.PollOnly {
		n.parts.Go(func() { n.voice.listen(parts) })
	}
	n.parts.Go(func() { n.voice.speak(parts) })
	return nil
}

// hasTables returns an error if tables of River are missing or old.
func (n *Node) hasTables(ctx context.Context) error {
	m, err := rivermigrate.New(n.driver, &rivermigrate.Config{Schema: n.o.Schema, Logger: quiet(n.log)})
	if err != nil {
		return fmt.Errorf("set up River: %w", err)
	}
	is, err := m.Validate(ctx, nil)
	if err != nil {
		return fmt.Errorf("look at the tables of River: %w", err)
	}
	if !is.OK {
		return fmt.Errorf("the tables of River in the schema %s are missing or old: run \"owlat-sync ledger migrate\" as the owner of the schema (%s)", n.o.Schema, strings.Join(is.Messages, ", "))
	}
	return nil
}

// Stop ends the homes of this node softly, so that others go on with what they have begun, and then the node. When ctx ends before,
// everything is aborted. It must be called once. If Start was not called or has failed, there is nothing to end.
func (n *Node) Stop(ctx context.Context) error {
	if n.end == nil {
		return nil
	}
	n.stopOnce.Do(func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		close(n.stop)
	})
	n.unqueue(homesQueueOf(n.o.ID))
	n.unqueue(homesQueue)
	soft, done := context.WithTimeout(ctx, n.o.Soft)
	defer done()
	left := make(chan struct{})
	go func() { defer close(left); n.keeping.Wait() }()
	// River holds a lock while it stops that a home needs to end, so the homes end first.
	select {
	case <-left:
	case <-soft.Done():
		n.abort()
		<-left
	}
	err := n.client.Stop(soft)
	if err != nil {
		hard, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer done()
		err = n.client.StopAndCancel(hard)
	}
	n.end()
	n.parts.Wait()
	last, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer done()
	if _, err := n.o.Pool.Exec(last, "DELETE FROM "+n.tables.nodes+" WHERE id = $1", n.o.ID); err != nil {
		n.log.Warn("this node is not signed off; it will be missed by and by", "error", err)
	}
	if err != nil {
		return fmt.Errorf("stop River: %w", err)
	}
	return nil
}

// ending reports whether the node is to end.
func (n *Node) ending() bool {
	select {
	case <-n.stop:
		return true
	default:
		return false
	}
}

// unqueue lets the node fetch no more jobs of a queue, and does not wait for those that it has.
func (n *Node) unqueue(queue string) {
	past, cancel := context.WithCancel(context.Background())
	cancel()
	// With a context that is over, Remove begins to stop the queue and returns at once; it must not wait, because it lets nobody else
	// add a queue meanwhile.
	_ = n.client.Queues().Remove(past, queue)
}

// SetDeployments says which deployments there are. Homes of those that are gone end softly; those that are other than before are the
// business of their homes.
func (n *Node) SetDeployments(all []Deployment) error {
	now := make(map[string]Deployment, len(all))
	for _, d := range all {
		now[d.Name] = d
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	var errs []error
	for name, before := range n.deployments {
		d, still := now[name]
		if !still {
			if h := n.homes[name]; h != nil {
				h.letGo(isGone)
			}
		}
		if !still || !sameTimes(before, d) {
			calendar{n}.unschedule(name)
		}
	}
	for name, d := range now {
		if before, known := n.deployments[name]; !known || !sameTimes(before, d) {
			errs = append(errs, calendar{n}.scheduleAll(d))
		}
	}
	n.deployments = now
	n.alike.set(now)
	return errors.Join(errs...)
}

func (n *Node) deployment(name string) (Deployment, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d, ok := n.deployments[name]
	return d, ok
}

// isAlways reports whether a deployment always has a home.
func (n *Node) isAlways(deployment string) bool {
	d, _ := n.deployment(deployment)
	return d.Always
}

// always names the deployments that always have a home.
func (n *Node) always() (names []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, d := range n.deployments {
		if d.Always {
			names = append(names, name)
		}
	}
	return names
}

// Homes names the deployments that are at home on this node, in their order.
func (n *Node) Homes() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Sorted(maps.Keys(n.homes))
}

func (n *Node) home(deployment string) *held {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.homes[deployment]
}
