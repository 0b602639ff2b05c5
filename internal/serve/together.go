package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"owlatsync/internal/cluster"
	"owlatsync/internal/config"
	"owlatsync/internal/events"
	"owlatsync/internal/home"
	"owlatsync/internal/problem"
	"owlatsync/internal/setup"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/ledger/postgres"
)

// together works for deployments as one of the nodes that share a ledger in PostgreSQL: each deployment is at home on one of them at a
// time.
type together struct {
	options func(cfg *config.Config) home.Options
	opener  setup.Opener
	node    *cluster.Node
	db      *postgres.Database
	release func()
	nudging sync.WaitGroup
	over    context.Context // ends when nobody is to be nudged any more
	end     context.CancelFunc

	mu    sync.Mutex
	open  map[string]*member // by name
	ctx   context.Context    // ends when runs are to be aborted; nil: the work has not begun
	ended bool
	made  int64 // runs that have ended in homes that have left
}

// member is a deployment as this node has it.
type member struct {
	*home.Deployment
	ledger setup.Ledger
	home   *home.Home // nil: it is not at home here
	hushed func()     // ends what tells other nodes
}

var (
	_ Way          = (*together)(nil)
	_ home.Line    = (*cluster.Line)(nil)
	_ cluster.Home = (*guest)(nil)
)

// newTogether connects to the database of a ledger. It begins nothing.
func newTogether(ctx context.Context, set *config.Set, o Options, options func(cfg *config.Config) home.Options) (_ *together, err error) {
	t := &together{options: options, opener: o.Opener, open: make(map[string]*member)}
	t.over, t.end = context.WithCancel(context.WithoutCancel(ctx))
	if t.opener.Databases == nil {
		t.opener.Databases = &setup.Databases{}
	}
	if t.db, t.release, err = t.opener.Database(ctx, set.Ledger); err != nil {
		return nil, err
	}
	t.node, err = cluster.New(ctx, cluster.Options{
		Pool: t.db.Pool(), Schema: t.db.Schema(), Clock: t.db.Clock(), Homes: hosts{t}, Leases: leases{t.db}, WriteBacks: t, Hear: t.hear, Soft: set.Service.StopWithin,
		Chores: []cluster.Chore{
			{Name: pruning, Every: 24 * time.Hour, Within: time.Hour, Each: t.prune},
			{Name: alerting, Every: time.Minute, Within: 5 * time.Minute, Each: t.alert},
		},
		Version: o.Version, Logger: o.Opener.Logger,
	})
	if err != nil {
		t.release()
		return nil, err
	}
	return t, nil
}

// The chores that one node does for a deployment.
const (
	pruning  = "prune"
	alerting = "alerts"
)

// leases gives out those of homes.
type leases struct{ db *postgres.Database }

// Home implements cluster.Leases.
func (l leases) Home(ctx context.Context, deployment string) (cluster.Lease, error) {
	host, _ := os.Hostname() // empty if there is none
	lease, err := l.db.Home(context.WithoutCancel(ctx), deployment, ledger.Owner{Host: host, PID: os.Getpid()})
	if err != nil {
		return nil, err // a nil *postgres.Lease would not be a nil Lease
	}
	return lease, nil
}

// Open implements Way.
func (t *together) Open(ctx context.Context, cfg *config.Config) (*home.Deployment, error) {
	o := t.options(cfg)
	o.Opener.Databases, o.Shared = t.opener.Databases, true
	l, err := o.Opener.Ledger(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if cfg, err = setup.Remember(ctx, l, cfg); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	d, err := home.NewDeployment(cfg, l, o)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if _, err := home.Timetable(cfg); err != nil {
		d.Close()
		return nil, errors.Join(problem.Usage(err), l.Close())
	}
	d.SetLine(t.node.Line(cfg.Name, l, d.Hub()))
	m := &member{Deployment: d, ledger: l}
	t.mu.Lock()
	begun := t.ctx != nil
	t.open[cfg.Name] = m
	if begun {
		t.tellOthers(cfg.Name, m)
	}
	t.mu.Unlock()
	if !begun {
		return d, nil
	}
	err = t.tellNode()
	if err == nil {
		err = t.node.CatchUp(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, t.Shut(ctx, d))
	}
	return d, nil
}

// tellNode tells the node which deployments there are.
func (t *together) tellNode() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]cluster.Deployment, 0, len(t.open))
	for name, m := range t.open {
		cfg := m.Config()
		times, err := home.Timetable(cfg)
		if err != nil {
			return problem.Usage(err)
		}
		d := cluster.Deployment{Name: name, Syncs: cfg.Names(), Always: home.Listens(cfg), Timetable: times}
		if d.Chores = []string{pruning}; len(cfg.Alerts) > 0 {
			d.Chores = append(d.Chores, alerting)
		}
		for _, w := range cfg.WriteBacks {
			d.Targets = append(d.Targets, w.Name)
		}
		all = append(all, d)
	}
	return t.node.SetDeployments(all)
}

