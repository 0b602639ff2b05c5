package reconcile

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"owlatsync"
	"owlatsync/ledger"
)

// Incremental is a Source that knows when its rows changed.
type Incremental interface {
	Source
	// Settings identifies what Scan reads, without a secret: where the text differs, a mark of before says nothing. The
	// empty text stands for a source that does not know after all.
	Settings() string
	// Scan streams the source as Rows does, but leaves out rows that have not changed since the mark in s, except for those
	// that s.Again names, and notes in s how far it has read. Rows that changed without being given, because their
	// transaction was slower than the source allows for, are found by a scan without a mark.
	Scan(ctx context.Context, s *owlatsync.Scan) iter.Seq2[*owlatsync.Row, error]
}

// known settles what is in doubt, begins to read the index of the sync's entries, and tells whether the sync has compared its
// rows with the contacts that Owlat had. Where only changes are read, the index is filled as rows are met.
func (p *planner) known(ctx context.Context) (adopted bool, err error) {
	state, err := p.ledger.SyncState(ctx, p.sync.Name)
	if err != nil {
		return false, fmt.Errorf("read the ledger: %w", err)
	}
	if state.Open {
		if err := p.settle(ctx); err != nil {
			return false, err
		}
	}
	if p.reading.changes {
		p.scan.ix = newIndex()
		return true, nil
	}
	p.scan.ix = loadIndex(ctx, p.ledger, p.sync.Name)
	return state.Adopted, nil
}

// rows streams the source as the run reads it.
func (p *planner) rows(ctx context.Context) iter.Seq2[*owlatsync.Row, error] {
	if p.reading.source == nil {
		return p.sync.Source.Rows(ctx)
	}
	return p.reading.source.Scan(ctx, &p.reading.scan)
}

// increment is a scan of the rows that changed. The index is not loaded: what the ledger has of the rows that are met is
// looked up, so that the cost grows with the changes. Rows that hold the address of a changed one are read as well, and
// those that hold theirs; so what is known when the plan is made is, for these rows, all there is.
type increment struct {
	p     *planner
	batch []sighting
	asked map[uint64]struct{} // hashes of keys that were read, or asked for
	ask   map[string]bool     // keys to be asked for
}

// sighting is a row that was read.
type sighting struct {
	d        *desired // nil: the row is invalid
	key      string
	position owlatsync.Position
	address  string // as the source has it
	invalid  string
}

func (p *planner) scanChanges(ctx context.Context) error {
	in := &increment{p: p, asked: make(map[uint64]struct{}), ask: make(map[string]bool)}
	for _, key := range slices.Concat(p.reading.bookmark.Again, p.only) {
		in.ask[key] = true
	}
	p.reading.scan.Again, p.met = in.again, make(map[string]*ledger.Entry)
	rd := newReader(p.sync)
	for row, err := range p.rows(ctx) {
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &SourceError{Rows: p.scan.rows, Err: err}
		}
		p.scan.rows++
		if p.scan.rows%1000 == 0 {
			p.emit(Scanned{Rows: p.scan.rows})
		}
		d, key, invalid := rd.read(row)
		in.asked[ledger.HashText(key)] = struct{}{}
		in.batch = append(in.batch, sighting{d: d.clone(), key: key, position: row.Position, address: row.Email.Value, invalid: invalid})
		if len(in.batch) == spoolBatch {
			if err := in.judge(ctx); err != nil {
				return err
			}
		}
	}
	if err := in.judge(ctx); err != nil { // what was asked for last
		return err
	}
	p.reading.told.From = p.reading.scan.From
	p.emit(Scanned{Rows: p.scan.rows, Done: true})
	return nil
}

// again names the rows that must be known besides those that changed.
func (in *increment) again(ctx context.Context) ([]string, error) {
	if err := in.judge(ctx); err != nil {
		return nil, err
	}
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(in.ask)) {
		hash := ledger.HashText(key)
		if _, asked := in.asked[hash]; !asked {
			in.asked[hash] = struct{}{}
			keys = append(keys, key)
		}
	}
	clear(in.ask)
	return keys, nil
}

// judge compares the rows read with the ledger, and finds who holds the addresses of those that changed.
func (in *increment) judge(ctx context.Context) error {
	if len(in.batch) == 0 {
		return nil
	}
	p := in.p
	var keys []string
	for _, s := range in.batch {
		if s.key != "" {
			keys = append(keys, s.key)
		}
	}
	entries, err := p.ledger.Entries(ctx, p.sync.Name, keys)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	p.scan.ix.add(entries)
	var addresses []string
	for _, s := range in.batch {
		if err := p.sight(ctx, s.d, s.key, s.position, s.address, s.invalid); err != nil {
			return err
		}
		if s.d == nil {
			continue
		}
		if e := entries[s.key]; len(p.met) < metMost && (e == nil || e.Fingerprint != s.d.Fingerprint) {
			p.met[s.d.Key] = e // the other key is part of a larger text
		}
		if e := entries[s.key]; e == nil || e.Fingerprint != s.d.Fingerprint && (e.ContactID == "" || e.Email != s.d.Email) {
			addresses = append(addresses, s.d.Email)
		}
	}
	in.batch = in.batch[:0]
	if len(addresses) == 0 {
		return nil
	}
	holders, err := p.ledger.Holders(ctx, addresses)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	var elsewhere []string // contacts that a row of this sync may have under another address
	for _, h := range holders {
		if h.Sync == p.sync.Name {
			in.ask[h.Entry.Key] = true
		} else if h.Entry.ContactID != "" {
			elsewhere = append(elsewhere, h.Entry.ContactID)
		}
	}
	if len(elsewhere) == 0 {
		return nil
	}
	sharers, err := p.ledger.Sharers(ctx, elsewhere)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	for _, h := range sharers {
		if h.Sync == p.sync.Name {
			in.ask[h.Entry.Key] = true
		}
	}
	return nil
}

// metMost is how many entries of changed rows are kept between the scan and the plan.
const metMost = 20_000

// entries returns the sync's entries with the given keys. Those of changed rows are known from the scan.
func (p *planner) entries(ctx context.Context, keys []string) (map[string]*ledger.Entry, error) {
	found := make(map[string]*ledger.Entry, len(keys))
	var others []string
	for _, key := range keys {
		e, met := p.met[key]
		switch {
		case !met:
			others = append(others, key)
		case e != nil:
			found[key] = e
		}
	}
	if len(others) == 0 {
		return found, nil
	}
	rest, err := p.ledger.Entries(ctx, p.sync.Name, others)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	maps.Copy(found, rest)
	return found, nil
}
