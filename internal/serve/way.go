package serve

import (
	"context"
	"errors"
	"sync"

	"owlatsync/internal/config"
	"owlatsync/internal/home"
)

// Way is who works for the deployments of a process: the process alone, or the nodes of a cluster. Its methods are safe for concurrent
// use.
type Way interface {
	// Open opens a deployment. Nothing is done for it before Start.
	Open(ctx context.Context, cfg *config.Config) (*home.Deployment, error)
	// Prepare does all of another configuration of an open deployment that can fail. Take or Drop is called of what it returns.
	Prepare(ctx context.Context, d *home.Deployment, cfg *config.Config) (Next, error)
	// Start begins to work for all that is open, and for what is opened later. The end of ctx aborts runs.
	Start(ctx context.Context) error
	// Stop ends runs softly until ctx ends, and aborts them then. The deployments still take webhooks in and show themselves until Close.
	Stop(ctx context.Context)
	// Shut ends the work for a deployment as Stop does, and closes it.
	Shut(ctx context.Context, d *home.Deployment) error
	// Close closes everything that is open.
	Close() error
	// Working reports whether a run goes on here or waits for its turn, and how many have ended here.
	Working() (busy bool, made int64)
}

// Next is a configuration of a deployment that can be taken over.
type Next interface {
	// Take goes over to it. Its error is about what is left of the one before.
	Take(ctx context.Context) error
	// Drop closes what was prepared in vain.
	Drop() error
}

// alone works for all deployments in this process, always.
type alone struct {
	options func(cfg *config.Config) home.Options

	mu    sync.Mutex
	homes map[*home.Deployment]*home.Home
	ctx   context.Context // of the work; nil: it has not begun, or has ended
	made  int64           // runs that have ended in homes that were shut
}

var _ Way = (*alone)(nil)

// newAlone returns a way without deployments. Options says how the options of a deployment's home are made.
func newAlone(options func(cfg *config.Config) home.Options) *alone {
	return &alone{options: options, homes: make(map[*home.Deployment]*home.Home)}
}

// Open implements Way.
func (a *alone) Open(ctx context.Context, cfg *config.Config) (*home.Deployment, error) {
	h, err := home.Open(ctx, cfg, a.options(cfg))
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.homes[h.Deployment()] = h
	if a.ctx != nil {
		h.Start(a.ctx)
	}
	return h.Deployment(), nil
}

func (a *alone) of(d *home.Deployment) *home.Home {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.homes[d]
}

func (a *alone) all() (all []*home.Home) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.homes {
		all = append(all, h)
	}
	return all
}

// Prepare implements Way.
func (a *alone) Prepare(ctx context.Context, d *home.Deployment, cfg *config.Config) (Next, error) {
	n, err := a.of(d).Prepare(ctx, cfg)
	if err != nil {
		return nil, err // a nil *home.Next would not be a nil Next
	}
	return n, nil
}

// Start implements Way.
func (a *alone) Start(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ctx = ctx
	for _, h := range a.homes {
		h.Start(ctx)
	}
	return nil
}

// Stop implements Way.
func (a *alone) Stop(ctx context.Context) {
	a.mu.Lock()
	a.ctx = nil
	a.mu.Unlock()
	var all sync.WaitGroup
	for _, h := range a.all() {
		all.Go(func() { h.Stop(ctx) })
	}
	all.Wait()
}

// Shut implements Way.
func (a *alone) Shut(ctx context.Context, d *home.Deployment) error {
	h := a.of(d)
	if h == nil {
		return nil
	}
	h.Stop(ctx)
	a.mu.Lock()
	_, made := h.Working()
	a.made += made
	delete(a.homes, d)
	a.mu.Unlock()
	return h.Close()
}

// Close implements Way.
func (a *alone) Close() error {
	var errs []error
	for _, h := range a.all() {
		errs = append(errs, h.Close())
	}
	return errors.Join(errs...)
}

// Working implements Way.
func (a *alone) Working() (busy bool, made int64) {
	a.mu.Lock()
	made = a.made
	a.mu.Unlock()
	for _, h := range a.all() {
		b, m := h.Working()
		busy, made = busy || b, made+m
	}
	return busy, made
}
