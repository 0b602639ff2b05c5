package owlattest

import (
	"cmp"
	"iter"
	"slices"
	"time"
)

// DOIStatus values of a contact.
const (
	doiNotRequired = "not_required"
	doiPending     = "pending"
	doiConfirmed   = "confirmed"
)

// contact is a row of Owlat's contacts table together with its identity and its memberships.
type contact struct {
	id        string
	seq       uint64 // order of creation
	email     string // the present address, by which the API looks up; empty for a contact without one
	identity  string // the address in the identity table, by which a create looks up; never changed by an update
	firstName *string
	lastName  *string
	source    string
	doiStatus string
	topics    []*topic // in the order in which the memberships were made
	created   time.Time
	updated   time.Time

	unsubscribed time.Time // zero: no opt-out from everything
	erased       time.Time // zero: not deleted in the dashboard
	gone         bool      // deleted for good
}

func (c *contact) live() bool { return !c.gone && c.erased.IsZero() }

func (c *contact) memberOf(t *topic) bool { return slices.Contains(c.topics, t) }

type topic struct {
	id          string
	name        string
	doubleOptIn bool
	deleted     bool
	members     map[*contact]struct{}
}

// contactTable holds the contacts with the indexes that answer "the oldest live contact with this address" and "the
// live contact with this identity" without a search.
type contactTable struct {
	seq        uint64
	rows       []*contact            // by seq, oldest first; contacts deleted for good stay until compact
	dead       int                   // rows that no longer count
	live       int                   // rows that are live
	byID       map[string]*contact   // also erased and deleted ones: their ids stay known
	byAddress  map[string][]*contact // live ones, oldest first
	byIdentity map[string]*contact   // live ones
}

func (t *contactTable) init() {
	t.byID = map[string]*contact{}
	t.byAddress = map[string][]*contact{}
	t.byIdentity = map[string]*contact{}
}

func (t *contactTable) insert(c *contact) {
	t.seq++
	c.seq = t.seq
	t.rows = append(t.rows, c)
	t.byID[c.id] = c
	t.live++
	t.index(c)
	if c.identity != "" {
		t.byIdentity[c.identity] = c
	}
}

// address returns the oldest live contact with that present address.
func (t *contactTable) address(lower string) *contact {
	if twins := t.byAddress[lower]; len(twins) > 0 {
		return twins[0]
	}
	return nil
}

func (t *contactTable) index(c *contact) {
	if c.email == "" {
		return
	}
	twins := t.byAddress[c.email]
	at, _ := slices.BinarySearchFunc(twins, c.seq, bySeq)
	t.byAddress[c.email] = slices.Insert(twins, at, c)
}

func (t *contactTable) unindex(c *contact) {
	if c.email == "" {
		return
	}
	twins := slices.DeleteFunc(t.byAddress[c.email], func(x *contact) bool { return x == c })
	if len(twins) == 0 {
		delete(t.byAddress, c.email)
		return
	}
	t.byAddress[c.email] = twins
}

// readdress changes the present address only; the identity stays, as in Owlat.
func (t *contactTable) readdress(c *contact, lower string) {
	t.unindex(c)
	c.email = lower
	t.index(c)
}

// retire takes a contact that is live no more out of all look-ups but the one by id.
func (t *contactTable) retire(c *contact) {
	t.unindex(c)
	if c.identity != "" {
		delete(t.byIdentity, c.identity)
		c.identity = ""
	}
	t.live--
	t.dead++
	if t.dead > 64 && t.dead > len(t.rows)/2 {
		t.rows = slices.DeleteFunc(t.rows, func(x *contact) bool { return !x.live() })
		t.dead = 0
	}
}

// before yields the live contacts created before seq, newest first.
func (t *contactTable) before(seq uint64) iter.Seq[*contact] {
	return func(yield func(*contact) bool) {
		at, _ := slices.BinarySearchFunc(t.rows, seq, bySeq)
		for i := at - 1; i >= 0; i-- {
			if c := t.rows[i]; c.live() && !yield(c) {
				return
			}
		}
	}
}

func bySeq(c *contact, seq uint64) int { return cmp.Compare(c.seq, seq) }
