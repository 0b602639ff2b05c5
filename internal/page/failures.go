package page

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"owlatsync"
	"owlatsync/internal/access"
	"owlatsync/internal/config"
	"owlatsync/internal/page/story"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// troubleRoutes are the addresses of what is wrong with rows, and of what Owlat told. Viewers see numbers and reasons, and nobody's address.
var troubleRoutes = []route{
	{method: http.MethodGet, path: "/failures", role: config.Viewer, of: showFailures},
	{method: http.MethodPost, path: "/failures/retry", role: config.Operator, of: retry},
	{method: http.MethodPost, path: "/failures/unsendable", role: config.Operator, of: showUnsendable},
	{method: http.MethodPost, path: "/failures/write-backs", role: config.Operator, of: retryWriteBacks},
	{method: http.MethodGet, path: "/feedback", role: config.Viewer, of: showFeedback},
}

// failuresPage is what is not done, and what can be done about it.
type failuresPage struct {
	Done  string // what was just done; empty: nothing
	Syncs []failingSync
	Whole bool   // every row was looked at, not only those that are not in step
	One   string // the group that alone is shown; empty: all are
	Cut   int    // how many groups are not shown
	Sees  bool   // the viewer may see addresses, and act
	Dead  []targetView
}

// failingSync is a sync with what is wrong with its rows, by reason.
type failingSync struct {
	Name, Address string
	Groups        []group
	Failing       int  // rows that a retry can help
	Cut           bool // only some of the rows were looked at
	Unsendable    int  // rows that the latest run could not send
}

// group is the rows of a sync with one reason.
type group struct {
	ID                      string
	What, Kind, Reason, Do  string
	Count, Parked, Attempts int // attempts: the most of one row
	First, Last, Next       time.Time
	Retry                   bool // trying again can help
	Rows                    []troubleView
	Hidden                  int // rows that are not listed
}

// troubleView is a row that something is wrong with. A viewer gets no address, and no key that is or may hold one.
type troubleView struct {
	ID, Key, Email, Person string
	Position               string // where the source has the row
	Attempts               int
	Last, Next             time.Time
	Parked                 bool
}

// How many groups a page has, how many rows of one, how many if it is the only one, and of all groups together: a page stays below 100 KB. And how many rows that are
// not in step are looked at.
const (
	listedGroups  = 30
	listedOfGroup = 20
	listedOfOne   = 80
	listedInAll   = 60
	lookedAt      = 3_000
)

func showFailures(c *call) error {
	if c.r.URL.Query().Get("rows") != "all" {
		return listFailures(c)
	}
	return c.alone(func() error {
		ctx, cancel := context.WithTimeout(c.r.Context(), readsWithin)
		defer cancel()
		c.r = c.r.WithContext(ctx)
		err := listFailures(c)
		if errors.Is(err, context.DeadlineExceeded) {
			return &access.Refusal{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: "all rows of the ledger could not be looked at in time", Hint: "\"" + command(c.d.Name, "failures") + "\" takes its time"}
		}
		return err
	})
}

func listFailures(c *call) error {
	q := c.r.URL.Query()
	v := failuresPage{Whole: q.Get("rows") == "all", One: q.Get("group"), Sees: c.who.May(config.Operator)}
	if n, err := strconv.Atoi(q.Get("retried")); err == nil && n >= 0 {
		v.Done = "Rows that the next run tries again: " + number(n) + "."
	}
	if n, err := strconv.Atoi(q.Get("told")); err == nil && n >= 0 {
		v.Done = "Write-backs that are tried again: " + number(n) + "."
	}
	for _, sync := range c.d.Inquiry.Configured() {
		found, err := failuresOf(c, sync.Name, v.Whole, v.One)
		if err != nil {
			return err
		}
		runs, err := c.d.Ledger.Runs(c.r.Context(), sync.Name, listedRuns)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(runs, func(r ledger.Run) bool { return r.Report != nil && r.Summary != nil }); i >= 0 {
			found.Unsendable = runs[i].Report.Unsendable()
		}
		if v.One != "" {
			found.Unsendable = 0
		}
		if len(found.Groups) > 0 || found.Unsendable > 0 {
			v.Syncs = append(v.Syncs, found)
		}
	}
	v.shorten()
	if v.One == "" {
		var err error
		if v.Dead, err = deadLetters(c); err != nil {
			return err
		}
	}
	c.show(http.StatusOK, "failures", "Failures", v)
	return nil
}