func (t *together) member(name string) *member {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open[name]
}

// another is a configuration of a deployment that this node can go over to.
type another struct {
	t    *together
	m    *member
	cfg  *config.Config
	was  *home.Home // that was here; nil: it was not at home here
	here *home.Next // of it
}

// Prepare implements Way.
func (t *together) Prepare(ctx context.Context, d *home.Deployment, cfg *config.Config) (Next, error) {
	if _, err := home.Timetable(cfg); err != nil {
		return nil, problem.Usage(err)
	}
	m := t.member(d.Name())
	cfg, err := setup.Remember(ctx, m.ledger, cfg)
	if err != nil {
		return nil, err
	}
	n := &another{t: t, m: m, cfg: cfg}
	t.mu.Lock()
	h := m.home
	t.mu.Unlock()
	if n.was = h; h != nil {
		here, err := h.Prepare(ctx, cfg)
		if err != nil {
			return nil, err
		}
		n.here = here
	}
	return n, nil
}

// Take implements Next.
func (n *another) Take(ctx context.Context) error {
	errs := []error{n.m.Replace(n.cfg)}
	n.t.mu.Lock()
	h := n.m.home
	n.t.mu.Unlock()
	switch {
	case h == n.was && h != nil:
		errs = append(errs, n.here.Take(ctx))
	case h != nil: // it has come home meanwhile
		errs = append(errs, n.Drop(), h.Replace(ctx, n.cfg))
	default:
		errs = append(errs, n.Drop())
	}
	return errors.Join(append(errs, n.t.tellNode())...)
}

// Drop implements Next.
func (n *another) Drop() error {
	if n.here == nil {
		return nil
	}
	return n.here.Drop()
}

// Start implements Way.
func (t *together) Start(ctx context.Context) error {
	t.mu.Lock()
	t.ctx = ctx
	for name, m := range t.open {
		t.tellOthers(name, m)
	}
	t.mu.Unlock()
	if err := t.tellNode(); err != nil {
		return err
	}
	return t.node.Start(ctx)
}

// Stop implements Way.
func (t *together) Stop(ctx context.Context) {
	t.mu.Lock()
	ended := t.ended || t.ctx == nil
	t.ended = true
	t.mu.Unlock()
	if ended {
		return
	}
	if err := t.node.Stop(ctx); err != nil {
		t.opener.Logger.Warn("this node did not end as it should; others go on with its runs", "error", err)
	}
}

