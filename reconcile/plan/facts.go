package plan

import (
	"cmp"
	"context"
	"slices"
	"time"

	"owlatsync/ledger"
	"owlatsync/reconcile/ask"
	"owlatsync/reconcile/own"
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
	told      bool     // Owlat was told to send the contact of the row's own entry nothing, ever
	awaits    bool     // another row must free its address
	left      []string // keys of rows that left the source and whose contacts have its address

	row     *step.Row     // as it counts
	entry   *ledger.Entry // the row's own entry in the ledger
	rekeyed *ledger.Entry // entry of the row that left the source and is this row under its old key
	holders []ledger.Holder
	created []ledger.Holder // of this sync, whose contacts were created with the address and have another one now
}

// back reports whether the row had departed and is in the source again.
func (k *known) back() bool {
	return k.entry != nil && k.entry.Departed != "" || k.entry == nil && k.rekeyed != nil && k.rekeyed.Departed != ""
}

// gatherer finds out what is known about rows: from the ledger, from the listing, and from Owlat if neither tells.
type gatherer struct {
	lookup
	contest contest
	now     time.Time
}

func newGatherer(n Needs, s *scan.Scan, listed *ask.Listed, seen *ask.Seen, c crowd, now time.Time) *gatherer {
	return &gatherer{lookup: lookup{Needs: n, scan: s, listed: listed, seen: seen}, now: now, contest: contest{
		policies: n.Policies, scan: s, crowd: c, winners: make(map[uint64]string), heard: make(map[uint64]int),
	}}
}

