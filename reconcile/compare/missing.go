package compare

import (
	"context"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

// Missing finds out how many people are not in Owlat because their rows are invalid.
type Missing struct {
	ledger ledger.Reader
	sync   string

	rows      []step.Decision // invalid rows that are yet to be looked up
	addresses map[string]int  // rows without a contact by their addresses
	other     int             // rows without a contact and without an address
}

// NewMissing returns what knows of no row yet.
func NewMissing(l ledger.Reader) *Missing {
	return &Missing{ledger: l, addresses: make(map[string]int)}
}

// Of says of which sync the rows that follow are.
func (m *Missing) Of(sync string) { m.sync = sync }

// Row takes in an invalid row.
func (m *Missing) Row(ctx context.Context, d step.Decision) error {
	if m.rows = append(m.rows, d); len(m.rows) < batchSize {
		return nil
	}
	return m.Look(ctx)
}

// Look leaves out the rows whose contact the ledger knows.
func (m *Missing) Look(ctx context.Context) error {
	var keys []string
	for _, d := range m.rows {
		if d.Key != "" {
			keys = append(keys, d.Key)
		}
	}
	entries, err := m.ledger.Entries(ctx, m.sync, keys)
	if err != nil {
		return readLedger(err)
	}
	for _, d := range m.rows {
		if e := entries[d.Key]; e != nil && e.ContactID != "" && e.Origin != ledger.OriginGone {
			continue
		}
		if address, err := owlatsync.NormalizeAddress(d.Address()); err == nil {
			m.addresses[address]++
		} else {
			m.other++
		}
	}
	m.rows = m.rows[:0]
	return nil
}

// In counts the rows whose addresses no listed contact has.
func (m *Missing) In(l *Listing) int {
	for _, spot := range l.spots {
		delete(m.addresses, owlatsync.LowerAddress(l.roll.Contact(spot).Email))
	}
	n := m.other
	for _, rows := range m.addresses {
		n += rows
	}
	return n
}
