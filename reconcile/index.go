package reconcile

import (
	"context"
	"fmt"
)

// index is the ledger's side of the diff: for every entry of a sync the hashes of its key and address and the fingerprint
// of its row, about 50 bytes each. Entries whose keys share a hash are told apart by the fingerprint, which covers the key.
type index struct {
	at      map[uint64]uint32 // key hash → position in the slices
	address []uint64
	print   []Fingerprint
	seen    []bool
	doubts  int // entries of which something has to be looked up
}

func loadIndex(ctx context.Context, l Ledger, sync string, size int) (*index, error) {
	ix := &index{
		at:      make(map[uint64]uint32, size),
		address: make([]uint64, 0, size),
		print:   make([]Fingerprint, 0, size),
	}
	for e, err := range l.Index(ctx, sync) {
		if err != nil {
			return nil, fmt.Errorf("read the ledger's index: %w", err)
		}
		if e.Fingerprint == doubtPrint {
			ix.doubts++
		}
		ix.at[e.KeyHash] = uint32(len(ix.print))
		ix.address = append(ix.address, e.AddressHash)
		ix.print = append(ix.print, e.Fingerprint)
	}
	ix.seen = make([]bool, len(ix.print))
	return ix, nil
}
