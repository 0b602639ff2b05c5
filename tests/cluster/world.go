package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"owlatsync/tests/cluster/programs"
)

// Options say what a world is made of.
type Options struct {
	Program     string        // the path of owlat-sync
	Skewed      string        // that of one which was built with WrongClock, for the second node; empty: its clock is right
	Dir         string        // an empty folder, for everything; others must be able to enter it
	Nodes       int           // how many services; more than one needs Shared
	Deployments []string      // names; none: the one deployment of an ordinary configuration
	Shared      bool          // the ledger is in PostgreSQL, not in a file
	Rate        int           // requests a second that each Owlat allows
	PerSecond   int           // requests a second that a node may send, as its configuration says; 0: as many as Owlat allows
	Every       time.Duration // how often something happens in a town; 0: so that most of what Owlat allows is needed
	Within      time.Duration // how long work may lie after its node was lost; 0: as long as is promised
	Seed        uint64
	Log         func(format string, args ...any)
}

// World is everything that runs. Its methods are called by one goroutine.
type World struct {
	opts     Options
	Source   *programs.Postgres // has the rows
	Ledger   *programs.Postgres // nil: the ledger is in a file
	Owlats   map[string]*Owlat
	Nodes    []*Node
	Balancer *Balancer

	standby *programs.Postgres // of the ledger's
	pool    *pgxpool.Pool      // the application's, which is never cut off
	towns   map[string]*Town

	Mischief *Mischief
	outsider *Outsider                 // nil: there is none
	quiet    map[string]int            // writes that were sent when nothing changed
	unsure   map[string]map[Place]bool // what the program said of it last

	living   sync.WaitGroup
	stopLife context.CancelFunc
	lifeErrs chan error
}

// New makes a world and starts its nodes. A world that could not be made leaves nothing behind but its folder.
func New(ctx context.Context, o Options) (_ *World, err error) {
	if len(o.Deployments) == 0 {
		o.Deployments = []string{single}
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	w := &World{opts: o, Owlats: make(map[string]*Owlat), towns: make(map[string]*Town), quiet: make(map[string]int), unsure: make(map[string]map[Place]bool), Balancer: NewBalancer()}
	w.Mischief = &Mischief{w: w}
	w.lifeErrs = make(chan error, len(o.Deployments))
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	if w.Source, err = programs.NewPostgres(o.Dir); err != nil {
		return nil, err
	}
	if o.Shared {
		if w.Ledger, err = programs.NewPostgres(o.Dir); err != nil {
			return nil, err
		}
	}
	config, err := pgxpool.ParseConfig(w.Source.DSN(w.Source.Addr(), "postgres"))
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(2*len(o.Deployments) + 4)
	if w.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, err
	}
	for i, name := range o.Deployments {
		owlat := NewOwlat(o.Rate, w.Balancer)
		path := "/webhooks/owlat"
		if name != single {
			path += "/" + name
		}
		if _, err := owlat.AddWebhook("http://cluster.example"+path, HookSecret, "topic.unsubscribed", "contact.created", "email.bounced", "email.complained"); err != nil {
			return nil, err
		}
		w.Owlats[name] = owlat
		if w.towns[name], err = NewTown(ctx, orOnly(name), owlat, w.pool, o.Seed+uint64(i)); err != nil {
			return nil, err
		}
	}
	for number := range o.Nodes {
		program := o.Program
		if number == 1 && o.Skewed != "" {
			program = o.Skewed
		}
		n, err := w.makeNode(number+1, program, o.Shared)
		if err != nil {
			return nil, err
		}
		w.Nodes = append(w.Nodes, n)
		w.Balancer.Add(n.Listen)
	}
	if o.Shared {
		if err := w.watchLeases(ctx); err != nil {
			return nil, err
		}
		n, err := w.makeNode(0, o.Program, true)
		if err != nil {
			return nil, err
		}
		w.outsider = &Outsider{node: n, log: o.Log, made: make(map[string][]string)}
	}
	return w, w.start()
}

// start starts all nodes at once.
func (w *World) start() error {
	errs := make([]error, len(w.Nodes))
	var group sync.WaitGroup
	for i, n := range w.Nodes {
		group.Go(func() { errs[i] = n.Start() })
	}
	group.Wait()
	return errors.Join(errs...)
}

// makeNode makes a node with the program, without starting it. If its ledger is not shared, it works as if it were alone.
func (w *World) makeNode(number int, program string, shared bool) (*Node, error) {
	ledgerAt := ""
	if w.Ledger != nil {
		ledgerAt = w.Ledger.Addr()
	}
	n, err := newNode(number, program, w.opts.Dir, w.Source.Addr(), ledgerAt, w.Owlats)
	if err != nil {
		return nil, err
	}
	ledger := filepath.Join(n.dir, "owlat-sync.db")
	if shared {
		ledger = w.Ledger.DSN(n.Ledger.Addr(), "postgres") + "&schema=" + schema
	}
	file := filepath.Join(n.dir, "owlat-sync.yaml")
	n.env = []string{
		"OWLAT_SYNC_CONFIG=" + file, "LEDGER=" + ledger, "LISTEN=" + n.Listen, "SOURCE=" + w.Source.DSN(n.Source.Addr(), "postgres"),
	}
	if program == w.opts.Skewed {
		n.env = append(n.env, programs.AheadVariable+"="+strconv.Itoa(programs.Ahead*(1-2*int(w.opts.Seed%2))))
	}
	return n, os.WriteFile(file, (scribe{w}).configuration(), 0o600)
}

// Live lets the towns live until Quieten.
func (w *World) Live(ctx context.Context) {
	ctx, w.stopLife = context.WithCancel(ctx)
	every := w.opts.Every
	if every == 0 {
		every = 1400 * time.Millisecond / time.Duration(w.opts.Rate) // most steps need one request
	}
	for _, t := range w.towns {
		w.living.Go(func() {
			if err := t.Live(ctx, every); err != nil {
				w.lifeErrs <- err
			}
		})
	}
	if w.outsider != nil {
		w.living.Go(func() { w.outsider.Work(ctx, w.opts.Deployments) })
	}
}

// Quieten ends what the towns do.
func (w *World) Quieten() error {
	if w.stopLife != nil {
		w.stopLife()
	}
	w.living.Wait()
	select {
	case err := <-w.lifeErrs:
		return fmt.Errorf("the town: %w", err)
	default:
		return nil
	}
}

// Close ends everything.
func (w *World) Close() {
	_ = w.Quieten()
	for _, o := range w.Owlats {
		_ = o.Close()
	}
	for _, n := range w.Nodes {
		n.Close()
	}
	if w.outsider != nil {
		w.outsider.node.Close()
	}
	if w.pool != nil {
		w.pool.Close()
	}
	for _, p := range []*programs.Postgres{w.standby, w.Ledger, w.Source} {
		if p != nil {
			p.Close()
		}
	}
}
