package page

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"owlatsync"
	"owlatsync/internal/access"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/csvout"
	"owlatsync/internal/page/telling"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/step"
)

// decisionsView is a part of what a run did with rows, as the ledger recorded it.
type decisionsView struct {
	Lines      []decisionView
	Hidden     bool     // keys are not for the viewer
	What       string   // only this; empty: all
	Whats      []string // what there is to choose from
	Category   string   // only rows that failed for this kind of reason; empty: any
	Categories []ledger.Category
	Key        string
	Next       string // where more are; empty: nowhere
	First      string // where the first are, if these are later ones
	CSV        string // where the list is as a file; empty: nothing is recorded
	Narrowed   bool
}

// decisionView is one thing that a run did with a row.
type decisionView struct {
	Number   int64
	At       time.Time
	Key      string // empty: the viewer may not see it
	What     string
	Note     string
	Category ledger.Category // why the row fails now, of one that failed
}

// whats are the words of the history, in the order in which a run does such things.
var whats = []string{
	"created", "adopted", "updated", "topic added", "topic removed", "topic left alone", "topic unsure", "event sent", "event unknown", "event left out",
	"deleted", "gone", "merged", "found", "failed",
}

// listedDecisions is how many decisions a page has; readAtOnce how many lines are read at once; mostRead how many are looked at for one page.
const (
	listedDecisions = 100
	readAtOnce      = 1000
	mostRead        = 20 * readAtOnce
)

// wanted returns which decisions the address asks for.
func (c ofRun) wanted(r *ledger.Run) (want ledger.RunLines, category ledger.Category, err error) {
	q := c.r.URL.Query()
	want.Run = r.ID
	if what := q.Get("what"); slices.Contains(whats, what) {
		want.Events = []string{what}
	}
	if category = ledger.Category(q.Get("category")); category != "" {
		want.Events = []string{string(owlatsync.Failed)}
	}
	if want.Key = q.Get("key"); want.Key != "" && !c.sees(r.Sync) {
		return want, category, &access.Refusal{Status: http.StatusForbidden, Code: access.CodeRole, Message: "the keys of this sync name persons, and " + c.who.Name + " is a viewer"}
	}
	if want.After, err = strconv.ParseInt(q.Get("after"), 10, 64); err != nil || want.After < 0 {
		want.After = 0
	}
	return want, category, nil
}

// decisions returns the part of the decisions of a run that the address asks for.
func (c ofRun) decisions(r *ledger.Run, address string) (v decisionsView, err error) {
	want, category, err := c.wanted(r)
	if err != nil {
		return v, err
	}
	v = decisionsView{Hidden: !c.sees(r.Sync), Whats: whats, Category: string(category), Categories: ledger.Categories, Key: want.Key}
	if len(want.Events) > 0 {
		v.What = want.Events[0]
	}
	if category != "" {
		v.What = ""
	}
	v.Narrowed = v.What != "" || v.Category != "" || v.Key != ""
	query := url.Values{}
	for name, text := range map[string]string{"what": v.What, "category": v.Category, "key": v.Key} {
		if text != "" {
			query.Set(name, text)
		}
	}
	if want.After > 0 {
		v.First = address + "?" + query.Encode() + "#decisions"
	}
	more := false
	for read := 0; ; {
		want.Limit = listedDecisions + 1
		if category != "" {
			want.Limit = readAtOnce
		}
		lines, err := c.d.Decisions.LinesOfRun(c.r.Context(), want)
		if err != nil {
			return v, err
		}
		found, err := decided(c.r.Context(), c.d, r.Sync, lines)
		if err != nil {
			return v, err
		}
		for _, d := range found {
			if more = len(v.Lines) == listedDecisions; more {
				break
			}
			if want.After = d.Number; category == "" || d.Category == category {
				v.Lines = append(v.Lines, c.shown(r.Sync, d))
			}
		}
		if read += len(lines); more || len(lines) < want.Limit {
			break
		}
		if more = read >= mostRead; more {
			break
		}
	}
	if len(v.Lines) > 0 {
		v.CSV = address + "/decisions.csv"
		if len(query) > 0 {
			v.CSV += "?" + query.Encode()
		}
	}
	if more {
		query.Set("after", strconv.FormatInt(want.After, 10))
		v.Next = address + "?" + query.Encode() + "#decisions"
	}
	return v, nil
}

// decided returns lines of history with the kind of reason for which those rows fail now that failed.
func decided(ctx context.Context, d *api.Deployment, sync string, lines []ledger.HistoryLine) (all []decisionView, err error) {
	var keys []string
	for _, l := range lines {
		if l.Event == string(owlatsync.Failed) {
			keys = append(keys, l.Key)
		}
	}
	var entries map[string]*ledger.Entry
	if len(keys) > 0 {
		if entries, err = d.Decisions.Entries(ctx, sync, keys); err != nil {
			return nil, err
		}
	}
	for _, l := range lines {
		one := decisionView{Number: l.Number, At: l.At, Key: l.Key, What: l.Event, Note: l.Note}
		if e := entries[l.Key]; e != nil && e.Failure != nil && l.Event == string(owlatsync.Failed) {
			one.Category = e.Failure.Category
		}
		all = append(all, one)
	}
	return all, nil
}

// shown takes from a decision what the viewer may not see.
func (c ofRun) shown(sync string, d decisionView) decisionView {
	if !c.sees(sync) || !c.who.May(config.Operator) && (step.Decision{Key: d.Key}).PublicKey() == "" {
		d.Key = ""
	}
	return d
}

// downloadDecisions answers with the decisions of a run as CSV, as they are read.
func downloadDecisions(c *call) error {
	r, err := c.run()
	if err != nil {
		return err
	}
	want, category, err := (ofRun{c}).wanted(&r)
	if err != nil {
		return err
	}
	want.Limit = readAtOnce
	var out *csvout.Writer
	for {
		lines, err := c.d.Decisions.LinesOfRun(c.r.Context(), want)
		var found []decisionView
		if err == nil {
			found, err = decided(c.r.Context(), c.d, r.Sync, lines)
		}
		if err != nil && out == nil {
			return err
		}
		if err != nil {
			c.log.Error("a list of decisions broke off", "run", r.ID, "error", err)
			panic(http.ErrAbortHandler) // only the end of the connection says that the list is not whole
		}
		if out == nil {
			c.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
			c.w.Header().Set("Content-Disposition", `attachment; filename="run-`+strconv.FormatInt(r.ID, 10)+`-decisions.csv"`)
			out = csvout.NewWriter(c.w)
			out.Write("number", "at", "sync", "key", "what", "note", "category_now")
		}
		for _, d := range found {
			want.After = d.Number
			if category != "" && d.Category != category {
				continue
			}
			d = (ofRun{c}).shown(r.Sync, d)
			out.Write(strconv.FormatInt(d.Number, 10), iso(d.At), r.Sync, d.Key, d.What, d.Note, string(d.Category))
		}
		if err := out.Flush(); err != nil || len(lines) < want.Limit {
			return nil // it is whole, or the client has left
		}
	}
}

// samples returns a few rows of each kind of change in a held plan.
func (c ofRun) samples(r *ledger.Run) (all []telling.Sample, err error) {
	if r.PlanForm != step.Form {
		return nil, nil
	}
	for s, err := range reconcile.Samples(c.r.Context(), c.d.Decisions, r.ID) {
		if err != nil {
			return nil, err
		}
		all = telling.Add(all, s, c.sees(r.Sync), c.who.May(config.Operator))
	}
	return all, nil
}
