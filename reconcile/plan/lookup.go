package plan

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"owlatsync/ledger"
	"owlatsync/reconcile/ask"
	"owlatsync/reconcile/scan"
	"owlatsync/reconcile/step"
)

// lookup looks up what the ledger and the listing know about a batch of rows.
type lookup struct {
	Needs
	scan   *scan.Scan
	listed *ask.Listed
}

// stands reports whether the entry has a contact that its row keeps: one that was deleted in Owlat may be created again.
func (g *lookup) stands(e *ledger.Entry) bool {
	return e != nil && e.ContactID != "" && (e.Origin != ledger.OriginGone || !g.Policies.Recreates())
}

// entries returns the entries of the rows by their keys. A scan of changes has already looked up most of them.
func (g *lookup) entries(ctx context.Context, batch []*step.Row) (map[string]*ledger.Entry, error) {
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
func (g *lookup) holders(ctx context.Context, batch []*step.Row, entries map[string]*ledger.Entry) (found held, err error) {
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
func (g *lookup) addOwn(ctx context.Context, batch []*step.Row, entries map[string]*ledger.Entry, found *held) error {
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
func (g *lookup) unlist(ctx context.Context, batch []*step.Row, held *held) error {
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
func (g *lookup) forgotten(ctx context.Context, batch []*step.Row, entries map[string]*ledger.Entry) (map[string]bool, error) {
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

// contactsOf returns the contacts that concern a batch.
func contactsOf(entries map[string]*ledger.Entry, held *held) (ids []string) {
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
	return slices.AppendSeq(ids, maps.Keys(held.byContact))
}

// optOuts returns the opt-outs of the contacts, by contact.
func (g *lookup) optOuts(ctx context.Context, ids []string) (map[string][]ledger.OptOut, error) {
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

// suppressed returns the suppressions of the addresses of a batch, and of contacts.
func (g *lookup) suppressed(ctx context.Context, batch []*step.Row, contacts []string) (map[string]ledger.Suppression, error) {
	names := slices.Clone(contacts)
	for _, r := range batch {
		names = append(names, r.Email)
		if c, listed := g.listed.Find(r.Email); listed {
			names = append(names, c.ID)
		}
	}
	found, err := g.Ledger.Suppressions(ctx, names)
	if err != nil {
		return nil, readLedger(err)
	}
	return found, nil
}

// told adds to the listing the contacts of which Owlat told when they were made, for rows whose contact nothing else tells. A create
// that may be in doubt finds out by itself whose contact it is.
func (g *lookup) told(ctx context.Context, batch []*step.Row, entries map[string]*ledger.Entry, held *held) error {
	var addresses []string
	for _, r := range batch {
		if e := entries[r.Key]; g.stands(e) || e != nil && !e.Intent.Create.IsZero() || len(held.byAddress[r.Email]) > 0 || held.doubtful[r.Email] {
			continue
		}
		if _, listed := g.listed.Find(r.Email); !listed {
			addresses = append(addresses, r.Email)
		}
	}
	known, err := g.Ledger.Known(ctx, addresses)
	if err != nil {
		return readLedger(err)
	}
	if len(known) == 0 {
		return nil
	}
	contacts, err := g.Contacts.Named(ctx, slices.Sorted(maps.Values(known)))
	if err == nil && len(contacts) > 0 {
		g.listed.Take(contacts)
	}
	return err
}

func readLedger(err error) error { return fmt.Errorf("read the ledger: %w", err) }