// shorten leaves out what is too much for a page.
func (v *failuresPage) shorten() {
	groups, rows := listedGroups, listedInAll
	if v.One != "" {
		rows = listedOfOne
	}
	for i := range v.Syncs {
		s := &v.Syncs[i]
		shown := min(len(s.Groups), groups)
		v.Cut += len(s.Groups) - shown
		s.Groups = s.Groups[:shown]
		groups -= shown
		for j := range s.Groups {
			rows -= s.Groups[j].shorten(rows)
		}
	}
}

// shorten lists at most this many rows, and returns how many are listed.
func (g *group) shorten(most int) int {
	listed := min(len(g.Rows), most)
	g.Hidden += len(g.Rows) - listed
	g.Rows = g.Rows[:listed]
	return listed
}

// failuresOf returns what is wrong with the rows of a sync, as far as the ledger knows.
func failuresOf(c *call, sync string, whole bool, one string) (failingSync, error) {
	v := failingSync{Name: sync, Address: syncAddress(c, sync)}
	g := newGroups(c, sync)
	if one != "" {
		g.one, g.most = one, listedOfOne
	}
	looked := 0
	for e, err := range entriesOf(c, sync, whole) {
		if err != nil {
			return v, err
		}
		if looked++; looked > lookedAt && !whole {
			v.Cut = true
			break
		}
		for _, t := range reconcile.Troubles(e, sync, c.d.Rows.Now()) {
			g.add(t)
		}
	}
	v.Groups = g.sorted()
	for _, of := range v.Groups {
		if of.Retry {
			v.Failing += of.Count
		}
	}
	return v, nil
}

// entriesOf streams the rows of a sync that are not in step, or all of them.
func entriesOf(c *call, sync string, whole bool) iter.Seq2[*ledger.Entry, error] {
	if whole {
		return c.d.Rows.All(c.r.Context(), sync)
	}
	return c.d.Rows.Open(c.r.Context(), sync)
}

// groups puts rows together that have the same reason.
type groups struct {
	c        *call
	sync     string
	personal bool
	one      string // the only group that counts; empty: all do
	most     int    // how many rows of a group are listed
	all      map[string]*group
}

func newGroups(c *call, sync string) *groups {
	return &groups{c: c, sync: sync, personal: c.d.Service.Personal(sync), most: listedOfGroup, all: make(map[string]*group)}
}

func (g *groups) add(t reconcile.Trouble) {
	id := groupOf(t)
	if g.one != "" && id != g.one {
		return
	}
	of := g.all[id]
	if of == nil {
		of = &group{ID: id, What: kindOf(t.What), Kind: string(t.Category), Reason: t.Reason, Do: story.Advice(t.Category), Retry: t.What == "row", First: t.First}
		g.all[id] = of
	}
	of.Count++
	of.Attempts = max(of.Attempts, t.Attempts)
	if t.Parked {
		of.Parked++
	}
	if t.First.Before(of.First) {
		of.First = t.First
	}
	if t.Last.After(of.Last) {
		of.Last = t.Last
	}
	if !t.NextTry.IsZero() && (of.Next.IsZero() || t.NextTry.Before(of.Next)) {
		of.Next = t.NextTry
	}
	if len(of.Rows) == g.most {
		of.Hidden++
		return
	}
	v := troubleView{Position: t.Position, Attempts: t.Attempts, Last: t.Last, Next: t.NextTry, Parked: t.Parked && t.What == "row"}
	switch {
	case g.c.who.May(config.Operator):
		who := subject{Sync: t.Sync, Key: t.Key}
		v.ID, v.Key, v.Email = g.c.marks.seal(g.c.d.Name, who), t.Key, t.Address
		v.Person = g.c.base + "/people/" + v.ID
	case !g.personal:
		v.Key = reconcile.Decision{Key: t.Key}.PublicKey()
	}
	of.Rows = append(of.Rows, v)
}

