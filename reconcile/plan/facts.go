package plan

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/ask"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/scan"
	"owlatsync/reconcile/step"
)

// known is everything known about a row.
type known struct {
	Known
	unchanged bool     // the row is in step after all
	waits     string   // why the row cannot be planned yet; empty: it can
	winner    *winner  // the row that counts instead; nil: this one does
	met       bool     // its contact exists, and no row of the sync had one before
	doubtful  bool     // another sync may have created its contact
	matched   bool     // its contact was found in the listing
	awaits    bool     // another row must free its address
	left      []string // keys of rows that left the source and whose contacts have its address

	row     *step.Row     // as it counts
	entry   *ledger.Entry // the row's own entry in the ledger
	rekeyed *ledger.Entry // entry of the row that left the source and is this row under its old key
	holders []ledger.Holder
	created []ledger.Holder // of this sync, whose contacts were created with the address and have another one now
}

// gatherer finds out what is known about rows: from the ledger, from the listing, and from Owlat if neither tells.
type gatherer struct {
	Needs
	scan    *scan.Scan
	listed  *ask.Listed
	contest contest
	now     time.Time
}

func newGatherer(n Needs, s *scan.Scan, listed *ask.Listed, c crowd, now time.Time) *gatherer {
	return &gatherer{Needs: n, scan: s, listed: listed, now: now, contest: contest{
		policies: n.Policies, scan: s, crowd: c, winners: make(map[uint64]string), raised: make(map[uint64]struct{}),
	}}
}

// gather returns what is known about each row of a batch.
func (g *gatherer) gather(ctx context.Context, batch []*step.Row) ([]known, error) {
	entries, err := g.entries(ctx, batch)
	if err != nil {
		return nil, err
	}
	held, err := g.holders(ctx, batch, entries)
	if err != nil {
		return nil, err
	}
	forgotten, err := g.forgotten(ctx, batch, entries)
	if err != nil {
		return nil, err
	}
	if err := g.unlist(ctx, batch, &held); err != nil {
		return nil, err
	}
	optOuts, err := g.optOuts(ctx, entries, &held)
	if err != nil {
		return nil, err
	}
	all := make([]known, len(batch))
	var ask []string
	for i, r := range batch {
		all[i] = g.judge(r, entries[r.Key], held.byAddress[r.Email])
		all[i].created, all[i].doubtful = held.byIdentity[r.Email], held.doubtful[r.Email]
		ask = append(ask, g.perhapsGone(&all[i])...)
	}
	var gone map[string]bool
	if len(ask) > 0 {
		gone = g.Contacts.Living(ctx, ask)
	}
	for i, r := range batch {
		k := &all[i]
		if k.unchanged || k.waits != "" || k.winner != nil {
			continue
		}
		g.stand(k.row, k, gone)
		k.Forgotten = forgotten[r.Email]
		k.sibling(g.Policies.Sync, held.byContact)
		if k.Entry != nil {
			k.OptOuts = optOuts[k.Entry.ContactID]
		}
		if k.Sibling != nil {
			k.Sibling.OptOuts = k.OptOuts
		}
	}
	return all, nil
}

// judge decides whether a row is planned.
func (g *gatherer) judge(r *step.Row, e *ledger.Entry, holders []ledger.Holder) known {
	k := known{entry: e, holders: holders, row: r}
	counting := g.contest.lift(r)
	if e != nil && !r.Twin && e.Fingerprint == counting.Fingerprint { // two keys share a hash, or other rows' consents count too
		k.unchanged = true
		return k
	}
	for _, name := range []string{r.Key, r.Email} {
		if k.waits = g.Unsettled[name]; k.waits != "" {
			return k
		}
	}
	if g.stands(e) && e.Email == r.Email {
		k.holders = nil // the row itself holds the contact
	}
	if k.winner, k.rekeyed = g.contest.judge(r, e, k.holders); k.winner == nil {
		k.row = counting
	}
	return k
}

