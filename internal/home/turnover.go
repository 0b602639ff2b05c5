package home

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"owlatsync/internal/alert"
	"owlatsync/internal/config"
	"owlatsync/internal/feedback"
	"owlatsync/internal/problem"
	"owlatsync/internal/schedule"
	"owlatsync/internal/setup"
	"owlatsync/internal/writeback"
)

// Next is a configuration that the home can go over to: everything that can fail was done.
type Next struct {
	cfg     *config.Config
	entries []schedule.Entry
	targets []writeback.Target
	hooks   http.Handler
	subs    []alert.Subscription
}

// Prepare does all of a configuration that can fail. What it returns is taken, or closed.
func (h *Home) Prepare(ctx context.Context, cfg *config.Config) (n *Next, err error) {
	n = &Next{cfg: cfg}
	if n.entries, err = timetable(ctx, h.session.Ledger, cfg.Syncs); err != nil {
		return nil, problem.Usage(err)
	}
	if n.hooks, err = h.receiver(cfg); err != nil {
		return nil, problem.Usage(err)
	}
	if n.subs, err = alert.Channels(cfg.Alerts, alert.Means{Owlat: h.session.Client, Agent: h.o.Opener.UserAgent}); err != nil {
		return nil, problem.Usage(err)
	}
	if n.targets, err = h.o.Opener.WriteBacks(cfg); err != nil {
		return nil, err
	}
	if err = checkTargets(ctx, n.targets, h.log); err != nil {
		return nil, problem.Usage(errors.Join(err, setup.CloseTargets(n.targets)))
	}
	return n, nil
}

// Close lets go of a configuration that is not taken.
func (n *Next) Close() error { return setup.CloseTargets(n.targets) }

// receiver returns the handler of webhooks.
func (h *Home) receiver(cfg *config.Config) (http.Handler, error) {
	if len(cfg.Webhooks.Secrets) == 0 {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "webhooks are not taken in here: the configuration has no webhooks.secrets", http.StatusNotFound)
		}), nil
	}
	o := feedback.Options{MaxAge: cfg.Webhooks.MaxAge, Logger: h.log, Told: ears{h}.heard}
	for _, secret := range cfg.Webhooks.Secrets {
		o.Secrets = append(o.Secrets, secret.Reveal())
	}
	for _, w := range cfg.WriteBacks {
		o.Routes = append(o.Routes, feedback.Route{Target: w.Name, On: w.On})
	}
	return feedback.NewReceiver(h.session.Ledger, o)
}

// Take goes over to a configuration that was prepared. Its error says what is left of the one before.
func (h *Home) Take(ctx context.Context, n *Next) error {
	h.mu.Lock()
	h.cfg = n.cfg
	h.mu.Unlock()
	names := n.cfg.Names()
	if idle := asleep(n.cfg.Syncs); len(idle) > 0 {
		h.log.Warn("a sync without schedule, listen and poll runs only when somebody asks for it", "syncs", strings.Join(idle, ", "))
	}
	h.o.Metrics.Know(names...)
	h.vitals.Set(n.cfg.Syncs, time.Now())
	h.alerts.Set(n.subs, n.cfg.Service.URL)
	h.hooks.put(n.hooks)
	return errors.Join(h.outbox.replace(n.targets), h.syncs.set(ctx, n.cfg.Syncs, n.entries), h.session.KeepSources(woken(n.cfg.Syncs)), h.waker.Set(n.cfg.Syncs))
}

// woken returns the syncs that their sources wake: their runs must begin at once.
func woken(all []config.Sync) (some []config.Sync) {
	for _, s := range all {
		if s.Listen != "" || s.Poll > 0 {
			some = append(some, s)
		}
	}
	return some
}

// asleep returns the names of the syncs that nothing runs by itself.
func asleep(all []config.Sync) (names []string) {
	for _, s := range all {
		if !s.RunsByItself() {
			names = append(names, s.Name)
		}
	}
	return names
}
