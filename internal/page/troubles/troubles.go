// Package troubles puts rows with which something is wrong together by reason, for a page, and says what to do about each reason.
//
// The idea to know: what is shown of a row depends on who looks. Who may act on rows sees their keys and addresses; everybody else sees numbers, reasons, and
// keys that are nobody's.
package troubles

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/internal/page/story"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// Group is the rows of a sync with one reason.
type Group struct {
	ID                      string
	What, Reason, Do        string
	Count, Parked, Attempts int // attempts: the most of one row
	First, Last, Next       time.Time
	Due                     bool // the next run tries one of them
	Retry                   bool // trying again can help
	Bare                    bool // the addresses of the rows are not known
	Instead                 bool // another row counts instead of each
	Held                    bool // another row has what each needs
	Rows                    []Row
	Hidden                  int // rows that are not listed
}

// Row is one with which something is wrong. Without a List.Name it has no address, and no key that is or may hold one.
type Row struct {
	ID, Key, Email, Person string
	Position               string // where the source has the row, of one without a key
	Next                   time.Time
	Due                    bool // the next run tries it
	Other                  Other
}

// Other is the row that counts instead of one, or has what that needs. Without a key none may be named.
type Other struct{ Sync, Key, Person string }

// List puts rows of one sync together that have the same reason.
type List struct {
	// Name returns the id of a row, which forms send back, and the address of its person's page. Nil: whoever looks sees no address, and may not act.
	Name     func(sync, key string) (id, address string)
	Now      time.Time
	Bare     bool   // the rows come without their addresses
	Personal bool   // the keys of the sync are or hold addresses
	One      string // the only group that counts; empty: all do
	Most     int    // how many rows of a group are listed

	all map[string]*Group
}

// Add takes in a row.
func (l *List) Add(t reconcile.Trouble) {
	id := ID(t)
	t = alike(t)
	if l.One != "" && id != l.One {
		return
	}
	of := l.all[id]
	if of == nil {
		if l.all == nil {
			l.all = make(map[string]*Group)
		}
		of = &Group{ID: id, What: kindOf(t.What), Reason: t.Reason, Do: story.AdviceOn(t), Retry: t.What == "row", First: t.First, Instead: t.Instead != nil, Held: t.Holder.Key != "", Bare: l.Bare}
		l.all[id] = of
	}
	due := !t.NextTry.IsZero() && !t.NextTry.After(l.Now)
	of.count(t)
	of.Due = of.Due || due
	if len(of.Rows) == l.Most {
		of.Hidden++
		return
	}
	row := Row{Next: t.NextTry, Due: due, Other: Other{Sync: t.Holder.Sync, Key: t.Holder.Key}}
	if t.Instead != nil {
		row.Other = Other{Sync: t.Sync, Key: t.Instead.Key}
	}
	switch {
	case l.Name != nil:
		row.Key, row.Email = t.Key, t.Address
		row.ID, row.Person = l.Name(t.Sync, t.Key)
		if row.Other.Key != "" {
			_, row.Other.Person = l.Name(row.Other.Sync, row.Other.Key)
		}
	case !l.Personal:
		row.Key = reconcile.Decision{Key: t.Key}.PublicKey() // Invariant 8
	default:
		row.Other = Other{}
	}
	if row.Key == "" {
		row.Position = t.Position
	}
	of.Rows = append(of.Rows, row)
}

func (g *Group) count(t reconcile.Trouble) {
	g.Count++
	g.Attempts = max(g.Attempts, t.Attempts)
	if t.Parked {
		g.Parked++
	}
	if t.First.Before(g.First) {
		g.First = t.First
	}
	if t.Last.After(g.Last) {
		g.Last = t.Last
	}
	if !t.NextTry.IsZero() && (g.Next.IsZero() || t.NextTry.Before(g.Next)) {
		g.Next = t.NextTry
	}
}

// Groups returns the groups, the largest first.
func (l *List) Groups() []Group {
	var all []Group
	for _, of := range l.all {
		all = append(all, *of)
	}
	slices.SortFunc(all, func(a, b Group) int {
		return cmp.Or(b.Count-a.Count, cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// Shorten lists at most this many rows, and returns how many are listed.
func (g *Group) Shorten(most int) int {
	listed := min(len(g.Rows), most)
	g.Hidden += len(g.Rows) - listed
	g.Rows = g.Rows[:listed]
	return listed
}

// ID names the group of a row, in a few letters that a form can send back.
func ID(t reconcile.Trouble) string {
	t = alike(t)
	sum := sha256.Sum256([]byte(t.Sync + "\x00" + t.What + "\x00" + string(t.Category) + "\x00" + t.Reason))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// alike returns what is wrong with a row, without what differs from row to row.
func alike(t reconcile.Trouble) reconcile.Trouble {
	switch {
	case t.Instead != nil:
		if t.Reason = "another row has the same address, and counts instead"; t.Instead.Same {
			t.Reason = "the source has the key more than once, and its first row counts"
		}
		if t.Instead.Differs {
			t.Reason += "; the two consent to different topics"
		}
	case t.Holder.Key != "" && t.Category == ledger.CategoryTaken:
		t.Reason = "the contact of another row has the address in Owlat"
	}
	return t
}

// kindOf says what is wrong with rows of a kind of trouble.
func kindOf(what string) string {
	switch what {
	case "row":
		return "Not sent"
	case "event":
		return "It is not known whether an event arrived"
	case "topic":
		return "An add to a topic"
	case string(owlatsync.Invalid):
		return "Owlat would refuse it, so no run sends it"
	}
	return "No run sends it"
}
