package home

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"owlatsync/internal/alert"
	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/schedule"
	"owlatsync/internal/setup"
	"owlatsync/internal/writeback"
)

// Next is a configuration that a home can go over to: everything that can fail was done.
type Next struct {
	h       *Home
	cfg     *config.Config
	entries []schedule.Entry
	targets []writeback.Target
	hooks   http.Handler
	subs    []alert.Subscription
}

// Prepare does all of another configuration that can fail. Take or Drop must be called of what it returns.
func (h *Home) Prepare(ctx context.Context, cfg *config.Config) (n *Next, err error) {
	if cfg, err = h.session.Resolve(ctx, cfg); err != nil {
		return nil, err
	}
	n = &Next{h: h, cfg: cfg}
	if n.entries, err = timetable(ctx, h.session.Ledger, cfg.Syncs); err != nil {
		return nil, problem.Usage(err)
	}
	if n.hooks, err = h.d.receiver(cfg); err != nil {
		return nil, err
	}
	if h.o.Shared {
		return n, nil
	}
	if n.subs, err = alert.Channels(cfg.Alerts, alert.Means{Owlat: h.session.Client, Agent: h.o.Opener.UserAgent}); err != nil {
		return nil, problem.Usage(err)
	}
	if n.targets, err = h.o.Opener.WriteBacks(cfg); err != nil {
		return nil, err
	}
	if err = checkTargets(ctx, n.targets, h.log); err != nil {
		return nil, problem.Usage(errors.Join(err, n.Drop()))
	}
	return n, nil
}

// Drop closes what was prepared in vain.
func (n *Next) Drop() error { return setup.CloseTargets(n.targets) }

// Take goes over to the configuration. An error is about what is left of the one before; the new one holds all the same.
func (n *Next) Take(ctx context.Context) error {
	h, cfg := n.h, n.cfg
	if h.own {
		h.d.take(cfg, n.hooks)
	}
	if idle := asleep(cfg.Syncs); len(idle) > 0 && h.own {
		h.log.Warn("a sync without schedule, listen and poll runs only when somebody asks for it", "syncs", strings.Join(idle, ", "))
	}
	h.o.Metrics.Know(cfg.Names()...)
	var errs []error
	if !h.o.Shared {
		h.alerts.Set(n.subs, cfg.Service.URL)
		errs = append(errs, h.outbox.replace(n.targets))
	}
	errs = append(errs, h.syncs.set(ctx, cfg.Syncs, n.entries), h.session.KeepSources(woken(cfg.Syncs)), h.waker.Set(cfg.Syncs))
	return errors.Join(errs...)
}

// Replace goes over to another configuration of the same deployment, with the same key, budget and ledger; or it fails and stays as it
// was.
func (h *Home) Replace(ctx context.Context, cfg *config.Config) error {
	n, err := h.Prepare(ctx, cfg)
	if err != nil {
		return err
	}
	if err := n.Take(context.WithoutCancel(ctx)); err != nil {
		h.log.Warn("something of the old configuration is left", "error", err)
	}
	return nil
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