// Shut implements Way.
func (t *together) Shut(ctx context.Context, d *home.Deployment) error {
	name := d.Name()
	t.mu.Lock()
	m := t.open[name]
	delete(t.open, name)
	t.mu.Unlock()
	if m == nil {
		return nil
	}
	err := t.tellNode() // which lets the home go
	for m.atHome(t) && ctx.Err() == nil {
		timer := time.NewTimer(50 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return errors.Join(err, m.close())
}

func (m *member) atHome(t *together) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return m.home != nil
}

func (m *member) close() error {
	if m.hushed != nil {
		m.hushed()
	}
	m.Deployment.Close()
	return m.ledger.Close()
}

// Close implements Way.
func (t *together) Close() error {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	t.Stop(gone)
	t.mu.Lock()
	all := t.open
	t.open = make(map[string]*member)
	t.mu.Unlock()
	var errs []error
	for _, m := range all {
		errs = append(errs, m.close())
	}
	t.end()
	t.nudging.Wait()
	t.release()
	return errors.Join(errs...)
}

// Working implements Way.
func (t *together) Working() (busy bool, made int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	made = t.made
	for _, m := range t.open {
		if m.home != nil {
			b, n := m.home.Working()
			busy, made = busy || b, made+n
		}
	}
	return busy, made
}

// errNotHere says that the node's configuration has no such deployment any more.
func errNotHere(deployment string) error {
	return fmt.Errorf("the configuration has no deployment %q any more", deployment)
}

// tellOthers tells other nodes what happens in a deployment. The caller holds the mutex.
func (t *together) tellOthers(name string, m *member) {
	if m.hushed != nil {
		return
	}
	happens, cancel := m.Hub().Subscribe(events.Filter{})
	m.hushed = cancel
	happened := make(chan struct{}, 1)
	t.nudging.Go(func() { t.nudge(name, happened) })
	t.nudging.Go(func() {
		defer close(happened)
		for e := range happens {
			_, heard := e.Data.(json.RawMessage) // from another node
			if !heard && slices.Contains(telling, e.Kind) && len(m.Config().Alerts) > 0 {
				select {
				case happened <- struct{}{}:
				default: // alerts are to look anyway
				}
			}
			if !heard && (e.Data != nil || m.atHome(t)) {
				t.node.Tell(name, e)
			}
		}
	})
}

// telling are the kinds of events after which alerts look at once.
var telling = []events.Kind{events.Ended, events.Held, events.WriteBack, events.Reload}

// settle is how long alerts wait for more to happen.
const settle = 2 * time.Second

// nudge has alerts look whenever something has happened, until happened is closed.
func (t *together) nudge(deployment string, happened <-chan struct{}) {
	for range happened {
		for taken := false; !taken; { // a look that goes on may not see it
			timer := time.NewTimer(settle)
			select {
			case <-timer.C:
			case <-t.over.Done():
				timer.Stop()
				return
			}
			ctx, done := context.WithTimeout(t.over, 5*time.Second)
			var err error
			if taken, err = t.node.Errands().Soon(ctx, alerting, deployment); err != nil {
				t.opener.Logger.Debug("alerts look at their time only", "deployment", deployment, "error", err)
				taken = true
			}
			done()
		}
	}
}

// hear takes in what happens in a deployment on another node.
func (t *together) hear(deployment string, e events.Event) {
	if m := t.member(deployment); m != nil {
		m.Hub().Publish(e)
	}
}

// prune drops old history of a deployment.
func (t *together) prune(ctx context.Context, deployment string) error {
	m := t.member(deployment)
	if m == nil {
		return errNotHere(deployment)
	}
	return m.Prune(ctx)
}

// alert looks what is wrong with a deployment.
func (t *together) alert(ctx context.Context, deployment string) error {
	m := t.member(deployment)
	if m == nil {
		return errNotHere(deployment)
	}
	return m.Alert(ctx)
}

// Pass implements cluster.WriteBacks.
func (t *together) Pass(ctx context.Context, deployment, target string) (time.Time, error) {
	m := t.member(deployment)
	if m == nil {
		return time.Time{}, errNotHere(deployment)
	}
	return m.WriteBack(ctx, target)
}

// guest is a home on this node.
type guest struct {
	*home.Home
	t     *together
	m     *member
	cfg   *config.Config // with which it was opened
	lease cluster.Lease
}

// hosts opens deployments on this node.
type hosts struct{ *together }

// Open implements cluster.Homes.
func (t hosts) Open(ctx context.Context, deployment string, lease cluster.Lease) (cluster.Home, error) {
	m := t.member(deployment)
	if m == nil {
		return nil, errNotHere(deployment)
	}
	cfg := m.Config()
	o := t.options(cfg)
	o.Opener.Databases, o.Shared, o.Deployment, o.Held = t.opener.Databases, true, m.Deployment, lease.Check
	h, err := home.Open(ctx, cfg, o)
	if err != nil {
		return nil, err
	}
	return &guest{h, t.together, m, cfg, lease}, nil
}

// Start implements cluster.Home.
func (g *guest) Start(ctx context.Context) error {
	g.t.mu.Lock()
	here := g.t.open[g.m.Name()] == g.m
	if here {
		g.m.home = g.Home
	}
	g.t.mu.Unlock()
	if !here { // it has gone, or was opened anew, while its home was opened
		return errNotHere(g.m.Name())
	}
	g.Home.Start(ctx)
	if now := g.m.Config(); now != g.cfg { // another was taken over while it was opened
		return g.Replace(ctx, now)
	}
	return nil
}

// Stop implements cluster.Home.
func (g *guest) Stop(ctx context.Context) {
	g.Home.Stop(ctx)
	_, made := g.Working()
	g.t.mu.Lock()
	g.m.home = nil
	g.t.made += made
	g.t.mu.Unlock()
	if err := g.Close(); err != nil {
		g.t.opener.Logger.Warn("a deployment that has left its home here is not closed", "deployment", g.m.Name(), "error", err)
	}
}

// Do implements cluster.Home.
func (g *guest) Do(ctx context.Context, r turns.Request) turns.Outcome {
	if r.Run != 0 {
		run, err := g.m.ledger.Run(ctx, r.Run)
		if err != nil {
			return turns.Outcome{Err: err, Ended: errors.Is(err, ledger.ErrNoRun)}
		}
		r.Part, r.Full, r.Approves = run.Part, run.Full, run.Approves
	}
	return g.Home.Do(ctx, r)
}

// Call implements cluster.Home; see home.Home.Call.
func (g *guest) Call(ctx context.Context, request json.RawMessage) (json.RawMessage, error) {
	if err := g.lease.Check(); err != nil {
		return nil, err
	}
	return g.Home.Call(ctx, request)
}
