package plan

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"owlatsync/ledger"
	"owlatsync/reconcile/ask"
	"owlatsync/reconcile/scan"
	"owlatsync/reconcile/step"
)

// known is everything known about a row.
type known struct {
	Known
	unchanged bool    // the row is in step after all
	waits     string  // why the row cannot be planned yet; empty: it can
	winner    *winner // the row that counts instead; nil: this one does
	matched   bool    // its contact was found in the listing
	awaits    bool    // another row must free its address

	entry   *ledger.Entry // the row's own entry in the ledger
	rekeyed *ledger.Entry // entry of the row that left the source and is this row under its old key
	holders []ledger.Holder
}

// gatherer finds out what is known about rows: from the ledger, from the listing, and from Owlat if neither tells.
type gatherer struct {
	Needs
	scan    *scan.Scan
	listed  *ask.Listed
	contest contest
	now     time.Time
}

func newGatherer(n Needs, s *scan.Scan, listed *ask.Listed, now time.Time) *gatherer {
	return &gatherer{Needs: n, scan: s, listed: listed, now: now, contest: contest{sync: n.Policies.Sync, scan: s, winners: make(map[uint64]string)}}
}

// gather returns what is known about each row of a batch.
func (g *gatherer) gather(ctx context.Context, batch []*step.Row) ([]known, error) {
	entries, err := g.entries(ctx, batch)
	if err != nil {
		return nil, err
	}
	holders, found, err := g.holders(ctx, batch, entries)
	if err != nil {
		return nil, err
	}
	forgotten, err := g.forgotten(ctx, batch, entries)
	if err != nil {
		return nil, err
	}
	if err := g.unlist(ctx, batch); err != nil {
		return nil, err
	}
	optOuts, err := g.optOuts(ctx, entries, found)
	if err != nil {
		return nil, err
	}
	all := make([]known, len(batch))
	var ask []string
	for i, r := range batch {
		all[i] = g.judge(r, entries[r.Key], holders[r.Email])
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
		g.stand(r, k, gone)
		k.Forgotten, k.SetBack = forgotten[r.Email], g.SetBack
		if k.Entry != nil {
			k.OptOuts = optOuts[k.Entry.ContactID]
		}
	}
	return all, nil
}

// judge decides whether a row is planned.
func (g *gatherer) judge(r *step.Row, e *ledger.Entry, holders []ledger.Holder) known {
	k := known{entry: e, holders: holders}
	if e != nil && e.Fingerprint == r.Fingerprint { // two keys share a hash, and the index compared the other one
		k.unchanged = true
		return k
	}
	for _, name := range []string{r.Key, r.Email} {
		if k.waits = g.Unsettled[name]; k.waits != "" {
			return k
		}
	}
	if e != nil && e.ContactID != "" && e.Email == r.Email {
		k.holders = nil // the row itself holds the contact
	}
	k.winner, k.rekeyed = g.contest.judge(r, k.holders)
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
			e, k.matched = there, matched
		}
	}
	k.Entry = e
	k.awaits = k.rekeyed == nil && slices.ContainsFunc(k.holders, func(h ledger.Holder) bool { return h.Sync == g.Policies.Sync && h.Entry.Key != r.Key })
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

// holders returns the entries of all syncs whose contacts have the addresses of the rows, by address, and all entries found.
func (g *gatherer) holders(ctx context.Context, batch []*step.Row, entries map[string]*ledger.Entry) (byAddress map[string][]ledger.Holder, found []ledger.Holder, err error) {
	var addresses []string
	for _, r := range batch {
		if e := entries[r.Key]; e == nil || e.ContactID == "" || e.Email != r.Email {
			addresses = append(addresses, r.Email)
		}
	}
	if found, err = g.Ledger.Holders(ctx, addresses); err != nil {
		return nil, nil, readLedger(err)
	}
	byAddress = make(map[string][]ledger.Holder)
	for _, h := range found {
		// A contact that was deleted in Owlat still stands for its own row, but tells other syncs nothing.
		if h.Entry.ContactID != "" && (h.Entry.Origin != ledger.OriginGone || h.Sync == g.Policies.Sync) {
			byAddress[h.Entry.Email] = append(byAddress[h.Entry.Email], h)
		}
	}
	return byAddress, found, g.addOwn(ctx, batch, entries, byAddress)
}

// addOwn adds entries of this sync to the holders of an address: those whose contact another sync has under this address and this
// sync under another one.
func (g *gatherer) addOwn(ctx context.Context, batch []*step.Row, entries map[string]*ledger.Entry, holders map[string][]ledger.Holder) error {
	addresses := make(map[string][]string) // by contact
	for _, r := range batch {
		if e := entries[r.Key]; e != nil && e.ContactID != "" {
			continue
		}
		for _, h := range holders[r.Email] {
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
		if h.Sync != g.Policies.Sync || h.Entry.Origin == ledger.OriginGone {
			continue
		}
		for _, address := range addresses[h.Entry.ContactID] {
			if h.Entry.Email != address { // else it is already one of the holders
				holders[address] = append(holders[address], h)
			}
		}
	}
	return nil
}

// unlist drops from the listing the contacts that other rows of the sync have, whatever address the ledger knows for them.
func (g *gatherer) unlist(ctx context.Context, batch []*step.Row) error {
	listed := make(map[string]*step.Row)
	for _, r := range batch {
		if c, ok := g.listed.Find(r.Email); ok {
			listed[c.ID] = r
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
func (g *gatherer) optOuts(ctx context.Context, entries map[string]*ledger.Entry, elsewhere []ledger.Holder) (map[string][]ledger.OptOut, error) {
	var ids []string
	for _, e := range entries {
		if e.ContactID != "" {
			ids = append(ids, e.ContactID)
		}
	}
	for _, h := range elsewhere {
		if h.Entry.ContactID != "" {
			ids = append(ids, h.Entry.ContactID)
		}
	}
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
