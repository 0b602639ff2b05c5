package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

// planner makes the plan of one run: it scans the source, finds the contacts that are there already, and leaves the steps to
// take in the ledger's plan store.
type planner struct {
	ledger ledger.Store
	client *owlat.Client
	sync   *Sync
	emit   func(Progress)
	each   func(Decision) error // told every decision but unchanged; may be nil

	scan      *scan
	spool     *spool
	listed    *listed                    // contacts of Owlat, for rows whose contact is unknown
	winners   map[uint64]string          // address hash → key of the row that counts, of those that several rows have
	chain     map[uint64]*link           // the renames that wait for another, by the hash of the address that each leaves
	unsettled map[string]string          // why rows wait, by their keys and by the addresses that they may hold
	moved     map[uint64]struct{}        // hashes of the keys under which the ledger knew rows that now have another
	optOuts   map[string][]ledger.OptOut // of the batch, by contact
	partial   bool                       // not every row is wanted, so that absence says nothing
	only      []string                   // keys of the rows that are wanted; empty: any
	reading   *reading
	met       map[string]*ledger.Entry // of changed rows, nil for those that the ledger does not know
	now       time.Time

	resolved int // spooled rows that were planned
	ordered  int // renames of the chain that were put in order

	summary owlatsync.Summary
	ended   map[owlatsync.Outcome]int // rows that need no step
	err     error                     // of each
}

func (p *planner) plan(ctx context.Context) error {
	p.scan = &scan{addresses: make(map[uint64]struct{}), shared: make(map[uint64]struct{})}
	defer p.release()
	adopted, err := p.known(ctx)
	if err != nil {
		return err
	}
	p.now = time.Now()
	p.winners = make(map[uint64]string)
	p.ended = make(map[owlatsync.Outcome]int)
	p.moved = make(map[uint64]struct{})
	p.chain = make(map[uint64]*link)
	p.summary = owlatsync.Summary{Sync: p.sync.Name, Run: p.spool.run, FirstRun: !adopted, Outcomes: make(map[owlatsync.Outcome]int), Reading: p.reading.told}
	for _, o := range owlatsync.Outcomes {
		p.summary.Outcomes[o] = 0
	}
	err = p.scanSource(ctx)
	p.summary.Outcomes[owlatsync.Unchanged] += p.scan.unchanged
	p.ended[owlatsync.Unchanged] += p.scan.unchanged
	if err != nil {
		return err
	}
	p.summary.Rows, p.summary.Entries = p.scan.rows, p.reading.entries(p.scan.ix)
	if err := p.adopt(ctx, adopted); err != nil {
		return err
	}
	if err := p.resolve(ctx); err != nil {
		return err
	}
	if err := p.planAbsent(ctx); err != nil {
		return err
	}
	if err := p.spool.complete(ctx); err != nil {
		return err
	}
	p.summary.Duration = p.client.Estimate(p.summary.Requests)
	if err := p.recount(ctx); err != nil {
		return err
	}
	return p.err
}

// release drops what only planning needs. Applying a large plan may take days.
func (p *planner) release() {
	p.scan.ix.stop()
	p.scan.ix, p.scan.addresses, p.scan.shared = nil, nil, nil
	p.listed, p.winners, p.chain, p.unsettled, p.moved, p.met, p.optOuts = nil, nil, nil, nil, nil, nil, nil
}

// end counts and tells the outcome of a row that needs no step.
func (p *planner) end(d Decision) { p.endAs(d, categoryPlanned(d.Outcome)) }

func (p *planner) endAs(d Decision, category string) {
	p.reading.again.note(d.Key, d.Outcome)
	p.summary.Outcomes[d.Outcome]++
	p.ended[d.Outcome]++
	p.emit(RowDone{Decision: d, Category: category})
	p.tell(d)
}

func (p *planner) tell(d Decision) {
	if p.each != nil && p.err == nil {
		p.err = p.each(d)
	}
}

func categoryPlanned(o owlatsync.Outcome) string {
	switch o {
	case owlatsync.Invalid, owlatsync.Duplicate:
		return "source"
	case owlatsync.Failed:
		return "waiting"
	}
	return ""
}

