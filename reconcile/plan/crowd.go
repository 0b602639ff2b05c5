package plan

import (
	"context"
	"iter"
	"slices"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/scan"
	"owlatsync/reconcile/step"
)

// crowd has the waiting rows that share their key or their address with another waiting row.
type crowd struct {
	byAddress, byKey map[uint64][]member // by hash, in the order of the source
}

// member is a row of a crowd.
type member struct {
	key   uint64 // hash
	at    owlatsync.Position
	says  []owlatsync.Consent
	never bool // no mail may go to the person
	twin  bool
}

// crowded finds the rows that share something.
func crowded(s *scan.Scan, waiting iter.Seq2[*step.Row, error]) (c crowd, err error) {
	if !s.Crowded() {
		return c, nil
	}
	c.byAddress, c.byKey = make(map[uint64][]member), make(map[uint64][]member)
	for r, err := range waiting {
		if err != nil {
			return c, err
		}
		m := member{key: ledger.MemoryHash(r.Key), at: r.Position, says: r.Consents, never: r.Never, twin: r.Twin}
		if s.Twinned(m.key) {
			c.byKey[m.key] = append(c.byKey[m.key], m)
		}
		if address := ledger.MemoryHash(r.Email); r.Twin || s.Shared(address) {
			c.byAddress[address] = append(c.byAddress[address], m)
		}
	}
	return c, nil
}

// first returns the row with the key that is no twin of an earlier one, of a crowd.
func first(crowd []member, key uint64) (m member, ok bool) {
	i := slices.IndexFunc(crowd, func(m member) bool { return m.key == key && !m.twin })
	if i < 0 {
		return m, false
	}
	return crowd[i], true
}

// together returns what a row consents to if a yes counts of any row with its key or its address, and of any with the key of a row that
// has that address and is the first with its key.
func (c crowd) together(key, address uint64, says []owlatsync.Consent) []owlatsync.Consent {
	for _, m := range c.byKey[key] {
		says = consent.Any(says, m.says)
	}
	for _, m := range c.byAddress[address] {
		says = consent.Any(says, m.says)
		if m.twin || m.key == key {
			continue
		}
		for _, m := range c.byKey[m.key] {
			says = consent.Any(says, m.says)
		}
	}
	return says
}

// never reports whether no mail may go to the person of any row with the key or the address.
func (c crowd) never(key, address uint64) bool {
	says := func(m member) bool { return m.never }
	return slices.ContainsFunc(c.byKey[key], says) || slices.ContainsFunc(c.byAddress[address], func(m member) bool {
		return m.never || !m.twin && m.key != key && slices.ContainsFunc(c.byKey[m.key], says)
	})
}

// hearing is what duplicates say that have the key or the address of a row in step.
type hearing struct {
	entry *ledger.Entry // of that row
	says  []owlatsync.Consent
	never bool // no mail may go to the person
}

// hear keeps what a duplicate says for the row in step that counts in its place, until all duplicates are known.
func (c *contest) hear(e *ledger.Entry, r *step.Row) {
	if e == nil || !c.policies.AnyConsent() && !r.Never {
		return
	}
	hash := ledger.MemoryHash(e.Key)
	at, heard := c.heard[hash]
	if !heard {
		at = len(c.hearings)
		c.heard[hash] = at
		c.hearings = append(c.hearings, hearing{entry: e})
	}
	c.hearings[at].says, c.hearings[at].never = consent.Any(c.hearings[at].says, r.Consents), c.hearings[at].never || r.Never
}

// hearers returns the rows in step that have the address of a row whose key an earlier one has: they hear it too.
func (c *contest) hearers(twin *step.Row, holders []ledger.Holder) (entries []*ledger.Entry) {
	for _, h := range holders {
		if h.Sync != c.policies.Sync || h.Entry.Key == twin.Key || h.Entry.Email != twin.Email {
			continue
		}
		if there, waits, _ := c.scan.Whereabouts(h.Entry); there && !waits {
			entries = append(entries, h.Entry)
		}
	}
	return entries
}

