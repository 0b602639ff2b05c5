package home

import (
	"context"
	"errors"
	"slices"

	"owlatsync/internal/alert"
	"owlatsync/internal/config"
	"owlatsync/internal/setup"
)

// recorder is a ledger that keeps which alerts were told; that in PostgreSQL does.
type recorder interface {
	Told(ctx context.Context) (state []byte, version int64, err error)
	Tell(ctx context.Context, state []byte, version int64) error
}

// told is the alert.Store of one round.
type told struct {
	recorder
	version int64
}

// Load implements alert.Store.
func (t *told) Load(ctx context.Context) (text []byte, err error) {
	text, t.version, err = t.Told(ctx)
	return text, err
}

// Save implements alert.Store.
func (t *told) Save(ctx context.Context, text []byte) error {
	err := t.Tell(ctx, text, t.version)
	if err == nil {
		t.version++
	}
	return err
}

// Alert looks once what is wrong with a deployment that several nodes share, and tells it to the channels. One node at a time does that.
func (d *Deployment) Alert(ctx context.Context) (err error) {
	cfg := d.Config()
	in, ok := d.ledger.(recorder)
	if !ok || len(cfg.Alerts) == 0 {
		return nil
	}
	means := alert.Means{Agent: d.o.Opener.UserAgent, Now: d.ledger.Now}
	if slices.ContainsFunc(cfg.Alerts, func(a config.Alert) bool { return a.Owlat != nil }) {
		client, openErr := setup.OpenOutside(ctx, d.o.Opener, cfg, "telling what is wrong", false)
		if openErr != nil {
			return openErr
		}
		defer func() { err = errors.Join(err, client.Close()) }()
		means.Owlat = client.Client
	}
	subs, err := alert.Channels(cfg.Alerts, means)
	if err != nil {
		return err
	}
	w := alert.NewWatcher(alert.Options{
		Signs: d.vitals, Silence: ears{d}.silence, Mistake: ears{d}.mistake, Store: &told{recorder: in}, Log: d.log, Told: ears{d}.told, Deployment: cfg.Name,
	})
	w.Set(subs, cfg.Service.URL)
	w.Round(ctx)
	return nil
}
