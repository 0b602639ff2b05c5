package rowlist

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"

	"owlatsync"
	"owlatsync/internal/csvout"
	"owlatsync/ledger"
)

// Decisions is a part of what a run did with rows, as the ledger recorded it.
type Decisions struct {
	Lines      []Decision
	Hidden     bool     // keys are not for the viewer
	What       string   // only this; empty: all
	Whats      []Choice // what there is to choose from
	Category   string   // only rows that failed for this kind of reason; empty: any
	Categories []Choice
	Key        string
	Next       string // where more are; empty: nowhere
	First      string // where the first are, if these are later ones
	CSV        string // where the list is as a file; empty: nothing is recorded
	Narrowed   bool
}

// Decision is one thing that a run did with a row.
type Decision struct {
	Number   int64
	At       time.Time
	Key      string // empty: the viewer may not see it
	What     string
	Says     string // the same for people
	Note     string
	Category ledger.Category // why the row fails now, of one that failed
	Why      string          // the same for people
	Topic    string          // which rows are put on the topic that the note names; empty: it names none that is configured
}

// whats are the words of the history, in the order in which a run does such things.
var whats = []Choice{
	{"created", "created the contact"}, {"adopted", "took over a contact that was in Owlat"}, {"updated", "changed the contact"},
	{"topic added", "put on a topic"}, {"topic found", "found on a topic"}, {"topic removed", "taken off a topic"}, {"topic left", "found to have left a topic"}, {"topic left alone", "left a topic as it is"}, {"topic unsure", "not known whether on a topic"},
	{"event sent", "sent an event"}, {"event unknown", "not known whether an event arrived"}, {"event left out", "left out an event"},
	{"deleted", "deleted the contact"}, {"gone", "found the contact deleted in Owlat"}, {ledger.EventRowLeft, "found that the row has left the source"}, {ledger.EventOptedOut, "opted the person out of everything"}, {"merged", "found the contact merged into another"}, {"found", "found the contact in Owlat"}, {"failed", "failed"},
}

// categories are the kinds of reasons that owlat-sync knows, for people.
var categories = map[ledger.Category]string{
	ledger.CategoryNetwork: "Owlat could not be reached", ledger.CategoryTimeout: "no answer in time", ledger.CategoryAnswer: "an answer that cannot be understood",
	ledger.CategoryInterrupted: "the run ended meanwhile", ledger.CategoryRoute: "what answers is not Owlat", ledger.CategoryDrift: "Owlat refuses an address that no contact has",
	ledger.CategoryTaken: "another contact has the address", ledger.CategoryExchange: "rows exchange addresses", ledger.CategoryAddress: "the contact has another address than was sent",
	ledger.CategoryTopic: "Owlat does not have the topic", ledger.CategoryUnsure: "not known whether on a topic", ledger.CategoryUnconfirmed: "Owlat sends no second mail to confirm",
	ledger.CategoryEvent: "not known whether an event arrived", ledger.CategoryLedger: "it could not be recorded", ledger.CategorySource: "the row cannot be sent, or another one counts",
	ledger.CategoryWaiting: "it failed before and waits", ledger.CategoryGone: "the contact was deleted in Owlat", ledger.CategoryKept: "the contact of a row that left is kept",
	ledger.CategoryUnasked: "the run was asked for other rows", ledger.CategoryUnreached: "the run ended before its turn", ledger.CategoryHeld: "the run applied nothing",
}

// text returns what a value means for people, the value itself if it is no choice.
func text(all []Choice, value string) string {
	if i := slices.IndexFunc(all, func(c Choice) bool { return c.Value == value }); i >= 0 {
		return all[i].Text
	}
	return value
}

// readAtOnce is how many lines are read at once; mostRead how many are looked at for one page.
const (
	readAtOnce = 1000
	mostRead   = 20 * readAtOnce
)