// stand finds the entry that stands for the row. Gone has the contacts of other syncs that no longer exist.
func (g *gatherer) stand(r *step.Row, k *known, gone map[string]bool) {
	e := k.entry
	k.New, k.Again = e == nil, e != nil && (e.Origin == ledger.OriginDeleted || e.Origin == ledger.OriginGone)
	if e != nil && e.Origin == ledger.OriginGone && g.Policies.Recreates() {
		e = forgone(e)
	}
	if e == nil || e.ContactID == "" && e.Origin != ledger.OriginGone {
		if k.Again {
			k.holders = slices.DeleteFunc(slices.Clone(k.holders), func(h ledger.Holder) bool { return g.elsewhere(h) && gone[h.Entry.ContactID] })
		}
		c, listed := g.listed.Find(r.Email)
		there, matched := Stands(Candidates{
			Sync: g.Policies.Sync, Entry: e, Rekeyed: k.rekeyed, Holders: k.holders, Listed: c, IsListed: listed, Now: g.now,
		}, r)
		if there != nil {
			if k.rekeyed != nil {
				k.OldKey, k.New = k.rekeyed.Key, false
			}
			e, k.matched, k.met = there, matched, k.rekeyed == nil && !k.Again
		}
	}
	k.Entry = e
	g.occupied(r, k)
}

// sibling notes that another sync created the contact that the row is to have. By has the entries of all syncs by contact.
func (k *known) sibling(sync string, by map[string][]ledger.Holder) {
	if !k.met {
		return
	}
	if siblings, created := remote.Siblings(by[k.Entry.ContactID], sync, owlat.Contact{ID: k.Entry.ContactID}); created {
		k.Sibling = &Sibling{Entries: siblings}
	}
}

// occupied finds the rows of the sync whose contacts have the address that the row's contact needs: those that must give it up, and
// those that left the source.
func (g *gatherer) occupied(r *step.Row, k *known) {
	e := k.Entry
	made := e != nil && e.ContactID != ""
	for _, h := range k.holders {
		if h.Sync != g.Policies.Sync || h.Entry.Key == r.Key || k.rekeyed != nil && !made {
			continue
		}
		if there, _, _ := g.scan.Whereabouts(h.Entry); there {
			k.awaits = true
		} else if made && e.Email != r.Email && k.OldKey == "" && h.Entry.Email == r.Email {
			k.claim(h.Entry)
		}
	}
	if made {
		return
	}
	for _, h := range k.created { // Owlat refuses to create a contact with an address that another one was created with
		if there, _, _ := g.scan.Whereabouts(h.Entry); !there && h.Entry.Key != r.Key {
			k.claim(h.Entry)
		}
	}
}

// claim notes that the row needs the address of the contact of a row that left the source.
func (k *known) claim(e *ledger.Entry) {
	if e.ContactID != "" && e.Origin != ledger.OriginGone {
		k.left, k.Claims = append(k.left, e.Key), true
	}
}

// stands reports whether the entry has a contact that its row keeps: one that was deleted in Owlat may be created again.
func (g *gatherer) stands(e *ledger.Entry) bool {
	return e != nil && e.ContactID != "" && (e.Origin != ledger.OriginGone || !g.Policies.Recreates())
}

// elsewhere reports whether the entry is of another sync and has a contact.
func (g *gatherer) elsewhere(h ledger.Holder) bool {
	return h.Sync != g.Policies.Sync && h.Entry.ContactID != "" && h.Entry.Origin != ledger.OriginGone
}

// perhapsGone returns the contacts that other syncs hold for a row whose own contact is gone. They are looked up first: adopting a
// contact that is gone too would fail in every run.
func (g *gatherer) perhapsGone(k *known) (contacts []string) {
	e := k.entry
	if e == nil || k.unchanged || k.waits != "" || k.winner != nil {
		return nil
	}
	if e.Origin != ledger.OriginDeleted && (e.Origin != ledger.OriginGone || !g.Policies.Recreates()) {
		return nil
	}
	for _, h := range k.holders {
		if g.elsewhere(h) {
			contacts = append(contacts, h.Entry.ContactID)
		}
	}
	return contacts
}