// gather returns what is known about each row of a batch.
func (g *gatherer) gather(ctx context.Context, batch []*step.Row) ([]known, error) {
	entries, err := g.entries(ctx, batch)
	if err != nil {
		return nil, err
	}
	for i, r := range batch {
		if e := entries[r.Key]; g.stands(e) {
			batch[i] = r.Keeping(own.Address(g.Policies.Overwrite, e, r.Email))
		}
	}
	held, err := g.holders(ctx, batch, entries)
	if err != nil {
		return nil, err
	}
	forgotten, err := g.forgotten(ctx, batch, entries)
	if err != nil {
		return nil, err
	}
	if err := g.told(ctx, batch, entries, &held); err != nil {
		return nil, err
	}
	if err := g.unlist(ctx, batch, &held); err != nil {
		return nil, err
	}
	contacts := contactsOf(entries, &held)
	suppressed, err := g.suppressed(ctx, batch, contacts)
	if err != nil {
		return nil, err
	}
	optOuts, err := g.optOuts(ctx, contacts)
	if err != nil {
		return nil, err
	}
	all := make([]known, len(batch))
	var ask []string
	for i, r := range batch {
		all[i] = g.judge(r, entries[r.Key], held.byAddress[r.Email])
		all[i].told = all[i].entry != nil && !suppressed[all[i].entry.ContactID].Told.IsZero()
		all[i].created, all[i].doubtful = held.byIdentity[r.Email], held.doubtful[r.Email]
		ask = append(ask, g.perhapsGone(&all[i])...)
	}
	var gone map[string]bool
	if len(ask) > 0 {
		var unknown map[string]string
		if gone, unknown, err = g.Contacts.Living(ctx, ask); err != nil {
			return nil, err
		}
		for i := range all {
			for _, id := range g.perhapsGone(&all[i]) {
				all[i].waits = cmp.Or(all[i].waits, unknown[id])
			}
		}
	}
	for i, r := range batch {
		k := &all[i]
		if k.unchanged || k.waits != "" || k.winner != nil {
			continue
		}
		g.stand(k.row, k, gone)
		k.Forgotten, k.SetBack, k.Makes = forgotten[r.Email], g.SetBack, g.Makes
		k.suppress(r, suppressed)
		k.Fresh = g.fresh(k)
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
	counting := g.contest.lift(r)
	k := known{entry: e, holders: holders, row: counting}
	if e != nil && !r.Twin && e.Fingerprint == counting.Fingerprint { // two keys share a hash, or other rows' consents count too
		k.unchanged = true
		return k
	}
	for _, name := range []string{r.Key, r.Email} {
		if k.waits = g.Unsettled[name]; k.waits != "" {
			return k
		}
	}
	if f := failureOf(e, counting); f != nil && !g.Tried.IsZero() && !f.Last.Before(g.Tried) {
		k.waits = waiting(f)
		return k
	}
	if g.stands(e) && e.Email == r.Email {
		k.holders = nil // the row itself holds the contact
	}
	k.winner, k.rekeyed = g.contest.judge(r, e, k.holders)
	return k
}

// failureOf returns the failure of the row as it is now, nil if it has none.
func failureOf(e *ledger.Entry, r *step.Row) *ledger.Failure {
	if e == nil || e.Failure == nil || e.Failure.Absence || e.Failure.Fingerprint != r.Fingerprint {
		return nil
	}
	return e.Failure
}

// stand finds the entry that stands for the row. Gone has the contacts of other syncs that no longer exist.
func (g *gatherer) stand(r *step.Row, k *known, gone map[string]bool) {
	e := k.entry
	k.New, k.Again = e == nil, e != nil && (e.Origin == ledger.OriginDeleted || e.Origin == ledger.OriginGone || e.Origin == ledger.OriginExported)
	if k.Entry = e; g.Policies.Match {
		return
	}
	if e == nil {
		if e = k.exported(r, g.now); e != nil {
			k.Again = true
		}
	}
	if e != nil && e.Origin == ledger.OriginGone && g.Policies.Recreates() {
		e = forgone(e, g.now)
	}
	if e == nil || e.ContactID == "" && e.Origin != ledger.OriginGone {
		if k.Again {
			k.holders = slices.DeleteFunc(slices.Clone(k.holders), func(h ledger.Holder) bool { return g.elsewhere(h) && gone[h.Entry.ContactID] })
		}
		c, listed := g.listed.Find(r.Email)
		there, matched := Stands(Candidates{
			Sync: g.Policies.Sync, Entry: e, Rekeyed: k.rekeyed, Holders: k.holders, Listed: c, IsListed: listed, Now: g.now, Overwrite: g.Policies.Overwrite,
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

// fresh reports whether what is known of the row's contact was read for this plan.
func (g *gatherer) fresh(k *known) bool {
	return !g.Lasting && (g.Fresh || k.matched && g.listed.Fresh() || k.Entry != nil && g.seen.Has(k.Entry.ContactID))
}

// exported returns the entry for a new row with whose address another row of the sync was exported for Owlat's importer, nil if none was: its consents
// are spent.
func (k *known) exported(r *step.Row, now time.Time) *ledger.Entry {
	for _, h := range k.created {
		if h.Entry.Origin == ledger.OriginExported {
			return &ledger.Entry{Key: r.Key, Identity: h.Entry.Identity, Origin: ledger.OriginExported, Memberships: h.Entry.Memberships, FirstSeen: now}
		}
	}
	return nil
}

// sibling notes that another sync created the contact that the row is to have. By has the entries of all syncs by contact.
func (k *known) sibling(sync string, by map[string][]ledger.Holder) {
	if !k.met || k.SetBack || k.entry != nil && k.entry.MetBefore() { // the row may have been met before
		return
	}
	if siblings, created := remote.Siblings(by[k.Entry.ContactID], sync, k.Entry.ContactID, nil); created {
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

// suppress notes what is suppressed of the row's address and of its contact.
func (k *known) suppress(r *step.Row, suppressed map[string]ledger.Suppression) {
	of := suppressed[r.Email]
	k.Barred = of.Reason.Asked()
	if k.Entry != nil && k.Entry.ContactID != "" {
		contact := suppressed[k.Entry.ContactID]
		k.Barred = k.Barred && contact.Reason == "" && k.Entry.ChangedAt.IsZero()
		k.Told, of = !contact.Told.IsZero(), of.With(contact)
	}
	k.Suppressed, k.NotLifted = of.Reason != "", of.Reason == ledger.NeverMail
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

// raised returns what is known about the rows in step that count with other consents now, because of what duplicates say.
func (g *gatherer) raised(ctx context.Context, batch []hearing) ([]known, error) {
	var all []known
	var contacts []string
	var rows []*step.Row
	for _, h := range batch {
		if r := g.contest.raise(h); r != nil {
			all = append(all, known{Known: Known{Entry: h.entry}, row: r})
			contacts, rows = append(contacts, h.entry.ContactID), append(rows, r)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	optOuts, err := g.Ledger.OptOuts(ctx, contacts)
	if err != nil {
		return nil, readLedger(err)
	}
	suppressed, err := g.suppressed(ctx, rows, contacts)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].suppress(rows[i], suppressed)
		for _, o := range optOuts {
			if o.ContactID == all[i].Entry.ContactID {
				all[i].OptOuts = append(all[i].OptOuts, o)
			}
		}
	}
	return all, nil
}
