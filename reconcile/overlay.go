package reconcile

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"

	"owlatsync/ledger"
)

// overlay is a ledger with records laid over it that are never written: a plan settles doubts for itself alone. If a run beside the
// plan has settled an entry, the ledger's own version counts.
type overlay struct {
	ledger.Reader
	entries map[place]*ledger.Entry
}

// place names an entry.
type place struct{ sync, key string }

func newOverlay(l ledger.Reader) *overlay {
	return &overlay{Reader: l, entries: make(map[place]*ledger.Entry)}
}

// put lays the record of a settled entry over the ledger.
func (o *overlay) put(r ledger.Record) error {
	o.entries[place{r.Sync, r.Entry.Key}] = r.Entry
	return nil
}

// over returns what is laid over an entry, or the entry itself.
func (o *overlay) over(sync string, e *ledger.Entry) *ledger.Entry {
	if settled := o.entries[place{sync, e.Key}]; settled != nil && e.Doubt {
		return copyOf(settled)
	}
	return e
}

// Index streams the index, with the settled entries as they became.
func (o *overlay) Index(ctx context.Context, sync string) iter.Seq2[ledger.IndexEntry, error] {
	changed := make(map[uint64]*ledger.Entry)
	for at, e := range o.entries {
		if at.sync == sync {
			changed[ledger.HashText(at.key)] = e
		}
	}
	if len(changed) == 0 {
		return o.Reader.Index(ctx, sync)
	}
	return func(yield func(ledger.IndexEntry, error) bool) {
		for ie, err := range o.Reader.Index(ctx, sync) {
			// An entry in doubt has no print; one with a print is in step and only shares the hash.
			if e := changed[ie.KeyHash]; e != nil && ie.Print == 0 {
				ie.Print, ie.Blank = e.Fingerprint.Lo, e.Email == ""
			}
			if !yield(ie, err) {
				return
			}
		}
	}
}

// Entries returns entries by key.
func (o *overlay) Entries(ctx context.Context, sync string, keys []string) (map[string]*ledger.Entry, error) {
	found, err := o.Reader.Entries(ctx, sync, keys)
	if err != nil || len(o.entries) == 0 {
		return found, err
	}
	for key, e := range found {
		found[key] = o.over(sync, e)
	}
	return found, nil
}

// Numbered returns entries by their numbers.
func (o *overlay) Numbered(ctx context.Context, sync string, numbers []int64) ([]*ledger.Entry, error) {
	found, err := o.Reader.Numbered(ctx, sync, numbers)
	for i, e := range found {
		found[i] = o.over(sync, e)
	}
	return found, err
}

// All streams the entries of a sync.
func (o *overlay) All(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return func(yield func(*ledger.Entry, error) bool) {
		for e, err := range o.Reader.All(ctx, sync) {
			if err == nil {
				e = o.over(sync, e)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// Holders returns the entries with one of the addresses.
func (o *overlay) Holders(ctx context.Context, addresses []string) ([]ledger.Holder, error) {
	found, err := o.Reader.Holders(ctx, addresses)
	return o.changed(found, err, func(e *ledger.Entry) bool {
		return e.Email != "" && slices.Contains(addresses, e.Email) || e.Identity != "" && slices.Contains(addresses, e.Identity)
	})
}

// Sharers returns the entries for one of the contacts.
func (o *overlay) Sharers(ctx context.Context, contacts []string) ([]ledger.Holder, error) {
	found, err := o.Reader.Sharers(ctx, contacts)
	return o.changed(found, err, func(e *ledger.Entry) bool { return e.ContactID != "" && slices.Contains(contacts, e.ContactID) })
}

// changed replaces entries that were found by what is laid over them, and adds laid ones that belong to the result.
func (o *overlay) changed(found []ledger.Holder, err error, belongs func(*ledger.Entry) bool) ([]ledger.Holder, error) {
	if err != nil || len(o.entries) == 0 {
		return found, err
	}
	seen := make(map[place]bool, len(found))
	all := make([]ledger.Holder, 0, len(found))
	for _, h := range found {
		seen[place{h.Sync, h.Entry.Key}] = true
		if h.Entry = o.over(h.Sync, h.Entry); belongs(h.Entry) {
			all = append(all, h)
		}
	}
	for _, at := range slices.SortedFunc(maps.Keys(o.entries), func(a, b place) int { return cmp.Or(cmp.Compare(a.sync, b.sync), cmp.Compare(a.key, b.key)) }) {
		if e := o.entries[at]; !seen[at] && belongs(e) {
			all = append(all, ledger.Holder{Sync: at.sync, Entry: copyOf(e)})
		}
	}
	return all, nil
}

func copyOf(e *ledger.Entry) *ledger.Entry {
	c := *e
	c.Memberships, c.Events = slices.Clone(e.Memberships), slices.Clone(e.Events)
	return &c
}
