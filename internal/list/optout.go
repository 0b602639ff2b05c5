package list

import (
	"context"
	"fmt"

	"owlatsync/owlat"
	"owlatsync/reconcile/bar"
)

// OptOut returns the job that sees to it that no mail goes to people any more. Repeating it changes nothing.
func OptOut(bars *bar.Bars) Job {
	return Job{Name: "optout", Send: func(ctx context.Context, c *owlat.Client, e Entry) Result {
		became, err := bars.Bar(ctx, c, e.Contact)
		return Result{Outcome: became, Err: err}
	}}
}

// Survey is what an optout will do, as far as the ledger tells.
type Survey struct {
	Suppressed int `json:"suppressed"` // already, for whatever reason
	Told       int `json:"told"`       // of them: Owlat was told before
	Known      int `json:"known"`      // whose contact the ledger knows
	Links      int `json:"links"`      // requests with the unsubscribe secret, at most
	Requests   int `json:"requests"`   // of the key's budget, at most
}

// SurveyOf looks up the entries that the journal, which may be nil, does not have as done.
func SurveyOf(ctx context.Context, bars *bar.Bars, entries []Entry, journal *Journal) (s Survey, err error) {
	for _, e := range entries {
		if journal.of(e) == done {
			continue
		}
		is, err := bars.Standing(ctx, e.Contact)
		if err != nil {
			return s, fmt.Errorf("look up who is on the list: %w", err)
		}
		if is.Suppressed {
			s.Suppressed++
		}
		if is.Contact != "" {
			s.Known++
		}
		if is.Told {
			s.Told++
			continue
		}
		s.Requests++ // the look-up of an unknown one, or of one that is on no topic
		if bars.Links.Preferences.Configured() {
			s.Links++
		} else {
			s.Requests += len(bars.Topics)
		}
	}
	return s, nil
}
