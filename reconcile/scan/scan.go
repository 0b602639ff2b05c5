package scan

import (
	"context"
	"fmt"
	"iter"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/scratch"
	"owlatsync/reconcile/step"
)

const reasonSameKey = "the source has another row with this key, and the first one counts"

// ReasonSameKey is the reason of a row whose key an earlier row has. First is where that one is; the zero value means not known.
func ReasonSameKey(first owlatsync.Position) string {
	if first == (owlatsync.Position{}) {
		return reasonSameKey
	}
	return fmt.Sprintf("the source has another row with this key, in %s, and the first one counts", first)
}

// Needs is what a scan works with.
type Needs struct {
	Policies *policy.Policies
	Ledger   ledger.Reader
	Place    *scratch.Place
	Tell     *progress.Teller
	// End is told every row that needs no step and is not unchanged.
	End func(step.Decision)
	// Rows streams the rows that the run reads.
	Rows iter.Seq2[*owlatsync.Row, error]
}

// Scan is what is known about the rows once the source has been read.
type Scan struct {
	Needs
	// Waiting are the rows that are to be planned, in the order of the source.
	Waiting *scratch.Sequence[*step.Row]
	// Read counts the rows that were read. Unchanged counts those that need nothing; they are not kept, because nearly all rows are
	// unchanged.
	Read, Unchanged int
	// Unclear counts the consents of the rows read that are neither yes nor no.
	Unclear int
	// Keyless counts rows whose key is not known: any absent row may be one of them.
	Keyless int
	// Unknown counts the addresses of waiting rows for which the ledger has no contact.
	Unknown int
	// Met has the entries of changed rows that a scan of changes has looked up, nil for rows that the ledger does not know.
	Met map[string]*ledger.Entry

	ix *index
	// addresses has the hashes of the addresses of waiting rows, shared those that several of them have.
	addresses, shared map[uint64]struct{}
	twins             map[uint64]struct{} // hashes of keys that several rows have and that are still to be told so
	unit              string              // what positions count
}

// SourceError says that the source could not be read to the end. Nothing of an incomplete scan is applied (Invariant 4).
type SourceError struct {
	Rows int // rows read before the error
	Err  error
}

func (e *SourceError) Error() string {
	if e.Rows == 0 {
		return fmt.Sprintf("read the source: %v", e.Err)
	}
	return fmt.Sprintf("read the source: broke off after %s, nothing was applied: %v", owlatsync.Counted(e.Rows, "row"), e.Err)
}

// Unwrap returns the source's own error.
func (e *SourceError) Unwrap() error { return e.Err }

// rowMemory is about how many bytes a waiting row takes besides its texts.
const rowMemory = 200

func begin(n Needs) *Scan {
	return &Scan{
		Needs: n, addresses: make(map[uint64]struct{}), shared: make(map[uint64]struct{}), twins: make(map[uint64]struct{}),
		Waiting: scratch.New(n.Place, func(r *step.Row) int { return r.Size() + rowMemory }),
	}
}

// Full reads all rows of the source and the ledger's index beside it. It returns what was read with an error too; the caller must
// call Release in any case.
func Full(ctx context.Context, n Needs) (*Scan, error) {
	s := begin(n)
	s.ix = loadIndex(ctx, n.Ledger, n.Policies.Sync)
	rd := NewReader(n.Policies)
	err := s.each(ctx, func(row *owlatsync.Row) error {
		d, key, invalid := rd.Read(row)
		return s.sight(d, key, row.Position, row.Email.Value, invalid)
	})
	if err != nil {
		return s, err
	}
	s.Tell.Scanned(s.Read, true)
	return s, s.ix.complete()
}

// each counts every row of the source and hands it over.
func (s *Scan) each(ctx context.Context, do func(*owlatsync.Row) error) error {
	defer func() {
		s.Tell.Read(s.Read)
		s.Tell.Unclear(s.Unclear)
	}()
	for row, err := range s.Rows {
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return &SourceError{Rows: s.Read, Err: err}
		}
		s.Read++
		for _, c := range row.Consents {
			if c == owlatsync.Unclear {
				s.Unclear++
			}
		}
		if s.Read%1000 == 0 {
			s.Tell.Scanned(s.Read, false)
		}
		if err := do(row); err != nil {
			return err
		}
	}
	return nil
}