// resolve is the second half of planning: every spooled row against its entry, now that all rows are known.
func (p *planner) resolve(ctx context.Context) error {
	batch := make([]*desired, 0, spoolBatch)
	for d, err := range p.spool.allRows(ctx) {
		if err != nil {
			return fmt.Errorf("read the rows to plan: %w", err)
		}
		batch = append(batch, d)
		if len(batch) == spoolBatch {
			if err := p.resolveBatch(ctx, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	if err := p.resolveBatch(ctx, batch); err != nil {
		return err
	}
	return p.orderRenames(ctx)
}

func (p *planner) resolveBatch(ctx context.Context, batch []*desired) error {
	if len(batch) == 0 {
		return nil
	}
	keys := make([]string, len(batch))
	for i, d := range batch {
		keys[i] = d.Key
	}
	entries, err := p.entries(ctx, keys)
	if err != nil {
		return err
	}
	var addresses []string
	for _, d := range batch {
		if e := entries[d.Key]; e == nil || e.ContactID == "" || e.Email != d.Email {
			addresses = append(addresses, d.Email)
		}
	}
	found, err := p.ledger.Holders(ctx, addresses)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	holders := make(map[string][]ledger.Holder)
	for _, h := range found {
		// A contact that was deleted in Owlat still stands for its row, but tells another sync nothing.
		if h.Entry.ContactID != "" && (h.Entry.Origin != ledger.OriginGone || h.Sync == p.sync.Name) {
			holders[h.Entry.Email] = append(holders[h.Entry.Email], h)
		}
	}
	if err := p.addOwn(ctx, batch, entries, holders); err != nil {
		return err
	}
	if err := p.markForgotten(ctx, batch, entries); err != nil {
		return err
	}
	if err := p.unlist(ctx, batch); err != nil {
		return err
	}
	if p.optOuts, err = p.optOutsOf(ctx, entries, found); err != nil {
		return err
	}
	for _, d := range batch {
		if err := p.resolveRow(ctx, d, entries[d.Key], holders[d.Email]); err != nil {
			return err
		}
	}
	return nil
}

// addOwn adds to the holders of an address the sync's own rows that have, under another address, a contact which another sync
// holds under this one.
func (p *planner) addOwn(ctx context.Context, batch []*desired, entries map[string]*ledger.Entry, holders map[string][]ledger.Holder) error {
	addresses := make(map[string][]string) // by contact
	for _, d := range batch {
		if e := entries[d.Key]; e != nil && e.ContactID != "" {
			continue
		}
		for _, h := range holders[d.Email] {
			if h.Sync != p.sync.Name {
				addresses[h.Entry.ContactID] = append(addresses[h.Entry.ContactID], d.Email)
			}
		}
	}
	if len(addresses) == 0 {
		return nil
	}
	sharers, err := p.ledger.Sharers(ctx, slices.Collect(maps.Keys(addresses)))
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	for _, h := range sharers {
		if h.Sync != p.sync.Name || h.Entry.Origin == ledger.OriginGone {
			continue
		}
		for _, address := range addresses[h.Entry.ContactID] {
			if h.Entry.Email != address { // else it is among them
				holders[address] = append(holders[address], h)
			}
		}
	}
	return nil
}

// unlist takes out of the listing the contacts that other rows of the sync have, under whatever address the ledger knows them.
func (p *planner) unlist(ctx context.Context, batch []*desired) error {
	listed := make(map[string]*desired)
	for _, d := range batch {
		if c, ok := p.listed.find(d.Email); ok {
			listed[c.ID] = d
		}
	}
	if len(listed) == 0 {
		return nil
	}
	sharers, err := p.ledger.Sharers(ctx, slices.Collect(maps.Keys(listed)))
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	for _, h := range sharers {
		if d := listed[h.Entry.ContactID]; h.Sync == p.sync.Name && h.Entry.Key != d.Key && h.Entry.Origin != ledger.OriginGone {
			p.listed.drop(d.Email)
		}
	}
	return nil
}

// markForgotten marks the rows whose contact would count as new although its address belongs to somebody who was forgotten.
func (p *planner) markForgotten(ctx context.Context, batch []*desired, entries map[string]*ledger.Entry) error {
	var addresses []string
	for _, d := range batch {
		if e := entries[d.Key]; e == nil || e.ContactID == "" || !e.Intent.Create.IsZero() {
			addresses = append(addresses, d.Email)
		}
	}
	if len(addresses) == 0 {
		return nil
	}
	forgotten, err := p.ledger.Forgotten(ctx, addresses)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	for _, d := range batch {
		d.Forgotten = forgotten[d.Email]
	}
	return nil
}

func (p *planner) resolveRow(ctx context.Context, d *desired, e *ledger.Entry, holders []ledger.Holder) error {
	p.resolved++
	if e != nil && e.Fingerprint == d.Fingerprint { // two keys share a hash, and the index held the other one
		p.summary.Outcomes[owlatsync.Unchanged]++
		p.ended[owlatsync.Unchanged]++
		return nil
	}
	for _, name := range []string{d.Key, d.Email} {
		if reason := p.unsettled[name]; reason != "" {
			p.end(Decision{Key: d.Key, Position: d.Position.String(), Outcome: owlatsync.Failed, Reason: reason, address: d.Email})
			return nil
		}
	}
	if e != nil && e.ContactID != "" && e.Email == d.Email {
		holders = nil // the row itself holds the contact
	}
	winner, rekeyed := p.contest(d, holders)
	if winner != nil {
		p.end(Decision{Key: d.Key, Position: d.Position.String(), Outcome: owlatsync.Duplicate, address: d.Email,
			Reason: winner.reason()})
		return nil
	}
	var oldKey string
	known := e != nil
	met := e != nil && (e.Origin == ledger.OriginDeleted || e.Origin == ledger.OriginGone)
	if e != nil && e.Origin == ledger.OriginGone && p.sync.OnRemoteDelete == RemoteDeleteRecreate {
		e = forgone(e)
	}
	if e == nil || e.ContactID == "" && e.Origin != ledger.OriginGone {
		if met {
			holders = p.living(ctx, holders)
		}
		if there := p.existing(d, e, holders, rekeyed); there != nil {
			if rekeyed != nil {
				oldKey = rekeyed.Key
				p.moved[ledger.HashText(oldKey)] = struct{}{}
			}
			e = there
		}
	}
	if e != nil {
		heed(e, p.optOuts[e.ContactID])
	}
	it := planRow(p.sync, d, e, p.now)
	it.OldKey, it.New = oldKey, !known && oldKey == ""
	if met {
		it.again()
	}
	it.Awaits = rekeyed == nil && slices.ContainsFunc(holders, func(h ledger.Holder) bool { return h.Sync == p.sync.Name && h.Entry.Key != d.Key })
	if oldKey != "" && (it.Outcome == owlatsync.Unchanged || it.Outcome == owlatsync.Updated) {
		it.Outcome = owlatsync.Adopted
		it.Changes = slices.Insert(it.Changes, 0, owlatsync.Change{Kind: owlatsync.AdoptContact})
	}
	if it.Outcome == owlatsync.Skipped && oldKey == "" || it.Outcome == owlatsync.Failed && !it.Unsure {
		p.end(it.decision())
		return nil
	}
	if it.phase() == phaseRename {
		return p.planRename(ctx, it)
	}
	return p.add(ctx, it, it.phase(), 0)
}

// winner is the row that counts of several with one address.
type winner struct {
	key     string
	holds   bool // it has the contact already; else it stands first in the source
	renamed bool // the contact, which got the address from another sync
}

func (w *winner) reason() string {
	row := rowName(w.key)
	if w.renamed {
		return "the contact with this address is that of " + row + ": another sync gave it the address"
	}
	if w.holds {
		return row + " has the same address and counts, because the contact is its own"
	}
	return row + " has the same address and counts, because it stands first in the source"
}

// rowName names a row by its key, unless that may be an address (Invariant 8).
func rowName(key string) string {
	if ledger.PrivateKey(key) {
		return "another row"
	}
	return "the row with key " + key
}

// contest says which other row of the source has d's address: the one that holds the contact and keeps it, else the first
// in the source's order. Where the holder has left the source, its entry is d's under a new key, be its contact gone or not; of
// several, that of the last.
func (p *planner) contest(d *desired, holders []ledger.Holder) (won *winner, rekeyed *ledger.Entry) {
	hash := ledger.HashText(d.Email)
	for _, h := range holders {
		if h.Sync != p.sync.Name || h.Entry.Key == d.Key {
			continue
		}
		ix := p.scan.ix
		switch at := ix.find(ledger.HashText(h.Entry.Key), h.Entry.Fingerprint.Lo); {
		case at == unknown || !ix.saw(at):
			rekeyed = lastWith(rekeyed, h.Entry)
		case !ix.awaits(at) || ix.mark(at).print == hash:
			return &winner{key: h.Entry.Key, holds: true, renamed: h.Entry.Email != d.Email}, nil
		}
	}
	if first, taken := p.winners[hash]; taken && first != d.Key {
		return &winner{key: first}, nil
	}
	if _, shared := p.scan.shared[hash]; shared {
		p.winners[hash] = d.Key
	}
	return nil, rekeyed
}

// living leaves out what other syncs hold of contacts that are gone, as the row's own was: to adopt one would only find that
// out again, each time.
func (p *planner) living(ctx context.Context, holders []ledger.Holder) []ledger.Holder {
	return slices.DeleteFunc(slices.Clone(holders), func(h ledger.Holder) bool {
		if h.Sync == p.sync.Name || h.Entry.ContactID == "" || h.Entry.Origin == ledger.OriginGone {
			return false
		}
		_, err := find(ctx, p.client, h.Entry.ContactID)
		return isGone(err)
	})
}

// existing returns the entry for a row whose contact exists although the row has no contact yet, nil where it is not known to.
func (p *planner) existing(d *desired, e *ledger.Entry, holders []ledger.Holder, rekeyed *ledger.Entry) *ledger.Entry {
	known := &ledger.Entry{Key: d.Key, Email: d.Email, Identity: d.Email, Origin: ledger.OriginAdopted, FirstSeen: p.now}
	if e != nil {
		known.FirstSeen, known.Failure = e.FirstSeen, e.Failure
		known.Memberships = e.Memberships
	}
	holders = slices.DeleteFunc(slices.Clone(holders), func(h ledger.Holder) bool { return h.Entry.Origin == ledger.OriginGone })
	elsewhere := len(holders) > 0 && holders[0].Sync != p.sync.Name && holders[0].Entry.Fingerprint != ledger.Doubtful &&
		!slices.ContainsFunc(holders, func(h ledger.Holder) bool {
			return h.Sync == p.sync.Name && h.Entry.ContactID == holders[0].Entry.ContactID
		})
	switch c, listed := p.listed.find(d.Email); {
	case rekeyed != nil:
		moved := *rekeyed
		moved.Key, moved.Fingerprint, moved.Failure = d.Key, ledger.Fingerprint{}, nil
		if e != nil { // the row stood beside the other one, whose "no" to a topic does not make its own "yes" news
			moved.Memberships = slices.DeleteFunc(slices.Clone(moved.Memberships), func(m ledger.Membership) bool {
				own := e.Membership(m.Topic)
				return m.State == ledger.MemberOut && (own == nil || own.Consent)
			})
		}
		return &moved
	case e != nil && !e.Intent.Create.IsZero():
		return nil // without contacts:read nothing could be looked up: the next create has to tell
	case elsewhere:
		h := holders[0].Entry
		known.ContactID, known.FirstName, known.LastName, known.Identity = h.ContactID, h.FirstName, h.LastName, h.Identity
	case listed && owlatsync.LowerAddress(c.Email) == d.Email:
		known.ContactID, known.FirstName, known.LastName = c.ID, c.FirstName, c.LastName
		p.summary.Adoption.Matched++
	default:
		return nil
	}
	return known
}

// add puts the item into the plan and counts it.
func (p *planner) add(ctx context.Context, it *item, phase int, order int64) error {
	if !it.Partial {
		p.summary.Outcomes[it.Outcome]++
		d := it.decision()
		p.tell(d)
		p.summary.Requests += d.Requests
		p.summary.Events += len(d.Events)
		p.summary.Memberships.Skipped += it.Skipped
		leaves := false
		for _, c := range it.Changes {
			leaves = leaves || c.Kind == owlatsync.RemoveTopic || c.Kind == owlatsync.DeleteContact
			switch c.Kind {
			case owlatsync.AddTopic:
				p.summary.Memberships.Added++
			case owlatsync.RemoveTopic:
				p.summary.Memberships.Removed++
			}
		}
		if leaves {
			p.summary.Removals++
		}
	}
	return p.spool.addStep(ctx, step{phase, order, it})
}

func (it *item) decision() Decision {
	return Decision{
		Key: it.Row.Key, Position: it.Row.Position.String(), Outcome: it.Outcome, Reason: it.Reason,
		Changes: it.Changes, Events: it.due(), Requests: it.requests(), address: it.Row.Email,
	}
}