// sorted returns the groups, the largest first.
func (g *groups) sorted() []group {
	var all []group
	for _, of := range g.all {
		all = append(all, *of)
	}
	slices.SortFunc(all, func(a, b group) int {
		return cmp.Or(b.Count-a.Count, cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// groupOf names the group of a row, in a few letters that a form can send back.
func groupOf(t reconcile.Trouble) string {
	sum := sha256.Sum256([]byte(t.Sync + "\x00" + t.What + "\x00" + string(t.Category) + "\x00" + t.Reason))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
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

// retry lets the next run try rows of a sync again: the chosen ones, all of one group, or all that fail.
func retry(c *call) error {
	form := c.r.PostForm
	sync := form.Get("sync")
	if !slices.ContainsFunc(c.d.Inquiry.Configured(), func(s config.Sync) bool { return s.Name == sync }) {
		return &access.Refusal{Status: http.StatusNotFound, Code: "sync", Message: "the configuration has no such sync", Hint: "load the failures again"}
	}
	var keys []string
	switch form.Get("what") {
	case "all":
	case "group":
		for e, err := range c.d.Rows.Open(c.r.Context(), sync) {
			if err != nil {
				return err
			}
			for _, t := range reconcile.Troubles(e, sync, c.d.Rows.Now()) {
				if t.What == "row" && groupOf(t) == form.Get("group") {
					keys = append(keys, t.Key)
				}
			}
		}
	default:
		for _, id := range form["row"] {
			if who, ok := c.marks.open(c.d.Name, id); ok && who.Sync == sync && who.Key != "" {
				keys = append(keys, who.Key)
			}
		}
		if len(keys) == 0 {
			return &access.Refusal{Status: http.StatusBadRequest, Code: "form", Message: "no row was chosen", Hint: "go back, and tick the rows that are to be tried again"}
		}
	}
	rows := 0
	if len(keys) > 0 || form.Get("what") == "all" {
		var err error
		if rows, err = retryRows(c, sync, keys); err != nil {
			return err
		}
	}
	http.Redirect(c.w, c.r, c.base+"/failures?retried="+url.QueryEscape(strconv.Itoa(rows)), http.StatusSeeOther)
	return nil
}

// unsendablePage is the rows of a sync that cannot be sent, as its source has them now.
type unsendablePage struct {
	Sync, SyncAddress string
	Groups            []group
	Count             int
	Cut               bool // the source has more
}

// How many rows that cannot be sent are read at most, and how long reading may take: the answer has to come.
const (
	unsendableMost = 2_000
	readsWithin    = 40 * time.Second
)

// showUnsendable reads the source of a sync for the rows that cannot be sent.
func showUnsendable(c *call) error {
	syncs := c.d.Inquiry.Configured()
	i := slices.IndexFunc(syncs, func(s config.Sync) bool { return s.Name == c.r.PostForm.Get("sync") })
	if i < 0 {
		return &access.Refusal{Status: http.StatusNotFound, Code: "sync", Message: "the configuration has no such sync", Hint: "load the failures again"}
	}
	return c.alone(func() error { return readUnsendable(c, syncs[i]) })
}

// groupedBy is what is wrong with a row that cannot be sent, without what differs from row to row.
func groupedBy(t reconcile.Trouble) reconcile.Trouble {
	if t.What == string(owlatsync.Duplicate) {
		t.Reason = "another row with the same key or address counts instead"
	}
	return t
}

// groupFor is a group, and whether its rows are shown to who sees addresses.
type groupFor struct {
	Sees  bool
	Group group
}

func pair(sees bool, of group) groupFor { return groupFor{sees, of} }