// lift returns the row as it counts: with a yes of any row with its key or its address, if the policies say so, and in any case as one to
// whose person no mail may go if one of these says so.
func (c *contest) lift(r *step.Row) *step.Row {
	if !c.policies.Crowds() {
		return r
	}
	key, address := ledger.MemoryHash(r.Key), ledger.MemoryHash(r.Address())
	says, never := r.Consents, r.Never || c.crowd.never(key, address)
	if c.policies.AnyConsent() {
		says = c.crowd.together(key, address, says)
	}
	if never == r.Never && slices.Equal(says, r.Consents) {
		return r
	}
	lifted := *r
	lifted.Consents, lifted.Never, lifted.Fingerprint = says, never, scan.Blend(r.Fingerprint, says, never)
	return &lifted
}

// raise returns a row in step as it counts now with what duplicates say, nil if that changes nothing. All about it is in the ledger.
func (c *contest) raise(h hearing) *step.Row {
	e := h.entry
	place, invalid := c.scan.PlaceOf(e)
	if invalid || e.Fingerprint.IsZero() {
		return nil
	}
	own := said(c.policies.Topics, e)
	says := own
	if c.policies.AnyConsent() {
		says = c.crowd.together(ledger.MemoryHash(e.Key), ledger.MemoryHash(e.Email), consent.Any(own, h.says))
	}
	if !h.never && slices.Equal(says, own) {
		return nil
	}
	return &step.Row{Key: e.Key, Position: place, Email: e.Email, Consents: says, Never: h.never, Fingerprint: scan.Blend(e.Fingerprint, says, h.never), Own: true}
}

// said returns what the row of an entry says about the topics, if it is in step.
func said(topics []policy.Topic, e *ledger.Entry) []owlatsync.Consent {
	says := make([]owlatsync.Consent, len(topics))
	for i, t := range topics {
		switch m := e.Membership(t.ID); {
		case !t.When, m != nil && m.Consent:
			says[i] = owlatsync.Yes
		case m == nil: // it never said more
			says[i] = owlatsync.Unclear
		}
	}
	return says
}

// compare adds to the winner where it is and whether it consents to other topics than the row. Own is the entry of the row's key.
func (c *contest) compare(w *winner, r *step.Row, own *ledger.Entry, rivals []rival) {
	key := ledger.MemoryHash(w.Key)
	in, e := c.crowd.byAddress[ledger.MemoryHash(r.Email)], own
	if r.Twin {
		in = c.crowd.byKey[key]
	} else if i := slices.IndexFunc(rivals, func(v rival) bool { return v.entry.Key == w.Key }); i >= 0 {
		e = rivals[i].entry
	} else {
		e = nil
	}
	w.Any = c.policies.AnyConsent()
	if m, waits := first(in, key); waits {
		w.At, w.Differs = m.at, !slices.Equal(m.says, r.Consents)
	} else if e != nil {
		w.At, _ = c.scan.PlaceOf(e)
		w.Differs = c.policies.Asks() && !slices.Equal(said(c.policies.Topics, e), r.Consents)
		w.settled = e
	}
}

// raising plans the rows in step that count with other consents now.
type raising struct{ *Planner }

// hear has the row in step that counts in the place of a duplicate hear what that one says.
func (p raising) hear(g *gatherer, r *step.Row, k *known) {
	if !k.winner.Any && !r.Never {
		return
	}
	if !r.Twin { // the row that counts asks for less once this one says no or leaves
		p.Notes.Note(k.winner.Key, owlatsync.Duplicate)
		g.contest.hear(k.winner.settled, k.row)
		return
	}
	g.contest.hear(k.winner.settled, r)
	for _, e := range g.contest.hearers(r, k.holders) {
		p.Notes.Note(e.Key, owlatsync.Duplicate)
		g.contest.hear(e, r)
	}
}

// planRaised plans the rows in step that ask for more because of what duplicates say. All duplicates must be planned before it.
func (p raising) planRaised(ctx context.Context, g *gatherer) error {
	for batch := range slices.Chunk(g.contest.hearings, batchSize) {
		raised, err := g.raised(ctx, batch)
		if err != nil {
			return err
		}
		for i := range raised {
			p.scan.Raised(raised[i].row)
			p.unchanged()
			if err := p.planRow(raised[i].row, &raised[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
