package scan

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/scratch"
	"owlatsync/reconcile/step"
)

// Needs is what a scan works with.
type Needs struct {
	Policies *policy.Policies
	Ledger   ledger.Reader
	Place    *scratch.Place
	Tell     *progress.Teller
	// End is told every row that needs no step and is not unchanged.
	End func(step.Decision)
	// Spoilt is told the keys of rows that were in step and are invalid now.
	Spoilt func(key string)
	// Rows streams the rows that the run reads.
	Rows iter.Seq2[*owlatsync.Row, error]
	// Later says that earlier stretches of the run may have told outcomes of the rows.
	Later bool
}

// Scan is what is known about the rows once the source has been read.
type Scan struct {
	Needs
	// Waiting are the rows that are to be planned, in the order of the source.
	Waiting *scratch.Sequence[*step.Row]
	// Read counts the rows that were read. Unchanged counts those that need nothing; they are not kept, because nearly all rows are
	// unchanged. Done counts those of Unchanged that an earlier stretch of the run has brought in step.
	Read, Unchanged, Done int
	// Unclear counts the consents of the rows read that are neither yes nor no.
	Unclear int
	// Keyless counts rows whose key is not known: any absent row may be one of them.
	Keyless int
	// Turned counts invalid rows that were in step as last seen.
	Turned int
	// Unknown counts the addresses of waiting rows for which the ledger has no contact.
	Unknown int
	// Blank counts those of them whose rows the ledger knows: a request for them failed, or they were exported for Owlat's importer.
	Blank int
	// Met has the entries of changed rows that a scan of changes has looked up, nil for rows that the ledger does not know.
	Met map[string]*ledger.Entry

	ix *index
	// addresses has the hashes of the addresses of waiting rows, shared those that several of them have.
	addresses, shared map[uint64]struct{}
	twins             map[uint64]struct{} // hashes of keys that several rows have and that are still to be told so
	unit              string              // what positions count
	strangers         int                 // invalid rows that are not in the index
	returned          map[uint64]struct{} // hashes of keys of strangers that withdraw a consent: their entries may have departed
}

// SourceError says that the source could not be read to the end. Nothing of an incomplete scan is applied (Invariant 4).
type SourceError struct {
	Rows  int  // rows read before the error
	Later bool // what earlier readings of the run found was applied
	Err   error
}

func (e *SourceError) Error() string {
	if e.Later {
		return fmt.Sprintf("read the source again: broke off after %s, the rest of the run was not applied: %v", owlatsync.Counted(e.Rows, "row"), e.Err)
	}
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
		if invalid != "" {
			return s.sightInvalid(row.Position, key, row.Email.Value, row.Consents, row.Suppressed, invalid)
		}
		return s.sight(d)
	})
	if err != nil {
		return s, err
	}
	s.Tell.Scanned(s.Read, true)
	if err := s.ix.complete(); err != nil {
		return s, err
	}
	if 2*s.strangers > s.Read { // so many can only be known rows whose keys are garbled too
		s.Turned += min(s.strangers, s.ix.unseenInStep())
	}
	return s, nil
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
			return &SourceError{Rows: s.Read, Later: s.Later, Err: err}
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

// sightInvalid takes in an invalid row of the source. It waits only if it may withdraw a consent of a contact
// that is known, or opt it out.
func (s *Scan) sightInvalid(position owlatsync.Position, key, address string, consents []owlatsync.Consent, suppressed bool, invalid string) error {
	twin, withdraws, at := false, false, unknown
	asks := suppressed || slices.Contains(consents, owlatsync.No)
	if key != "" {
		var err error
		if at, err = s.ix.locate(ledger.HashText(key), 0); err != nil {
			return err
		}
	} else if !s.Policies.KeyIsAddress {
		s.Keyless++
	}
	if at == unknown {
		s.strangers++
		withdraws = key != "" && asks && s.returns(ledger.MemoryHash(key))
	} else {
		twin = s.ix.saw(at)
		withdraws = !twin && asks // of rows with one key the first speaks
		if !twin && s.ix.mark(at).print != 0 {
			s.Turned++
			s.Spoilt(key)
		}
		s.ix.see(at)
		s.ix.spoil(at)
		s.placed(at, position)
	}
	if withdraws {
		if s.Later {
			s.Tell.Meets(ledger.HashText(key))
		}
		return s.wait(&step.Row{Key: key, Position: position, Email: address, Consents: consents, Never: suppressed, Invalid: invalid})
	}
	decision := step.NewDecision(key, position, address, owlatsync.Invalid, invalid)
	decision.Twin = twin
	s.End(decision)
	return nil
}

// returns reports whether no earlier row was told to it with the hash of the same key.
func (s *Scan) returns(key uint64) bool {
	if _, again := s.returned[key]; again {
		return false
	}
	if s.returned == nil {
		s.returned = make(map[uint64]struct{})
	}
	s.returned[key] = struct{}{}
	return true
}