// sight takes in a row of the source; d is nil if the row is invalid.
func (s *Scan) sight(d *step.Row, key string, position owlatsync.Position, address, invalid string) (err error) {
	keyHash := ledger.HashText(key)
	var print uint64
	if d != nil {
		print = d.Fingerprint.Lo
	}
	at := unknown
	if key != "" {
		if at, err = s.ix.locate(keyHash, print); err != nil {
			return err
		}
	}
	known := at != unknown
	if invalid != "" {
		switch {
		case key == "" && !s.Policies.KeyIsAddress:
			s.Keyless++
		case known:
			s.ix.see(at)
			s.ix.spoil(at)
			s.placed(at, position)
		}
		s.End(step.NewDecision(key, position, address, owlatsync.Invalid, invalid))
		return nil
	}
	switch {
	case known && s.ix.saw(at):
		return s.twin(d, keyHash, at)
	case known && s.ix.mark(at).print == print:
		s.ix.see(at)
		s.placed(at, position)
		s.Unchanged++
		return nil
	}
	addressHash := ledger.HashText(d.Email)
	if _, taken := s.addresses[addressHash]; taken {
		s.shared[addressHash] = struct{}{}
	} else if s.addresses[addressHash] = struct{}{}; !known || s.ix.blank(at) {
		s.Unknown++
	}
	s.placed(s.ix.await(at, keyHash, addressHash), position)
	return s.wait(d)
}

// twin takes in a row whose key an earlier row has, which is at a position of the index. If the two may consent to different topics,
// the row waits: the plan compares them.
func (s *Scan) twin(d *step.Row, key uint64, at int) error {
	if !s.Policies.Asks() {
		s.End(step.NewDecision(d.Key, d.Position, d.Email, owlatsync.Duplicate, ReasonSameKey(s.placeAt(at))))
		return nil
	}
	s.twins[key] = struct{}{}
	d = d.Clone()
	d.Twin = true
	return s.Waiting.Add(d)
}

// placed notes where the source has a row that has no key of its own.
func (s *Scan) placed(at int, position owlatsync.Position) {
	if s.Policies.KeyIsAddress {
		s.unit = position.Unit
		s.ix.place(at, position.Number)
	}
}

func (s *Scan) placeAt(at int) owlatsync.Position {
	if number := s.ix.placed(at); number > 0 {
		return owlatsync.Position{Unit: s.unit, Number: number}
	}
	return owlatsync.Position{}
}

// PlaceOf returns where the source has the row of an entry, the zero value if that is not known. Invalid says that the row is.
func (s *Scan) PlaceOf(e *ledger.Entry) (place owlatsync.Position, invalid bool) {
	at := s.ix.find(ledger.HashText(e.Key), e.Fingerprint.Lo)
	if at == unknown {
		return place, false
	}
	return s.placeAt(at), s.ix.spoiled(at)
}

// Crowded reports whether several rows have one key or one address, of which at least one waits.
func (s *Scan) Crowded() bool { return len(s.shared)+len(s.twins) > 0 }

// Twinned reports whether several rows have the key with that hash.
func (s *Scan) Twinned(key uint64) bool { _, ok := s.twins[key]; return ok }

// wait keeps a row until it is planned.
func (s *Scan) wait(d *step.Row) error {
	if !d.Own {
		d = d.Clone()
	}
	return s.Waiting.Add(d)
}

// Wants reports whether a waiting row has the address with that hash.
func (s *Scan) Wants(address uint64) bool { _, ok := s.addresses[address]; return ok }

// Shared reports whether several waiting rows have the address with that hash.
func (s *Scan) Shared(address uint64) bool { _, ok := s.shared[address]; return ok }

// Whereabouts tells whether the source has the row of an entry, whether that row waits to be planned, and if so the hash of the
// address that it wants.
func (s *Scan) Whereabouts(e *ledger.Entry) (there, waits bool, wants uint64) {
	at := s.ix.find(ledger.HashText(e.Key), e.Fingerprint.Lo)
	if at == unknown || !s.ix.saw(at) {
		return false, false, 0
	}
	if !s.ix.awaits(at) {
		return true, false, 0
	}
	return true, true, s.ix.mark(at).print
}

// Absent counts the entries whose rows the source does not have.
func (s *Scan) Absent() int { return s.ix.unseen() }

// Entries counts the sync's entries that the scan has looked at: all of them after Full.
func (s *Scan) Entries() int { return s.ix.size - s.ix.fresh }

// Release drops everything but the waiting rows, because applying a large plan may take days.
func (s *Scan) Release() {
	s.ix.stop()
	s.ix, s.addresses, s.shared, s.twins, s.Met = nil, nil, nil, nil, nil
}
