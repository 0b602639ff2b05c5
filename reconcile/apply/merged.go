package apply

import (
	"context"
	"fmt"
	"slices"

	"owlatsync"
	"owlatsync/reconcile/remote"
)

// heir is the contact into which that of a row was merged.
type heir struct{ *row }

// follow handles a contact whose id is gone. If another contact has its address, Owlat most likely merged the two: the row goes on with
// that one, and no topic is added. Otherwise the contact was deleted.
func (r heir) follow(ctx context.Context) error {
	addresses := []string{r.e.Email}
	if !r.s.Only && !r.s.Missing {
		addresses = append(addresses, r.s.Row.Email)
	}
	c, err := remote.Heir(ctx, r.client, r.Ledger, r.Sync, r.e, addresses...)
	if err != nil {
		return err
	}
	if r.gone = c == nil; r.gone {
		return nil
	}
	was := r.e.ContactID
	if err := never(r).inherit(ctx, c.ID); err != nil {
		return err
	}
	r.e = remote.Inherit(r.Overwrite, r.e, *c)
	r.followed()
	r.event("merged", fmt.Sprintf("the contact %s is gone, and the contact %s has its address", was, c.ID))
	return nil
}

// followed changes the step of a row that goes on with another contact: no topic is added, and the row counts as adopted, so that no
// update of its own contact is told by an event.
func (r heir) followed() {
	kept := slices.DeleteFunc(slices.Clone(r.s.Changes), func(c owlatsync.Change) bool { return c.Kind == owlatsync.AddTopic })
	r.s.Skipped += len(r.s.Changes) - len(kept)
	r.s.Changes, r.unsureOf = kept, ""
	r.notUpdated()
	if r.s.Missing {
		r.result.reason = remote.ReasonMergedAbsent
	}
	if !r.s.Only && !r.s.Refused && !r.s.Missing {
		r.s.Outcome, r.result = owlatsync.Adopted, result{outcome: owlatsync.Adopted, reason: remote.ReasonMerged}
	}
}
