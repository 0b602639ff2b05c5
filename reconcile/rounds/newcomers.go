package rounds

import (
	"context"
	"fmt"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/bar"
	"owlatsync/reconcile/remote"
)

// newcomers are contacts to whom no mail may go by the user's own word, and of whom Owlat does not know that: they came into it after that word, by
// its dashboard, by a form or by an import.
type newcomers struct{ *round }

// bar opts those among listed contacts out of everything. What fails about one of them does not end the round: the next one meets the contact again.
func (r newcomers) bar(ctx context.Context, listed []owlat.Contact) error {
	names := make([]string, 0, 2*len(listed))
	for _, c := range listed {
		names = append(names, c.ID)
		if address := addressOf(c); address != "" {
			names = append(names, address)
		}
	}
	found, err := r.Ledger.Suppressions(ctx, names)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	if len(found) == 0 {
		return nil
	}
	for _, c := range listed {
		is := found[addressOf(c)].With(found[c.ID])
		if !is.Reason.Asked() || !is.Told.IsZero() {
			continue
		}
		bars := bar.Bars{Ledger: r.Ledger, Links: r.Client, Reason: is.Reason}
		switch _, err := bars.Bar(ctx, r.Client, c.ID); {
		case err == nil:
			r.Log.Info("a contact to which no mail may go has come into Owlat, and is opted out of everything", "contact", c.ID)
		case remote.IsGone(err):
		case remote.IsRefusal(err):
			return fmt.Errorf("%w: %w", ErrUntold, err)
		case ctx.Err() != nil, r.Lock.Context().Err() != nil, remote.Classify(err).Class == ledger.StopRun:
			return err
		default:
			r.Log.Warn("a contact to which no mail may go has come into Owlat, and could not be opted out; the next round tries it again", "contact", c.ID, "error", err)
		}
	}
	return nil
}

// addressOf returns the normalised address of a contact.
func addressOf(c owlat.Contact) string { return owlatsync.LowerAddress(owlatsync.Trim(c.Email)) }