// wanted returns which decisions the address asks for.
func (of *Of) wanted() (want ledger.RunLines, category ledger.Category, err error) {
	want.Run = of.Run.ID
	if what := of.Query.Get("what"); slices.ContainsFunc(whats, func(c Choice) bool { return c.Value == what }) {
		want.Events = []string{what}
	}
	if category = ledger.Category(of.Query.Get("category")); category != "" {
		want.Events = []string{string(owlatsync.Failed)}
	}
	if want.Key, err = of.key(); err != nil {
		return want, category, err
	}
	var bad error
	if want.After, bad = strconv.ParseInt(of.Query.Get("after"), 10, 64); bad != nil || want.After < 0 {
		want.After = 0
	}
	return want, category, nil
}

// ListDecisions returns the part of the decisions of a run that the address asks for.
func ListDecisions(ctx context.Context, of *Of) (v Decisions, err error) {
	want, category, err := of.wanted()
	if err != nil {
		return v, err
	}
	v = Decisions{Hidden: !of.Named, Whats: whats, Category: string(category), Key: want.Key}
	for _, c := range ledger.Categories {
		v.Categories = append(v.Categories, Choice{string(c), cmp.Or(categories[c], string(c))})
	}
	if len(want.Events) > 0 {
		v.What = want.Events[0]
	}
	if category != "" {
		v.What = ""
	}
	query := url.Values{}
	for name, text := range map[string]string{"what": v.What, "category": v.Category, "key": v.Key} {
		if text != "" {
			query.Set(name, text)
		}
	}
	v.Narrowed = len(query) > 0
	if want.After > 0 {
		v.First = link(of.Address, query) + "#decisions"
	}
	more := false
	for read := 0; ; {
		want.Limit = listed + 1
		if category != "" {
			want.Limit = readAtOnce
		}
		lines, err := of.Rows.LinesOfRun(ctx, want)
		if err != nil {
			return v, err
		}
		found, err := of.decided(ctx, lines)
		if err != nil {
			return v, err
		}
		for _, d := range found {
			if more = len(v.Lines) == listed; more {
				break
			}
			if want.After = d.Number; category == "" || d.Category == category {
				v.Lines = append(v.Lines, d)
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
		v.CSV = link(of.Address+"/decisions.csv", query)
	}
	if more {
		query.Set("after", strconv.FormatInt(want.After, 10))
		v.Next = link(of.Address, query) + "#decisions"
	}
	return v, nil
}

// decided returns lines of history as the viewer may see them, with the kind of reason for which those rows fail now that failed.
func (of *Of) decided(ctx context.Context, lines []ledger.HistoryLine) (all []Decision, err error) {
	var keys []string
	for _, l := range lines {
		if l.Event == string(owlatsync.Failed) {
			keys = append(keys, l.Key)
		}
	}
	var entries map[string]*ledger.Entry
	if len(keys) > 0 {
		if entries, err = of.Rows.Entries(ctx, of.Run.Sync, keys); err != nil {
			return nil, err
		}
	}
	for _, l := range lines {
		one := Decision{Number: l.Number, At: l.At, Key: of.shown(l.Key), What: l.Event, Says: text(whats, l.Event), Note: l.Note, Topic: of.Topic(l.Note)}
		if e := entries[l.Key]; e != nil && e.Failure != nil && l.Event == string(owlatsync.Failed) {
			one.Category = e.Failure.Category
			one.Why = cmp.Or(categories[one.Category], string(one.Category))
		}
		all = append(all, one)
	}
	return all, nil
}

// WriteDecisions writes the decisions that the address asks for as CSV, as they are read.
func WriteDecisions(ctx context.Context, of *Of, begin Begin) error {
	want, category, err := of.wanted()
	if err != nil {
		return err
	}
	want.Limit = readAtOnce
	var out *csvout.Writer
	for {
		lines, err := of.Rows.LinesOfRun(ctx, want)
		if err != nil {
			return err
		}
		found, err := of.decided(ctx, lines)
		if err != nil {
			return err
		}
		if out == nil {
			out = csvout.NewWriter(begin())
			out.Write("number", "at", "sync", "key", "what", "note", "category_now")
		}
		for _, d := range found {
			if want.After = d.Number; category == "" || d.Category == category {
				out.Write(strconv.FormatInt(d.Number, 10), iso(d.At), of.Run.Sync, d.Key, d.What, d.Note, string(d.Category))
			}
		}
		if err := out.Flush(); err != nil || len(lines) < want.Limit {
			return nil // it is whole, or the client has left
		}
	}
}
