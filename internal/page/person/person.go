package person

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/explain"
	"owlatsync/internal/page/story"
	"owlatsync/internal/ways"
	"owlatsync/ledger"
)

// HeardMost is how much of what Owlat told of an address is found at most.
const HeardMost = 50

// Person is whoever a page is about: rows with one address, or without rows an address of which Owlat told.
type Person struct {
	Subject
	Address string // normalised; empty: none is known
	Tales   []*explain.Tale
	Heard   []ledger.Feedback   // of the address, also without a row
	Barred  *ledger.Suppression // of the address, of the contact of a row, or of a contact whose id was typed
	Ways    ways.Ways           // how more becomes known of anybody
	Choices []*explain.Tale     // rows of several persons that have the key that was typed; there is nothing else then
}

// Known reports whether anything is known of the person.
func (p *Person) Known() bool { return len(p.Tales) > 0 || len(p.Heard) > 0 || p.Barred != nil }

// Find finds out what a ledger knows of somebody. It tells also of rows in syncs that the configuration does not have.
func Find(ctx context.Context, l explain.Ledger, syncs []config.Sync, ways ways.Ways, who Subject) (_ *Person, err error) {
	p := &Person{Subject: who, Ways: ways}
	if err := p.search(ctx, l, syncs); err != nil || len(p.Choices) > 0 {
		return p, err
	}
	return p, p.bar(ctx, l)
}

// search finds the rows of the person, and what Owlat told of them.
func (p *Person) search(ctx context.Context, l explain.Ledger, syncs []config.Sync) (err error) {
	who := p.Subject
	if who.Word == "" {
		return p.byKey(ctx, l, syncs, map[string]string{who.Sync: who.Key})
	}
	keys := make(map[string]string)
	for i := range syncs {
		keys[syncs[i].Name] = syncs[i].RowKeys([]string{who.Word})[0]
	}
	if p.Address, err = owlatsync.NormalizeAddress(who.Word); err == nil {
		return p.byAddress(ctx, l, syncs, keys)
	}
	p.Address = ""
	if err := p.byKey(ctx, l, syncs, keys); err != nil || p.Known() || len(p.Choices) > 0 {
		return err
	}
	return p.byContact(ctx, l, syncs)
}

// bar finds out whether no mail may go to the person: to the address, or to the contact, whatever its address is by now.
func (p *Person) bar(ctx context.Context, l explain.Ledger) error {
	names := []string{p.Address, p.Word}
	for _, t := range p.Tales {
		if t.Entry != nil {
			names = append(names, t.Entry.ContactID)
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == "" })
	told := p.contactsTold()
	found, err := l.Suppressions(ctx, append(slices.Clone(names), told...))
	if err != nil {
		return err
	}
	var barred ledger.Suppression
	for _, name := range names {
		barred = barred.With(found[name])
	}
	if barred.Reason.Asked() { // what was asked of Owlat is kept with the contact
		for _, name := range told {
			if s := found[name]; s.Reason.Asked() {
				barred = barred.With(s)
			}
		}
	}
	if barred.Reason != "" {
		p.Barred = &barred
	}
	return nil
}

// contactsTold returns the contacts that Owlat named when it told of the address.
func (p *Person) contactsTold() (ids []string) {
	for _, f := range p.Heard {
		if f.ContactID != "" && !slices.Contains(ids, f.ContactID) {
			ids = append(ids, f.ContactID)
		}
	}
	return ids
}

// byContact finds the rows of the contact whose id was typed.
func (p *Person) byContact(ctx context.Context, l explain.Ledger, syncs []config.Sync) error {
	sharers, err := l.Sharers(ctx, []string{p.Word})
	if err != nil {
		return err
	}
	keys := make(map[string]string)
	for _, h := range sharers {
		keys[h.Sync] = h.Entry.Key
	}
	return p.byKey(ctx, l, syncs, keys)
}

// byKey finds the rows with the keys, by sync. If they are of one person, it finds that person's other rows, too.
func (p *Person) byKey(ctx context.Context, l explain.Ledger, syncs []config.Sync, keys map[string]string) error {
	if err := p.add(ctx, l, syncs, keys); err != nil {
		return err
	}
	for _, t := range p.Tales {
		address := AddressOf(t)
		if len(p.Tales) > 1 && (address == "" || address != AddressOf(p.Tales[0])) {
			p.Choices, p.Tales, p.Address = p.Tales, nil, ""
			return nil
		}
		p.Address = address
	}
	if p.Address == "" {
		return nil
	}
	return p.byAddress(ctx, l, syncs, nil)
}

