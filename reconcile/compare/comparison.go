package compare

import (
	"context"
	"fmt"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/own"
	"owlatsync/reconcile/remote"
)

// Comparison compares the entries of one sync with the contacts.
type Comparison struct {
	Ledger   ledger.Reader
	Lock     ledger.Writer
	Sync     string
	Contacts *Listing
	Repair   bool
	Each     func(Finding) error
	// Overwrite says which fields the sync may overwrite: what differs in others is no difference, and is kept.
	Overwrite owlatsync.Overwrites

	Entries  int // entries compared so far
	Repaired int
	fixed    []ledger.Record     // corrections to be recorded
	heirs    map[string]struct{} // contacts with which entries go on, because their own were merged into them
}

// Compare tells the differences of all entries, and corrects the entries if Repair is set.
func (c *Comparison) Compare(ctx context.Context) error {
	for entry, err := range c.Ledger.All(ctx, c.Sync) {
		if err != nil {
			return err
		}
		if entry.ContactID == "" || entry.Origin == ledger.OriginGone {
			continue
		}
		contact, there := c.Contacts.find(entry.ContactID)
		found := compare(c.Overwrite, c.Sync, entry, contact, there)
		var heir *owlat.Contact
		if !there && entry.Origin != ledger.OriginDeleting {
			if heir, err = c.heir(ctx, entry); err != nil {
				return err
			}
			if heir != nil {
				found[0].Owlat = heir.ID
			}
		}
		if entry.Departed == "" { // what became of a row that left is no difference, but must be known if it comes back
			c.Entries++
			for _, f := range found {
				if err := c.Each(f); err != nil {
					return err
				}
			}
		}
		if !c.Repair || len(found) == 0 || entry.Doubt { // a doubt that could not be settled stays one
			continue
		}
		record := correct(c.Overwrite, c.Sync, entry, contact, there, heir, c.Ledger.Now())
		if heir != nil {
			c.Contacts.find(heir.ID)
		}
		if c.fixed = append(c.fixed, record); len(c.fixed) == batchSize {
			if err := c.fix(ctx); err != nil {
				return err
			}
		}
	}
	return c.fix(ctx)
}

// heir returns the contact into which that of an entry was most likely merged, nil if there is none.
func (c *Comparison) heir(ctx context.Context, e *ledger.Entry) (*owlat.Contact, error) {
	contact, there := c.Contacts.at(e.Email)
	if !there {
		return nil, nil
	}
	if _, taken := c.heirs[contact.ID]; taken {
		return nil, nil
	}
	free, err := remote.Free(ctx, c.Ledger, c.Sync, e, contact.ID)
	if err != nil || !free {
		return nil, err
	}
	if c.heirs == nil {
		c.heirs = make(map[string]struct{})
	}
	c.heirs[contact.ID] = struct{}{}
	return &contact, nil
}

// fix records the corrections.
func (c *Comparison) fix(ctx context.Context) error {
	if len(c.fixed) == 0 {
		return nil
	}
	if c.Repaired == 0 { // the next run must plan unchanged rows too
		if err := c.Lock.SetBookmark(ctx, c.Sync, ledger.Bookmark{}); err != nil {
			return fmt.Errorf("record how far the source was read: %w", err)
		}
	}
	if err := c.Lock.Record(ctx, c.fixed...); err != nil {
		return fmt.Errorf("record what Owlat holds: %w", err)
	}
	c.Repaired += len(c.fixed)
	c.fixed = c.fixed[:0]
	return nil
}

// compare returns the differences between an entry and its contact. Pure.
func compare(o owlatsync.Overwrites, sync string, e *ledger.Entry, c owlat.Contact, there bool) []Finding {
	f := Finding{Sync: sync, Key: e.Key, ContactID: e.ContactID, Address: e.Email}
	if !there {
		f.Kind = MissingInOwlat
		return []Finding{f}
	}
	var found []Finding
	differ := func(kind Kind, field, ledger, owlat string) {
		if ledger == owlat {
			return
		}
		if own.Stays(o.Of(field), owlat) {
			kind = KeptInOwlat
		}
		f.Kind, f.Field, f.Ledger, f.Owlat = kind, field, ledger, owlat
		found = append(found, f)
	}
	differ(AddressDiffers, "email", e.Email, owlatsync.LowerAddress(c.Email))
	fields := remote.FieldsOf(&c)
	for _, f := range owlatsync.ContactFields {
		differ(ChangedInOwlat, f.Name(), e.Fields[f], fields[f])
	}
	return found
}

// correct returns the record that corrects an entry to its contact, so that the next run plans the row again. Heir is the contact
// into which a missing one was merged, nil if none is known.
func correct(o owlatsync.Overwrites, sync string, e *ledger.Entry, c owlat.Contact, there bool, heir *owlat.Contact, now time.Time) ledger.Record {
	e.Fingerprint, e.Doubt, e.ChangedAt = ledger.Fingerprint{}, false, now
	if !there && e.Origin == ledger.OriginDeleting {
		return ledger.Record{Sync: sync, Entry: remote.Deleted(e, now), Event: "deleted", Note: "verify did not find the contact that was to be deleted"}
	}
	if heir != nil {
		e = remote.Succeed(o, e, *heir)
		e.ChangedAt = now
		return ledger.Record{Sync: sync, Entry: e, Event: "merged", Note: remote.ReasonMerged}
	}
	if !there {
		e.Origin = ledger.OriginGone
		return ledger.Record{Sync: sync, Entry: e, Event: "gone", Note: "verify did not find the contact in Owlat"}
	}
	remote.Looked(o, e, &c)
	return ledger.Record{Sync: sync, Entry: e, Event: "changed in Owlat", Note: "verify found other values than were written"}
}
