package apply

import (
	"context"

	"owlatsync/ledger"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
)

// seek looks for the contact of a row that was exported for Owlat's importer, and goes on with it if there is one. Otherwise the row fails, or becomes
// one whose contact is to be created.
func (r creation) seek(ctx context.Context) (found bool, err error) {
	addresses := []string{r.s.Row.Email}
	if was := r.e.Identity; was != "" && was != r.s.Row.Email {
		addresses = append(addresses, was)
	}
	for _, address := range addresses {
		if r.s.Import.Absent {
			break
		}
		c, err := remote.Find(ctx, r.client, address)
		if err == nil {
			r.s.Reason = ""
			return true, r.found(ctx, *c, ledger.Intent{})
		}
		if !remote.IsGone(err) {
			return false, err
		}
	}
	if !r.s.Import.Makes {
		return false, &remote.Failure{Class: ledger.RetryLater, Category: ledger.CategoryNotImported, Reason: step.ReasonNotImported}
	}
	r.e.Origin, r.e.Identity = ledger.OriginNone, ""
	return false, nil
}
