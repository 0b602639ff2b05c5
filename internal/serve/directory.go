package serve

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/home"
	"owlatsync/internal/problem"
)

// place is a deployment that is open.
type place struct {
	*home.Deployment
	shown   *api.Deployment
	release func() error // lets another service have its ledger
}

// directory has the deployments of the process. It is safe for concurrent use.
type directory struct {
	told func(open, broken int) // is told of each change, under the lock

	mu     sync.RWMutex
	open   map[string]*place
	broken map[string]error // why others are not open
	names  []string         // of all, sorted; it is replaced, and never changed
}

var _ api.Directory = (*directory)(nil)

func newDirectory(told func(open, broken int)) *directory {
	return &directory{told: told, open: make(map[string]*place), broken: make(map[string]error)}
}

// Names implements api.Directory.
func (d *directory) Names() []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.names
}

// Find implements api.Directory.
func (d *directory) Find(name string) (*api.Deployment, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if p := d.open[name]; p != nil {
		return p.shown, nil
	}
	if err := d.broken[name]; err != nil {
		return nil, err
	}
	return nil, api.ErrNoDeployment
}

// put takes in an open deployment.
func (d *directory) put(p *place) {
	d.change(func() {
		delete(d.broken, p.Name())
		d.open[p.Name()] = p
	})
}

// lack notes why a deployment is not open, and returns it if it was.
func (d *directory) lack(name string, why error) (was *place) {
	d.change(func() {
		was = d.open[name]
		delete(d.open, name)
		d.broken[name] = why
	})
	return was
}

// drop forgets a deployment, and returns it if it was open.
func (d *directory) drop(name string) (was *place) {
	d.change(func() {
		was = d.open[name]
		delete(d.open, name)
		delete(d.broken, name)
	})
	return was
}

func (d *directory) change(do func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	do()
	d.names = slices.AppendSeq(slices.Collect(maps.Keys(d.open)), maps.Keys(d.broken))
	slices.Sort(d.names)
	d.told(len(d.open), len(d.broken))
}

func (d *directory) at(name string) *place {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.open[name]
}

// all returns the open deployments by name.
func (d *directory) all() map[string]*place {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return maps.Clone(d.open)
}

// counts returns how many deployments are open, and how many are not.
func (d *directory) counts() (open, broken int) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.open), len(d.broken)
}

// one returns nil if the test holds for a deployment, or if there is none at all; else an error of one that fails.
func (d *directory) one(test func(*home.Deployment) error) (failed error) {
	d.mu.RLock()
	all := slices.Collect(maps.Values(d.open))
	for _, err := range d.broken {
		failed = err
	}
	d.mu.RUnlock()
	for _, p := range all {
		err := test(p.Deployment)
		if err == nil {
			return nil
		}
		failed = err
	}
	return failed
}

// release lets other services have the ledgers.
func (d *directory) release() error {
	var errs []error
	for _, p := range d.all() {
		errs = append(errs, p.release())
	}
	return errors.Join(errs...)
}

// openOne opens a deployment.
func (s turnover) openOne(ctx context.Context, cfg *config.Config) (_ *place, err error) {
	p := &place{release: func() error { return nil }}
	if err := problem.Usage(unfit(cfg).Err()); err != nil {
		return nil, err
	}
	if cfg.Name != "" && !cfg.Ledger.Postgres() {
		if p.release, err = alsoOnly(cfg.Ledger.Path); err != nil {
			return nil, err
		}
	}
	if p.Deployment, err = s.way.Open(ctx, cfg); err != nil {
		return nil, errors.Join(err, p.release())
	}
	p.shown = &api.Deployment{
		Name: cfg.Name, Service: p.Service(), Desk: p.Desk(), Hub: p.Hub(), Ledger: p.Ledger(), Outbox: p.Ledger(), Webhooks: p.Webhooks(),
		Rows: p.Ledger(), Inquiry: p.Inquiry(), Decisions: p.Ledger(),
	}
	return p, nil
}

// opened is for how many deployments something is done at once.
const opened = 8

// opensWithin is how long a deployment may take to open before systemd gives a service up that begins.
const opensWithin = 90 * time.Second

// openAll opens the deployments of the configuration. That of a file without names must open; of several, those are left out that do not.
func (s turnover) openAll(ctx context.Context) error {
	if !s.set.Several {
		p, err := s.openOne(ctx, s.set.Deployments[0])
		if err == nil {
			s.directory.put(p)
		}
		return err
	}
	for name, err := range s.set.Broken {
		s.leaveOut(s.set, name, s.set.Alerts[name], err)
	}
	each(len(s.set.Deployments), func(i int) {
		cfg := s.set.Deployments[i]
		p, err := s.openOne(ctx, cfg)
		_ = s.notify.tell(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", opensWithin.Microseconds())) // with very many, systemd would give up
		if err != nil {
			s.leaveOut(s.set, cfg.Name, cfg.Alerts, err)
			return
		}
		s.directory.put(p)
	})
	return context.Cause(ctx)
}

// each does something for n of something, several at once.
func each(n int, do func(i int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(opened, n) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	workers.Wait()
}

// leaveOut notes and tells that a deployment of the configuration is not open.
func (s turnover) leaveOut(set *config.Set, name string, alerts []config.Alert, err error) {
	s.log.Error("a deployment is left out; the others go on", "deployment", name, "error", err, hintOf(err))
	s.directory.lack(name, err)
	if !s.stopping.Load() {
		s.outcries.tell(set, name, alerts, err)
	}
}
