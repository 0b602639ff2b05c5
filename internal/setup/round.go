package setup

import (
	"cmp"
	"context"
	"time"

	"owlatsync/internal/config"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/rounds"
)

// RoundDue returns when the next round is due at now, after what is known of rounds. One that broke off goes on at once, and so does one that seems to
// have been tried in the future, because the clock was set back; one that failed is tried again after
// the interval.
func RoundDue(kept ledger.Round, every time.Duration, now time.Time) time.Time {
	open, last := kept.Open, kept.Ended
	switch {
	case !open.Began.IsZero() && open.Failed == "":
		return open.Began
	case !open.Began.IsZero():
		last = open.Tried
	}
	switch {
	case last.IsZero():
		return time.Time{}
	case last.After(now):
		return now
	}
	return last.Add(every)
}

// RoundCosts is what a round takes: with a hundredth of the contacts changed, and if everybody is read, which is the most.
type RoundCosts struct{ Usual, Whole rounds.Cost }

// RoundTakes returns what a round over so many contacts takes at the pace of a configuration. One that reads everybody takes the same each time.
func RoundTakes(cfg *config.Config, contacts int) (c RoundCosts) {
	links, budget := cmp.Or(cfg.Owlat.PreferencesPerSecond, owlat.DefaultPreferencesRate), cmp.Or(cfg.Owlat.RequestsPerSecond, owlat.DefaultRate)
	c.Whole = rounds.CostOf(0, contacts, budget, links)
	if c.Usual = c.Whole; !cfg.Feedback.All {
		c.Usual = rounds.CostOf(contacts, contacts/100, budget, links)
	}
	return c
}

// RoundBefore returns what the round takes that a run of the session would make first, as far as the ledger knows how many contacts there are; ok is false if it would
// make none.
func RoundBefore(ctx context.Context, s *Session) (c RoundCosts, contacts int, ok bool, err error) {
	if s.Config.Feedback.Every == 0 || s.Config.Owlat.NoKey != nil {
		return c, 0, false, nil
	}
	kept, err := s.Ledger.Round(ctx)
	if now := s.Ledger.Now(); err != nil || RoundDue(kept, s.Config.Feedback.Every, now).After(now) {
		return c, 0, false, err
	}
	for _, sync := range s.Config.Syncs {
		st, err := s.Ledger.Standing(ctx, sync.Name)
		if err != nil {
			return c, 0, false, err
		}
		contacts += st.Entries
	}
	if !s.Config.Feedback.All {
		contacts = max(contacts, kept.Listed)
	}
	return RoundTakes(s.Config, contacts), contacts, true, nil
}

// Untold counts what waits to be told to the write-backs of the configuration, which a service does.
func Untold(ctx context.Context, s *Session) (n int, err error) {
	if len(s.Config.WriteBacks) == 0 {
		return 0, nil
	}
	counts, err := s.Ledger.DeliveryCounts(ctx)
	for _, w := range s.Config.WriteBacks {
		n += counts[w.Name][ledger.DeliveryWaiting]
	}
	return n, err
}
