package home

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/schedule"
	"owlatsync/internal/setup"
	"owlatsync/internal/writeback"
)

// Timetable returns when the syncs of a configuration are due by themselves.
func Timetable(cfg *config.Config) (entries []schedule.Entry, err error) {
	for _, s := range cfg.Syncs {
		times, err := timesOf(s)
		if err != nil {
			return nil, fmt.Errorf("sync %q: schedule: %w", s.Name, err)
		}
		if times != nil {
			entries = append(entries, schedule.Entry{Sync: s.Name, Schedule: times})
		}
	}
	return entries, nil
}

// Listens reports whether a sync of the configuration listens to its source, or people are looked for who have left, so that its deployment
// always needs a home.
func Listens(cfg *config.Config) bool { return len(woken(cfg.Syncs)) > 0 || cfg.Feedback.Every > 0 }

// WriteBack tells one target of a deployment that has no outbox of its own what is due; see writeback.Sender.Pass.
func (d *Deployment) WriteBack(ctx context.Context, target string) (next time.Time, err error) {
	cfg := *d.Config()
	cfg.WriteBacks = slices.Clone(cfg.WriteBacks)
	cfg.WriteBacks = slices.DeleteFunc(cfg.WriteBacks, func(w config.WriteBack) bool { return w.Name != target })
	targets, err := d.o.Opener.WriteBacks(&cfg)
	if err != nil {
		return time.Time{}, err
	}
	defer func() {
		if e := setup.CloseTargets(targets); e != nil && err == nil {
			d.log.Warn("a write-back is not closed", "write_back", target, "error", e)
		}
	}()
	return writeback.New(d.ledger, targets, d.log, ears{d}.delivered).Pass(ctx, target)
}

// Prune drops the deployment's old history.
func (d *Deployment) Prune(ctx context.Context) error {
	s, err := d.o.Opener.Open(ctx, d.Config(), config.UseLedger)
	if err != nil {
		return err
	}
	_, err = s.Prune(ctx)
	return errors.Join(err, s.Close())
}
