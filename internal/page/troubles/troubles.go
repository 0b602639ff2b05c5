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
	"owlatsync/reconcile"
)

// Group is the rows of a sync with one reason.
type Group struct {
	ID                      string
	What, Kind, Reason, Do  string
	Count, Parked, Attempts int // attempts: the most of one row
	First, Last, Next       time.Time
	Retry                   bool // trying again can help
	Rows                    []Row
	Hidden                  int // rows that are not listed
}

// Row is one with which something is wrong. Without a List.Name it has no address, and no key that is or may hold one.
type Row struct {
	ID, Key, Email, Person string
	Position               string // where the source has the row
	Next                   time.Time
}

// List puts rows of one sync together that have the same reason.
type List struct {
	// Name returns the id of a row, which forms send back, and the address of its person's page. Nil: whoever looks sees no address, and may not act.
	Name     func(key string) (id, address string)
	Personal bool   // the keys of the sync are or hold addresses
	One      string // the only group that counts; empty: all do
	Most     int    // how many rows of a group are listed

	all map[string]*Group
}

// Add takes in a row.
func (l *List) Add(t reconcile.Trouble) {
	id := ID(t)
	if l.One != "" && id != l.One {
		return
	}
	of := l.all[id]
	if of == nil {
		if l.all == nil {
			l.all = make(map[string]*Group)
		}
		of = &Group{ID: id, What: kindOf(t.What), Kind: string(t.Category), Reason: t.Reason, Do: story.Advice(t.Category), Retry: t.What == "row", First: t.First}
		l.all[id] = of
	}
	of.count(t)
	if len(of.Rows) == l.Most {
		of.Hidden++
		return
	}
	row := Row{Position: t.Position, Next: t.NextTry}
	switch {
	case l.Name != nil:
		row.Key, row.Email = t.Key, t.Address
		row.ID, row.Person = l.Name(t.Key)
	case !l.Personal:
		row.Key = reconcile.Decision{Key: t.Key}.PublicKey() // Invariant 8
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
	sum := sha256.Sum256([]byte(t.Sync + "\x00" + t.What + "\x00" + string(t.Category) + "\x00" + t.Reason))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// Alike returns what is wrong with a row that cannot be sent, without what differs from row to row.
func Alike(t reconcile.Trouble) reconcile.Trouble {
	if t.What == string(owlatsync.Duplicate) {
		t.Reason = "another row with the same key or address counts instead"
	}
	return t
}

// kindOf says what is wrong with rows of a kind of trouble.
func kindOf(what string) string {
	switch what {
	case "row":
		return "not applied"
	case "event":
		return "an event of unknown outcome"
	case "topic":
		return "an add to a topic"
	}
	return what
}