// entries returns the entries of the rows by their keys. A scan of changes has already looked up most of them.
func (g *gatherer) entries(ctx context.Context, batch []*step.Row) (map[string]*ledger.Entry, error) {
	found := make(map[string]*ledger.Entry, len(batch))
	var others []string
	for _, r := range batch {
		e, met := g.scan.Met[r.Key]
		switch {
		case !met:
			others = append(others, r.Key)
		case e != nil:
			found[r.Key] = e
		}
	}
	if len(others) == 0 {
		return found, nil
	}
	rest, err := g.Ledger.Entries(ctx, g.Policies.Sync, others)
	if err != nil {
		return nil, readLedger(err)
	}
	maps.Copy(found, rest)
	return found, nil
}

// held is the entries whose contacts have the addresses of rows.
type held struct {
	all        []ledger.Holder
	byAddress  map[string][]ledger.Holder // of all syncs, by the contact's address
	byIdentity map[string][]ledger.Holder // of this sync, by the address with which the contact was created and that it has no more
	byContact  map[string][]ledger.Holder // entries for contacts that rows may adopt
	doubtful   map[string]bool            // addresses with which another sync may have created a contact
}

// holders returns the entries whose contacts have the addresses of the rows.
func (g *gatherer) holders(ctx context.Context, batch []*step.Row, entries map[string]*ledger.Entry) (found held, err error) {
	var addresses []string
	for _, r := range batch {
		if e := entries[r.Key]; !g.stands(e) || e.Email != r.Email {
			addresses = append(addresses, r.Email)
		}
	}
	if found.all, err = g.Ledger.Holders(ctx, addresses); err != nil {
		return found, readLedger(err)
	}
	found.byAddress, found.byIdentity = make(map[string][]ledger.Holder), make(map[string][]ledger.Holder)
	found.byContact, found.doubtful = make(map[string][]ledger.Holder), make(map[string]bool)
	for _, h := range found.all {
		if h.Sync != g.Policies.Sync && h.Entry.ContactID == "" && !h.Entry.Intent.Create.IsZero() {
			found.doubtful[h.Entry.Identity] = true
		}
		// A contact that was deleted in Owlat still stands for its own row, but tells other syncs nothing.
		if h.Entry.ContactID != "" && (h.Entry.Origin != ledger.OriginGone || h.Sync == g.Policies.Sync) {
			found.byAddress[h.Entry.Email] = append(found.byAddress[h.Entry.Email], h)
		}
		if h.Sync == g.Policies.Sync && h.Entry.Identity != h.Entry.Email {
			found.byIdentity[h.Entry.Identity] = append(found.byIdentity[h.Entry.Identity], h)
		}
	}
	return found, g.addOwn(ctx, batch, entries, &found)
}

// addOwn adds entries of this sync to the holders of an address: those whose contact another sync has under this address and this
// sync under another one.
func (g *gatherer) addOwn(ctx context.Context, batch []*step.Row, entries map[string]*ledger.Entry, found *held) error {
	addresses := make(map[string][]string) // by contact
	for _, r := range batch {
		if g.stands(entries[r.Key]) {
			continue
		}
		for _, h := range found.byAddress[r.Email] {
			if h.Sync != g.Policies.Sync {
				addresses[h.Entry.ContactID] = append(addresses[h.Entry.ContactID], r.Email)
			}
		}
	}
	if len(addresses) == 0 {
		return nil
	}
	sharers, err := g.Ledger.Sharers(ctx, slices.Collect(maps.Keys(addresses)))
	if err != nil {
		return readLedger(err)
	}
	for _, h := range sharers {
		found.byContact[h.Entry.ContactID] = append(found.byContact[h.Entry.ContactID], h)
		if h.Sync != g.Policies.Sync || h.Entry.Origin == ledger.OriginGone {
			continue
		}
		for _, address := range addresses[h.Entry.ContactID] {
			if h.Entry.Email != address { // else it is already one of the holders
				found.byAddress[address] = append(found.byAddress[address], h)
			}
		}
	}
	return nil
}