// byAddress finds the rows with the address, those with the keys, and what Owlat told of the address.
func (p *Person) byAddress(ctx context.Context, l explain.Ledger, syncs []config.Sync, keys map[string]string) error {
	holders, err := l.Holders(ctx, []string{p.Address})
	if err != nil {
		return err
	}
	for _, h := range holders {
		if err := p.add(ctx, l, syncs, map[string]string{h.Sync: h.Entry.Key}); err != nil {
			return err
		}
	}
	if err := p.add(ctx, l, syncs, keys); err != nil {
		return err
	}
	p.Heard, err = l.Feedbacks(ctx, "", p.Address, 0, HeardMost)
	return err
}

// add adds the rows with the keys, by sync, of which the ledger knows.
func (p *Person) add(ctx context.Context, l explain.Ledger, syncs []config.Sync, keys map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		key := keys[name]
		if slices.ContainsFunc(p.Tales, func(t *explain.Tale) bool { return t.Sync.Name == name && t.Key == key }) {
			continue
		}
		sync := config.Sync{Name: name}
		if i := slices.IndexFunc(syncs, func(s config.Sync) bool { return s.Name == name }); i >= 0 {
			sync = syncs[i]
		}
		t, err := explain.Of(ctx, l, sync, key)
		if err != nil {
			return err
		}
		if t != nil {
			t.Ways = p.Ways
			p.Tales = append(p.Tales, t)
		}
	}
	return nil
}

// AddressOf returns the address of a row as the ledger has it, empty if it has none.
func AddressOf(t *explain.Tale) string {
	if t.Entry == nil {
		return ""
	}
	return cmp.Or(t.Entry.Email, t.Entry.Identity)
}

// Answer is about all rows of the person: what stops everything comes first.
func (p *Person) Answer() story.Answer {
	switch {
	case p.Barred != nil:
		return story.Suppressed(*p.Barred, p.Tales, p.Ways)
	case len(p.Tales) == 0:
		return story.Answer{Word: "Not known here", Verdict: story.Verdict{
			Tone: story.Unknown, Says: "No run has taken up a row with this address, but Owlat told of it.", Do: "If a source has the person, ask for a run, or look why the row cannot be sent.",
		}}
	}
	return story.Together(p.Tales)
}

// Tale returns what is known of one row of the person, nil if that is nothing.
func (p *Person) Tale(sync, key string) *explain.Tale {
	for _, t := range p.Tales {
		if t.Sync.Name == sync && t.Key == key {
			return t
		}
	}
	return nil
}

// Keys returns the keys that rows of the person have in a sync, or may have.
func (p *Person) Keys(sync config.Sync) (keys []string) {
	for _, t := range append(slices.Clone(p.Tales), p.Choices...) {
		if t.Sync.Name == sync.Name {
			keys = append(keys, t.Key)
		}
	}
	if p.Key != "" && p.Sync == sync.Name {
		keys = append(keys, p.Key)
	}
	if p.Word != "" {
		keys = append(keys, sync.RowKeys([]string{p.Word})[0])
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Matcher finds the rows of a person in the source of one sync.
type Matcher struct {
	keys         []string
	addresses    []string // lower-cased, also such as are none
	keyIsAddress bool
}

// Matcher returns what finds the person's rows.
func (p *Person) Matcher(sync config.Sync) Matcher {
	m := Matcher{keyIsAddress: sync.KeyIsAddress(), keys: p.Keys(sync)}
	if p.Word != "" {
		m.addresses = append(m.addresses, owlatsync.LowerAddress(p.Word))
	}
	if p.Address != "" {
		m.addresses = append(m.addresses, p.Address)
	}
	return m
}

// Means reports whether a row is one of the person's, and returns its key.
func (m Matcher) Means(row *owlatsync.Row) (key string, ok bool) {
	address, err := owlatsync.NormalizeAddress(row.Email.Value)
	if err != nil {
		address = owlatsync.LowerAddress(owlatsync.Trim(row.Email.Value))
	}
	if key = row.Key; m.keyIsAddress {
		key = address
	}
	return key, slices.Contains(m.keys, key) || address != "" && slices.Contains(m.addresses, address)
}
