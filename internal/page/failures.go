package page

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/config"
	"owlatsync/internal/page/person"
	"owlatsync/internal/page/troubles"
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
	Groups        []troubles.Group
	Failing       int       // rows that a retry can help
	Cut           bool      // only some of the rows were looked at
	Next          time.Time // when the next run begins; zero: nobody knows
	Unsendable    unsentView
}

// unsentView is what a sync's source has that cannot be sent, as a run found it.
type unsentView struct {
	Invalid, Duplicate int // as the latest run counted them
	Run                int64
	At                 time.Time // when the run began of which the rows are known; zero: of none
	Groups             []troubles.Group
	Cut                bool // there are more
}

// Count returns how many rows the latest run could not send.
func (v unsentView) Count() int { return v.Invalid + v.Duplicate }

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
			return &access.Refusal{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: "all rows could not be looked at in time", Hint: "\"" + c.typed().Command("failures", "") + "\" takes its time"}
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
	next := nextRuns(c)
	for _, sync := range c.d.Inquiry.Configured() {
		found, err := failuresOf(c, sync.Name, v.Whole, v.One)
		if err != nil {
			return err
		}
		found.Next = next[sync.Name]
		if v.One == "" {
			if found.Unsendable, err = unsendableOf(c, sync.Name); err != nil {
				return err
			}
		}
		if len(found.Groups) > 0 || found.Unsendable.Count() > 0 {
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
		for _, all := range [][]troubles.Group{s.Groups, s.Unsendable.Groups} {
			for j := range all {
				rows -= all[j].Shorten(rows)
			}
		}
	}
}

// failuresOf returns what is wrong with the rows of a sync, as far as the ledger knows.
func failuresOf(c *call, sync string, whole bool, one string) (failingSync, error) {
	v := failingSync{Name: sync, Address: syncAddress(c, sync)}
	g := troublesOf(c, sync)
	if one != "" {
		g.One, g.Most = one, listedOfOne
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
			g.Add(t)
		}
	}
	v.Groups = g.Groups()
	for _, of := range v.Groups {
		if of.Retry {
			v.Failing += of.Count
		}
	}
	return v, nil
}

// troublesOf returns an empty list of what is wrong with rows of a sync, for whoever looks.
func troublesOf(c *call, sync string) *troubles.List {
	l := &troubles.List{Personal: c.d.Service.Personal(sync), Most: listedOfGroup, Now: c.d.Rows.Now()}
	if c.who.May(config.Operator) {
		l.Name = func(sync, key string) (id, address string) {
			id = c.marks.Seal(c.d.Name, person.Subject{Sync: sync, Key: key})
			return id, c.base + "/people/" + id
		}
	}
	return l
}

// entriesOf streams the rows of a sync that are not in step, or all of them.
func entriesOf(c *call, sync string, whole bool) iter.Seq2[*ledger.Entry, error] {
	if whole {
		return c.d.Rows.All(c.r.Context(), sync)
	}
	return c.d.Rows.Open(c.r.Context(), sync)
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
				if t.What == "row" && troubles.ID(t) == form.Get("group") {
					keys = append(keys, t.Key)
				}
			}
		}
	default:
		for _, id := range form["row"] {
			if who, ok := c.marks.Open(c.d.Name, id); ok && who.Sync == sync && who.Key != "" {
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
	Groups            []troubles.Group
	Count             int
	Cut               bool      // the source has more
	Next              time.Time // zero: no run is waited for
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

// groupFor is a group, whether its rows are shown to who sees addresses, and when the next run begins.
type groupFor struct {
	Sees  bool
	Group troubles.Group
	Next  time.Time
}

func pair(sees bool, of troubles.Group, next time.Time) groupFor { return groupFor{sees, of, next} }
