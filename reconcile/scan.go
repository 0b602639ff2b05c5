package reconcile

import (
	"context"
	"fmt"

	"owlatsync"
	"owlatsync/ledger"
)

const reasonSameKey = "the source has another row with this key, and the first one counts"

// scan is the first half of planning: the source against the index. What is unchanged ends here; every other valid row
// waits in the spool until all addresses of the source are known.
type scan struct {
	ix   *index
	rows int
	// unchanged rows are counted here and not in a map, because nearly all are.
	unchanged int
	// keyless counts rows whose key could not be told: any of the absent may be one of them.
	keyless int
	// addresses holds the hashes of the addresses of spooled rows, and shared those that several have.
	addresses, shared map[uint64]struct{}
	// unknown is how many addresses there are for which the ledger has no contact.
	unknown int
}

// SourceError says that the source could not be read to its end. Nothing of an incomplete scan is applied (Invariant 4).
type SourceError struct {
	Rows int // read before the error
	Err  error
}

func (e *SourceError) Error() string {
	if e.Rows == 0 {
		return fmt.Sprintf("read the source: %v", e.Err)
	}
	return fmt.Sprintf("read the source: broke off after %s, nothing was applied: %v", counted(e.Rows, "row"), e.Err)
}

// Unwrap returns the source's own error.
func (e *SourceError) Unwrap() error { return e.Err }

func (p *planner) scanSource(ctx context.Context) error {
	if p.reading.changes {
		return p.scanChanges(ctx)
	}
	sc := p.scan
	rd := newReader(p.sync)
	for row, err := range p.rows(ctx) {
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &SourceError{Rows: sc.rows, Err: err}
		}
		sc.rows++
		if sc.rows%1000 == 0 {
			p.emit(Scanned{Rows: sc.rows})
		}
		d, key, invalid := rd.read(row)
		if err := p.sight(ctx, d, key, row.Position, row.Email.Value, invalid); err != nil {
			return err
		}
	}
	p.emit(Scanned{Rows: sc.rows, Done: true})
	return sc.ix.complete()
}

// sight takes in a row of the source; d is nil where it is invalid.
func (p *planner) sight(ctx context.Context, d *desired, key string, position owlatsync.Position, address, invalid string) (err error) {
	sc := p.scan
	keyHash := ledger.HashText(key)
	var print uint64
	if d != nil {
		print = d.Fingerprint.Lo
	}
	at := unknown
	if key != "" {
		if at, err = sc.ix.locate(keyHash, print); err != nil {
			return err
		}
	}
	known := at != unknown
	if invalid != "" {
		switch {
		case key == "" && !p.sync.KeyIsAddress:
			sc.keyless++
		case known:
			sc.ix.see(at)
		}
		p.end(Decision{Key: key, Position: position.String(), Outcome: owlatsync.Invalid, Reason: invalid, address: address})
		return nil
	}
	switch {
	case known && sc.ix.saw(at):
		p.end(Decision{Key: key, Position: position.String(), Outcome: owlatsync.Duplicate, address: d.Email, Reason: reasonSameKey})
		return nil
	case known && sc.ix.mark(at).print == print:
		sc.ix.see(at)
		sc.unchanged++
		return nil
	}
	addressHash := ledger.HashText(d.Email)
	if _, taken := sc.addresses[addressHash]; taken {
		sc.shared[addressHash] = struct{}{}
	} else if sc.addresses[addressHash] = struct{}{}; !known || sc.ix.blank(at) {
		sc.unknown++
	}
	sc.ix.await(at, keyHash, addressHash)
	return p.spool.addRow(ctx, d)
}
