package scan

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

const (
	// metMost is the most entries of changed rows that are kept between the scan and the plan.
	metMost = 20_000
	// batch is how many rows are looked up in the ledger at once.
	batch = 500
)

// increment is a scan of the changed rows. It does not load the index. It looks up the entries of the rows that it reads, so that
// the cost grows with the changes. It also reads the rows that hold the address of a changed row, and the rows that hold theirs. So
// the plan knows everything about these rows.
type increment struct {
	*Scan
	batch []sighting
	asked map[uint64]struct{} // hashes of keys that were read, or asked for
	ask   map[string]bool     // keys to be asked for
}

// sighting is a row that was read and is not compared yet.
type sighting struct {
	d        *step.Row // nil: the row is invalid
	key      string
	position owlatsync.Position
	address  string              // as the source gives it
	consents []owlatsync.Consent // of an invalid row
	never    bool                // of an invalid row: no mail may go to the person
	invalid  string
}

// Changes reads the changed rows, the rows with the given keys, and the rows that hold their addresses. It sets reading.Again,
// which the stream of rows must call. It returns what was read with an error too; the caller must call Release in any case.
func Changes(ctx context.Context, n Needs, reading *owlatsync.Scan, keys []string) (*Scan, error) {
	in := &increment{Scan: begin(n), asked: make(map[uint64]struct{}), ask: make(map[string]bool)}
	in.ix, in.Met = newIndex(), make(map[string]*ledger.Entry)
	for _, key := range keys {
		in.ask[key] = true
	}
	reading.Again = in.again
	rd := NewReader(n.Policies)
	err := in.each(ctx, func(row *owlatsync.Row) error {
		d, key, invalid := rd.Read(row)
		in.asked[ledger.MemoryHash(key)] = struct{}{}
		s := sighting{d: d.Clone(), key: key, position: row.Position, address: row.Email.Value, invalid: invalid}
		if d == nil {
			s.consents, s.never = slices.Clone(row.Consents), row.Suppressed
		}
		in.batch = append(in.batch, s)
		if len(in.batch) < batch {
			return nil
		}
		return in.judge(ctx)
	})
	if err == nil {
		err = in.judge(ctx) // rows that were asked for last
	}
	if err != nil {
		return in.Scan, in.giveUp(err)
	}
	in.Tell.Scanned(in.Read, true)
	return in.Scan, nil
}

// giveUp takes in the rows that were not compared with the ledger, because the scan ends with an error.
func (in *increment) giveUp(err error) error {
	for _, s := range in.batch {
		if s.d == nil {
			in.End(step.NewDecision(s.key, s.position, s.address, owlatsync.Invalid, s.invalid))
		} else if in.wait(s.d) != nil {
			break // the rest still count as read
		}
	}
	return err
}

// again returns the keys of rows to read besides those that changed.
func (in *increment) again(ctx context.Context) ([]string, error) {
	if err := in.judge(ctx); err != nil {
		return nil, err
	}
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(in.ask)) {
		hash := ledger.MemoryHash(key)
		if _, asked := in.asked[hash]; !asked {
			in.asked[hash] = struct{}{}
			keys = append(keys, key)
		}
	}
	clear(in.ask)
	return keys, nil
}

// judge compares the rows of the batch with the ledger, and finds the holders of the addresses of those that changed.
func (in *increment) judge(ctx context.Context) error {
	if len(in.batch) == 0 {
		return nil
	}
	var keys []string
	for _, s := range in.batch {
		if s.key != "" {
			keys = append(keys, s.key)
		}
	}
	entries, err := in.Ledger.Entries(ctx, in.Policies.Sync, keys)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	in.ix.add(entries)
	var addresses []string
	for len(in.batch) > 0 {
		s := in.batch[0]
		in.batch = in.batch[1:]
		if s.d == nil {
			if err := in.sightInvalid(s.position, s.key, s.address, s.consents, s.never, s.invalid); err != nil {
				return err
			}
			continue
		}
		if err := in.sight(s.d); err != nil {
			return err
		}
		e := entries[s.key]
		if len(in.Met) < metMost && (e == nil || e.Fingerprint != s.d.Fingerprint) {
			in.Met[s.d.Key] = e // s.key is part of a larger text
		}
		if e == nil || e.Fingerprint != s.d.Fingerprint && (e.ContactID == "" || e.Origin == ledger.OriginGone || e.Email != s.d.Email) {
			addresses = append(addresses, s.d.Email)
		}
	}
	in.batch = nil
	return in.askForHolders(ctx, addresses)
}

// askForHolders asks for the rows of the sync that have one of the addresses, or a contact that another sync has under one.
func (in *increment) askForHolders(ctx context.Context, addresses []string) error {
	if len(addresses) == 0 || in.Policies.Match { // each row speaks for itself
		return nil
	}
	holders, err := in.Ledger.Holders(ctx, addresses)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	var elsewhere []string // a row of this sync may have the contact under another address
	for _, h := range holders {
		if h.Sync == in.Policies.Sync {
			in.ask[h.Entry.Key] = true
		} else if h.Entry.ContactID != "" {
			elsewhere = append(elsewhere, h.Entry.ContactID)
		}
	}
	if len(elsewhere) == 0 {
		return nil
	}
	sharers, err := in.Ledger.Sharers(ctx, elsewhere)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	for _, h := range sharers {
		if h.Sync == in.Policies.Sync {
			in.ask[h.Entry.Key] = true
		}
	}
	return nil
}