// sight takes in a valid row of the source.
func (s *Scan) sight(d *step.Row) error {
	keyHash, print := ledger.HashText(d.Key), d.Fingerprint.Lo
	at, err := s.ix.locate(keyHash, print)
	if err != nil {
		return err
	}
	known := at != unknown
	switch {
	case known && s.ix.saw(at):
		return s.twin(d, at)
	case known && s.ix.mark(at).print == print:
		s.ix.see(at)
		s.placed(at, d.Position)
		s.InStep(d)
		return nil
	case !known && d.Old:
		s.InStep(d)
		return nil
	case s.Later:
		s.Tell.Meets(keyHash)
	}
	addressHash := ledger.MemoryHash(d.Email)
	if _, taken := s.addresses[addressHash]; taken {
		s.shared[addressHash] = struct{}{}
	} else if s.addresses[addressHash] = struct{}{}; (!known || s.ix.blank(at)) && !s.Policies.Match {
		s.Unknown++
		if known {
			s.Blank++
		}
	}
	s.placed(s.ix.await(at, keyHash, addressHash), d.Position)
	return s.wait(d)
}

// InStep counts a row that needs nothing.
func (s *Scan) InStep(d *step.Row) {
	s.Unchanged++
	if !s.Later {
		return
	}
	before := s.Tell.Meets(ledger.HashText(d.Key))
	if before == "" {
		return
	}
	s.Done++
	if !before.InStep() {
		s.Tell.Row(step.NewDecision(d.Key, d.Position, d.Email, owlatsync.Unchanged, ""), "", false)
	}
}

// Raised counts a row that InStep has counted and that needs something after all.
func (s *Scan) Raised(d *step.Row) {
	row := ledger.HashText(d.Key)
	if s.Unchanged--; s.Later && s.Tell.Meets(row) != "" {
		s.Done--
		s.Tell.Unsay(row)
	}
}

// twin takes in a row whose key an earlier row has, which is at a position of the index. If the two may say different things,
// the row waits: the plan compares them.
func (s *Scan) twin(d *step.Row, at int) error {
	if !s.Policies.Asks() && !s.Policies.Suppressed {
		decision := step.NewDecision(d.Key, d.Position, d.Email, owlatsync.Duplicate, ReasonSameKey(s.placeAt(at)))
		decision.Twin = true
		s.End(decision)
		return nil
	}
	s.twins[ledger.MemoryHash(d.Key)] = struct{}{}
	d = d.Clone()
	d.Twin = true
	return s.Waiting.Add(d)
}

// placed notes where the source has a row.
func (s *Scan) placed(at int, position owlatsync.Position) {
	s.unit = position.Unit
	s.ix.place(at, position.Number)
}

func (s *Scan) placeAt(at int) owlatsync.Position {
	if number := s.ix.placeOf(at); number > 0 {
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

// Missed streams the entries whose rows the source does not have. The ledger's index is read once more, so that what it takes
// otherwise grows only with their number.
func (s *Scan) Missed(ctx context.Context) iter.Seq2[*ledger.Entry, error] {
	return func(yield func(*ledger.Entry, error) bool) {
		numbers := make([]int64, 0, batch)
		pass := func() bool {
			entries, err := s.Ledger.Numbered(ctx, s.Policies.Sync, numbers)
			if err != nil {
				return yield(nil, err) && false
			}
			numbers = numbers[:0]
			slices.SortFunc(entries, func(a, b *ledger.Entry) int { return strings.Compare(a.Key, b.Key) })
			for _, e := range entries {
				if e.Departed == "" && !yield(e, nil) { // else a run beside this plan is done with it
					return false
				}
			}
			return true
		}
		for ie, err := range s.Ledger.Index(ctx, s.Policies.Sync) {
			if err != nil {
				yield(nil, err)
				return
			}
			if at := s.ix.find(ie.KeyHash, ie.Print); at != unknown && s.ix.saw(at) {
				continue
			}
			if numbers = append(numbers, ie.Number); len(numbers) == batch && !pass() {
				return
			}
		}
		if len(numbers) > 0 {
			pass()
		}
	}
}

// Absent counts the entries whose rows the source does not have.
func (s *Scan) Absent() int { return s.ix.unseen() }

// Entries counts the sync's entries that the scan has looked at: after Full all but departed ones.
func (s *Scan) Entries() int { return s.ix.size - s.ix.fresh }

// WereInStep counts the entries that are in step with their rows as last seen. Only Full reads them all.
func (s *Scan) WereInStep() int { return s.ix.inStep }

// Release drops everything but the waiting rows, because applying a large plan may take days.
func (s *Scan) Release() {
	s.ix.stop()
	s.ix, s.addresses, s.shared, s.twins, s.Met = nil, nil, nil, nil, nil
}