// unlist drops from the listing the contacts that other rows of the sync have, whatever address the ledger knows for them.
func (g *gatherer) unlist(ctx context.Context, batch []*step.Row, held *held) error {
	listed := make(map[string]*step.Row)
	for _, r := range batch {
		if c, ok := g.listed.Find(r.Email); ok {
			if held.doubtful[r.Email] { // a create that meets the contact tells when it was made
				g.listed.Drop(r.Email)
				continue
			}
			listed[c.ID] = r
			delete(held.byContact, c.ID) // else its entries would come twice
		}
	}
	if len(listed) == 0 {
		return nil
	}
	sharers, err := g.Ledger.Sharers(ctx, slices.Collect(maps.Keys(listed)))
	if err != nil {
		return readLedger(err)
	}
	for _, h := range sharers {
		held.byContact[h.Entry.ContactID] = append(held.byContact[h.Entry.ContactID], h)
		if r := listed[h.Entry.ContactID]; h.Sync == g.Policies.Sync && h.Entry.Key != r.Key && h.Entry.Origin != ledger.OriginGone {
			g.listed.Drop(r.Email)
		}
	}
	return nil
}

// forgotten returns the addresses whose contact would count as new although the ledger forgot a person with that address.
func (g *gatherer) forgotten(ctx context.Context, batch []*step.Row, entries map[string]*ledger.Entry) (map[string]bool, error) {
	var addresses []string
	for _, r := range batch {
		if e := entries[r.Key]; e == nil || e.ContactID == "" || !e.Intent.Create.IsZero() {
			addresses = append(addresses, r.Email)
		}
	}
	if len(addresses) == 0 {
		return nil, nil
	}
	forgotten, err := g.Ledger.Forgotten(ctx, addresses)
	if err != nil {
		return nil, readLedger(err)
	}
	return forgotten, nil
}

// optOuts returns the opt-outs that concern a batch, by contact.
func (g *gatherer) optOuts(ctx context.Context, entries map[string]*ledger.Entry, held *held) (map[string][]ledger.OptOut, error) {
	var ids []string
	for _, e := range entries {
		if e.ContactID != "" {
			ids = append(ids, e.ContactID)
		}
	}
	for _, h := range held.all {
		if h.Entry.ContactID != "" {
			ids = append(ids, h.Entry.ContactID)
		}
	}
	ids = slices.AppendSeq(ids, maps.Keys(held.byContact))
	found, err := g.Ledger.OptOuts(ctx, ids)
	if err != nil {
		return nil, readLedger(err)
	}
	byContact := make(map[string][]ledger.OptOut)
	for _, o := range found {
		byContact[o.ContactID] = append(byContact[o.ContactID], o)
	}
	return byContact, nil
}

func readLedger(err error) error { return fmt.Errorf("read the ledger: %w", err) }

// raise returns what is known about the row that counts instead of a duplicate, if that one is in step and counts with other consents
// now, else nil.
func (g *gatherer) raise(ctx context.Context, duplicate *step.Row, w *winner) (*known, error) {
	if !w.any || w.settled == nil {
		return nil, nil
	}
	hash := ledger.HashText(w.key)
	if _, done := g.contest.raised[hash]; done {
		return nil, nil
	}
	r := g.contest.raise(w.settled, duplicate)
	if r == nil {
		return nil, nil
	}
	g.contest.raised[hash] = struct{}{}
	optOuts, err := g.Ledger.OptOuts(ctx, []string{w.settled.ContactID})
	if err != nil {
		return nil, readLedger(err)
	}
	return &known{Known: Known{Entry: w.settled, OptOuts: optOuts}, row: r}, nil
}
