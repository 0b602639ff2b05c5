package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Options say what a world is made of.
type Options struct {
	Program     string   // the path of owlat-sync
	Dir         string   // an empty folder, for everything; others must be able to enter it
	Nodes       int      // how many services; more than one needs Shared
	Deployments []string // names; none: the one deployment of an ordinary configuration
	Shared      bool     // the ledger is in PostgreSQL, not in a file
	Rate        int      // requests a second that each Owlat allows
	Seed        uint64
	Log         func(format string, args ...any)
}

// World is everything that runs. Its methods are called by one goroutine.
type World struct {
	opts     Options
	Source   *Postgres // has the rows
	Ledger   *Postgres // nil: the ledger is in a file
	Owlats   map[string]*Owlat
	Nodes    []*Node
	Balancer *Balancer

	standby *Postgres     // of the ledger's
	pool    *pgxpool.Pool // the application's, which is never cut off
	towns   map[string]*Town

	mu       sync.Mutex
	troubles []Trouble
	lost     []Span
	quiet    map[string]int

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
	w := &World{opts: o, Owlats: make(map[string]*Owlat), towns: make(map[string]*Town), quiet: make(map[string]int), Balancer: NewBalancer()}
	w.lifeErrs = make(chan error, len(o.Deployments))
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	if w.Source, err = NewPostgres(o.Dir); err != nil {
		return nil, err
	}
	if o.Shared {
		if w.Ledger, err = NewPostgres(o.Dir); err != nil {
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
		table := name
		if name == single {
			table = "only"
		}
		if w.towns[name], err = NewTown(ctx, table, owlat, w.pool, o.Seed+uint64(i)); err != nil {
			return nil, err
		}
	}
	for range o.Nodes {
		if err := w.addNode(o.Program, o.Shared); err != nil {
			return nil, err
		}
	}
	if o.Shared {
		if err := w.watchLeases(ctx); err != nil {
			return nil, err
		}
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

// addNode makes one more node with the program, without starting it. If its ledger is not shared, it works as if it were alone.
func (w *World) addNode(program string, shared bool) error {
	ledgerAt := ""
	if w.Ledger != nil {
		ledgerAt = w.Ledger.Addr()
	}
	n, err := newNode(len(w.Nodes)+1, program, w.opts.Dir, w.Source.Addr(), ledgerAt, w.Owlats)
	if err != nil {
		return err
	}
	w.Nodes = append(w.Nodes, n)
	n.shared = shared
	ledger := filepath.Join(n.dir, "owlat-sync.db")
	if shared {
		ledger = w.Ledger.DSN(n.Ledger.Addr(), "postgres") + "&schema=" + schema
	}
	file := filepath.Join(n.dir, "owlat-sync.yaml")
	n.env = []string{
		"OWLAT_SYNC_CONFIG=" + file, "LEDGER=" + ledger, "LISTEN=" + n.Listen, "SOURCE=" + w.Source.DSN(n.Source.Addr(), "postgres"),
	}
	w.Balancer.Add(n.Listen)
	return os.WriteFile(file, w.configuration(), 0o600)
}

// Live lets the towns live until Quieten.
func (w *World) Live(ctx context.Context) {
	ctx, w.stopLife = context.WithCancel(ctx)
	every := 1400 * time.Millisecond / time.Duration(w.opts.Rate) // most steps need one request: some of the budget is left
	for _, t := range w.towns {
		w.living.Go(func() {
			if err := t.Live(ctx, every); err != nil {
				w.lifeErrs <- err
			}
		})
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
	if w.pool != nil {
		w.pool.Close()
	}
	for _, p := range []*Postgres{w.standby, w.Ledger, w.Source} {
		if p != nil {
			p.Close()
		}
	}
}

// peaceWithin is how long everything may take to settle after the last trouble.
const peaceWithin = 60 * time.Second

// Peace mends everything, waits until Owlat is what the source says, lets some of those who left come back, and watches whether
// anything is still sent when nothing changes. What did not come about in time is left to the judge.
func (w *World) Peace(ctx context.Context) error {
	if err := w.Quieten(); err != nil {
		return err
	}
	if err := w.mend(); err != nil {
		return err
	}
	w.opts.Log("peace")
	for n := range 2 {
		settled, err := w.settle(ctx)
		if err != nil {
			return err
		}
		if n > 0 || !settled {
			break
		}
		for name, t := range w.towns {
			back, err := t.comeBack(ctx, 3)
			if err != nil {
				return err
			}
			w.opts.Log("%d people of %q come back", back, name)
		}
	}
	return w.watchQuiet(ctx)
}

// mend ends all troubles.
func (w *World) mend() error {
	for _, n := range w.Nodes {
		n.mend()
		n.Thaw()
		if !n.alive() {
			if err := n.Start(); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle waits until Owlat is what the source says and nothing waits to be written back, or until that has taken too long.
func (w *World) settle(ctx context.Context) (settled bool, err error) {
	began, asked := time.Now(), time.Time{}
	for {
		lacks, err := w.lacks(ctx)
		if err != nil {
			return false, err
		}
		if lacks == 0 {
			w.opts.Log("settled within %v", time.Since(began).Round(time.Millisecond))
			return true, nil
		}
		if time.Since(began) > peaceWithin {
			w.opts.Log("%d things did not settle", lacks)
			return false, nil
		}
		if time.Since(asked) > 10*time.Second { // what failed while nothing worked has long pauses
			asked = time.Now()
			if err := w.hurry(); err != nil {
				w.opts.Log("%v", err)
			}
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// lacks counts what is out of step.
func (w *World) lacks(ctx context.Context) (lacks int, err error) {
	for name, o := range w.Owlats {
		a := &Account{Contacts: o.Contacts(), History: o.History(""), Hooks: o.webhooks()}
		if a.Syncs, err = w.towns[name].account(ctx); err != nil {
			return 0, err
		}
		judged := findings{}
		judgeWrittenBack(&judged, a)
		lacks += len(OutOfStep(a)) + len(judged.all)
	}
	return lacks, nil
}

// hurry lets what failed before be tried at once.
func (w *World) hurry() error {
	var errs []error
	for name := range w.Owlats {
		for _, sync := range syncs {
			_, err := w.ask(name, "retry", "--all", "--sync", sync)
			errs = append(errs, err)
			_, err = w.ask(name, "trigger", sync)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// ask asks the program about a deployment.
func (w *World) ask(deployment string, args ...string) ([]byte, error) {
	if deployment != single {
		args = append(args, "--deployment", deployment)
	}
	var errs []error
	for _, n := range w.Nodes {
		out, err := n.Ask(args...)
		if err == nil {
			return out, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// quietFor is how long nothing may be written when nothing changes: some runs come meanwhile.
const quietFor = 7 * time.Second

func (w *World) watchQuiet(ctx context.Context) error {
	before := make(map[string]int)
	for name, o := range w.Owlats {
		before[name] = o.Stats().Writes
	}
	select {
	case <-time.After(quietFor):
	case <-ctx.Done():
		return ctx.Err()
	}
	for name, o := range w.Owlats {
		w.quiet[name] = o.Stats().Writes - before[name]
	}
	return nil
}
