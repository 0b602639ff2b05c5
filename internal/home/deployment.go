package home

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/events"
	"owlatsync/internal/feedback"
	"owlatsync/internal/problem"
	"owlatsync/internal/seats"
	"owlatsync/internal/setup"
	"owlatsync/internal/telemetry"
	"owlatsync/internal/vitals"
)

// Options are what deployments and homes of a process are made with.
type Options struct {
	// Opener opens what the configuration names. Its Logger is that of the deployment; it must be set.
	Opener  setup.Opener
	Metrics *telemetry.Metrics // nil: nothing is counted
	Traces  *telemetry.Traces  // nil: none are sent
	Seats   *seats.Room        // of all deployments of the process; nil: any number of runs read at once
	// Shared is set if several nodes share the deployment: schedules, write-backs, alerts and pruning are then not the home's work.
	Shared bool
	// Held returns why the home may not work any more, nil while it may. It is asked right before each request that is sent for others. Nil: it
	// always may.
	Held func() error
	// Deployment is the one that the home works for. Nil: the home makes it, and the two are one.
	Deployment *Deployment
}

// Deployment is one deployment as each node knows it, wherever its home is: its configuration, its rows in the ledger, what Owlat tells
// it, and how it stands. It begins nothing by itself. It is safe for concurrent use.
type Deployment struct {
	o      Options
	log    *slog.Logger
	ledger setup.Ledger
	hub    *events.Hub
	vitals *vitals.Reader
	trial  *trial
	hooks  slot // the receiver of webhooks
	had    had
	counts counts
	unsent unsent
	meter  meter                  // of the home's requests, if that is here
	wrong  atomic.Pointer[string] // why a new configuration is not taken over; nil: it is

	mu   sync.Mutex
	cfg  *config.Config
	line Line
}

// NewDeployment returns a deployment whose rows are in the ledger, which it does not close. SetLine must be called before it is used.
func NewDeployment(cfg *config.Config, l setup.Ledger, o Options) (*Deployment, error) {
	d := newDeployment(cfg, l, o)
	return d, d.Replace(cfg)
}

func newDeployment(cfg *config.Config, l setup.Ledger, o Options) *Deployment {
	return &Deployment{
		o: o, log: o.Opener.Logger, ledger: l, hub: events.NewHub(l.Now), vitals: vitals.NewReader(l, cfg.Syncs, l.Now()), trial: newTrial(l.Try), cfg: cfg,
	}
}

// SetLine says where the deployment's home is reached.
func (d *Deployment) SetLine(l Line) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.line = l
}

func (d *Deployment) at() Line {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.line
}

// Close ends all who follow its events, and waits for a write that goes on. It leaves the ledger open.
func (d *Deployment) Close() {
	d.hub.Close()
	d.trial.close()
}

// Name returns the name of the deployment, empty for the only one of a file.
func (d *Deployment) Name() string { return d.Config().Name }

// Config returns its present configuration.
func (d *Deployment) Config() *config.Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cfg
}

// Ledger returns its rows.
func (d *Deployment) Ledger() setup.Ledger { return d.ledger }

// Hub carries what happens in it, as far as this node knows.
func (d *Deployment) Hub() *events.Hub { return d.hub }

// Webhooks takes in what Owlat tells. Each delivery is in the ledger before it is acknowledged.
func (d *Deployment) Webhooks() http.Handler { return &d.hooks }

// Service shows the deployment to the API.
func (d *Deployment) Service() api.Service { return window{d} }

// Desk takes what people ask for, who may type keys in any form.
func (d *Deployment) Desk() api.Desk { return typing{d.at(), d} }

// Signs tell how the deployment is doing.
func (d *Deployment) Signs() *vitals.Reader { return d.vitals }

// Replace goes over to another configuration, or fails with an error of usage and stays as it was.
func (d *Deployment) Replace(cfg *config.Config) error {
	hooks, err := d.receiver(cfg)
	if err != nil {
		return err
	}
	d.take(cfg, hooks)
	return nil
}

// Stays notes why a new configuration is not taken over, nil if it is. Alerts tell it.
func (d *Deployment) Stays(why error) {
	if why == nil {
		d.wrong.Store(nil)
		return
	}
	d.wrong.Store(new(why.Error()))
}

func (d *Deployment) take(cfg *config.Config, hooks http.Handler) {
	d.mu.Lock()
	d.cfg = cfg
	d.mu.Unlock()
	d.vitals.Set(cfg.Syncs, d.ledger.Now())
	d.hooks.put(hooks)
}

// receiver returns the handler of webhooks.
func (d *Deployment) receiver(cfg *config.Config) (http.Handler, error) {
	if len(cfg.Webhooks.Secrets) == 0 {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "webhooks are not taken in here: the configuration has no webhooks.secrets", http.StatusNotFound)
		}), nil
	}
	o := feedback.Options{MaxAge: cfg.Webhooks.MaxAge, Logger: d.log, Told: ears{d}.heard, Routes: setup.RoutesOf(cfg)}
	for _, secret := range cfg.Webhooks.Secrets {
		o.Secrets = append(o.Secrets, secret.Reveal())
	}
	receiver, err := feedback.NewReceiver(d.ledger, o)
	if err != nil {
		return nil, problem.Usage(err)
	}
	return receiver, nil
}

// alive returns why nothing is done, nil if all is well.
func (d *Deployment) alive(ctx context.Context) error {
	line := d.at()
	if line == nil {
		return errors.New("the deployment is not open yet")
	}
	if err := line.Alive(ctx); err != nil {
		return err
	}
	if _, err := d.ledger.Queued(ctx); err != nil {
		return fmt.Errorf("the ledger does not answer: %w", err)
	}
	return nil
}

// slot is a handler that can be replaced while it serves.
type slot struct{ at atomic.Pointer[http.Handler] }

func (s *slot) put(h http.Handler) { s.at.Store(&h) }

// ServeHTTP hands over to the present handler.
func (s *slot) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*s.at.Load()).ServeHTTP(w, r) }
