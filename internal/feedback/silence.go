package feedback

import (
	"context"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

const (
	// arrivesWithin is how long after a run Owlat may still deliver: its third attempt comes six minutes after the first.
	arrivesWithin = 10 * time.Minute
	// runsLooked is how many of the latest runs are looked at.
	runsLooked = 200
)

// Heard is what SilenceOf needs of the ledger.
type Heard interface {
	LastFeedback(ctx context.Context) (time.Time, error)
	Runs(ctx context.Context, sync string, limit int) ([]ledger.Run, error)
}

// Silence is what speaks for webhooks that get lost.
type Silence struct {
	Last     time.Time // when the latest webhook came; zero: none ever came
	Contacts int       // that runs have created since, each of which Owlat tells by contact.created
	Since    time.Time // when the first of these runs ended
}

// SilenceOf judges from the ledger alone whether Owlat is silent although it should tell of contacts that runs created.
func SilenceOf(ctx context.Context, l Heard, now time.Time) (s Silence, err error) {
	if s.Last, err = l.LastFeedback(ctx); err != nil {
		return Silence{}, err
	}
	runs, err := l.Runs(ctx, "", runsLooked)
	if err != nil {
		return Silence{}, err
	}
	for _, r := range runs { // the latest first
		if r.Report == nil || r.Finished.IsZero() || now.Sub(r.Finished) < arrivesWithin || !r.Started.After(s.Last) {
			continue
		}
		if n := r.Report.Outcomes[owlatsync.Created]; n > 0 {
			s.Contacts += n
			s.Since = r.Finished
		}
	}
	return s, nil
}

// Lasts reports whether Owlat has been silent for so long although it should have told something.
func (s Silence) Lasts(now time.Time, silentAfter time.Duration) bool {
	return s.Contacts > 0 && silentAfter > 0 && now.Sub(s.Since) >= silentAfter
}
