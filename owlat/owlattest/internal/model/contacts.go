package model

import (
	"cmp"
	"iter"
	"slices"
)

// Contacts is the table of contacts with the indexes that answer "the oldest live contact with this address" and "the
// live contact with this identity" without a search.
type Contacts struct {
	Seq uint64 // of the latest contact

	rows       []*Contact            // by Seq, oldest first; those live no more stay until retire tidies up
	dead       int                   // rows that no longer count
	live       int                   // rows that are live
	byID       map[string]*Contact   // also erased and deleted ones: their ids stay known
	byAddress  map[string][]*Contact // live ones, oldest first
	byIdentity map[string]*Contact   // live ones
}

func newContacts() Contacts {
	return Contacts{byID: map[string]*Contact{}, byAddress: map[string][]*Contact{}, byIdentity: map[string]*Contact{}}
}

// Live returns how many contacts are live.
func (t *Contacts) Live() int { return t.live }

// ByID returns the contact with that id, also one that is live no more, or nil.
func (t *Contacts) ByID(id string) *Contact { return t.byID[id] }

// ByIdentity returns the live contact that a create with that address, in lower case, meets, or nil.
func (t *Contacts) ByIdentity(lower string) *Contact { return t.byIdentity[lower] }

// ByAddress returns the oldest live contact with that present address, in lower case, or nil.
func (t *Contacts) ByAddress(lower string) *Contact {
	if twins := t.byAddress[lower]; len(twins) > 0 {
		return twins[0]
	}
	return nil
}

// Twins returns the live contacts with that present address, in lower case, oldest first. The slice is the table's own.
func (t *Contacts) Twins(lower string) []*Contact { return t.byAddress[lower] }

// All yields the live contacts, oldest first.
func (t *Contacts) All() iter.Seq[*Contact] {
	return func(yield func(*Contact) bool) {
		for _, c := range t.rows {
			if c.Live() && !yield(c) {
				return
			}
		}
	}
}

// Before yields the live contacts created before seq, newest first.
func (t *Contacts) Before(seq uint64) iter.Seq[*Contact] {
	return func(yield func(*Contact) bool) {
		at, _ := slices.BinarySearchFunc(t.rows, seq, bySeq)
		for i := at - 1; i >= 0; i-- {
			if c := t.rows[i]; c.Live() && !yield(c) {
				return
			}
		}
	}
}

// Known yields every contact that ever was, by its id, in no order.
func (t *Contacts) Known() iter.Seq2[string, *Contact] {
	return func(yield func(string, *Contact) bool) {
		for id, c := range t.byID {
			if !yield(id, c) {
				return
			}
		}
	}
}

// Insert adds a contact as the newest.
func (t *Contacts) Insert(c *Contact) {
	t.Seq++
	c.Seq = t.Seq
	t.rows = append(t.rows, c)
	t.byID[c.ID] = c
	t.live++
	t.index(c)
	if c.Identity != "" {
		t.byIdentity[c.Identity] = c
	}
}

// InsertGone makes the id known as that of a contact deleted for good.
func (t *Contacts) InsertGone(id string) { t.byID[id] = &Contact{ID: id, Gone: true} }

func (t *Contacts) index(c *Contact) {
	if c.Email == "" {
		return
	}
	twins := t.byAddress[c.Email]
	at, _ := slices.BinarySearchFunc(twins, c.Seq, bySeq)
	t.byAddress[c.Email] = slices.Insert(twins, at, c)
}

func (t *Contacts) unindex(c *Contact) {
	if c.Email == "" {
		return
	}
	twins := slices.DeleteFunc(t.byAddress[c.Email], func(x *Contact) bool { return x == c })
	if len(twins) == 0 {
		delete(t.byAddress, c.Email)
		return
	}
	t.byAddress[c.Email] = twins
}

// readdress changes the present address only; the identity stays, as in Owlat.
func (t *Contacts) readdress(c *Contact, lower string) {
	t.unindex(c)
	c.Email = lower
	t.index(c)
}

// Retire takes a contact that is live no more out of all look-ups but the one by id.
func (t *Contacts) Retire(c *Contact) {
	t.unindex(c)
	if c.Identity != "" {
		delete(t.byIdentity, c.Identity)
		c.Identity = ""
	}
	t.live--
	t.dead++
	if t.dead > 64 && t.dead > len(t.rows)/2 {
		t.rows = slices.DeleteFunc(t.rows, func(x *Contact) bool { return !x.Live() })
		t.dead = 0
	}
}

func bySeq(c *Contact, seq uint64) int { return cmp.Compare(c.Seq, seq) }
