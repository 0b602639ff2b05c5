package compare

import (
	"context"
	"fmt"
	"slices"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

// Others tells the contacts that no row stands for, and contacts that share an address.
func (l *Listing) Others(ctx context.Context, book ledger.Reader, each func(Finding) error) error {
	byAddress := make(map[string]int32, len(l.spots))
	for at, spot := range slices.Backward(l.spots) { // the oldest first
		c := l.roll.Contact(spot)
		if c.Email == "" {
			continue
		}
		address := owlatsync.LowerAddress(c.Email)
		if older, twin := byAddress[address]; twin {
			f := Finding{Kind: TwinInOwlat, ContactID: c.ID, Address: address, Owlat: l.roll.Contact(l.spots[older]).ID}
			if err := each(f); err != nil {
				return err
			}
			continue
		}
		byAddress[address] = int32(at)
	}
	unknown := make([]owlat.Contact, 0, batchSize)
	tell := func() error {
		ids := make([]string, len(unknown))
		for i, c := range unknown {
			ids[i] = c.ID
		}
		sharers, err := book.Sharers(ctx, ids)
		if err != nil {
			return readLedger(err)
		}
		for _, h := range sharers { // rows of syncs that are not verified count too
			l.find(h.Entry.ContactID)
		}
		for _, c := range unknown {
			if l.known[l.byID[c.ID]] {
				continue
			}
			if err := each(Finding{Kind: UnknownInOwlat, ContactID: c.ID, Address: c.Email}); err != nil {
				return err
			}
		}
		unknown = unknown[:0]
		return nil
	}
	for at, spot := range slices.Backward(l.spots) {
		if l.known[at] {
			continue
		}
		if unknown = append(unknown, l.roll.Contact(spot)); len(unknown) == batchSize {
			if err := tell(); err != nil {
				return err
			}
		}
	}
	return tell()
}

// batchSize is how many rows or contacts are looked up, and how many records are handed to the ledger, at once.
const batchSize = 500

func readLedger(err error) error { return fmt.Errorf("read the ledger: %w", err) }
