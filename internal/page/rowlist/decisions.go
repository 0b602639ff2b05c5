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
	"owlatsync/internal/page/fed"
	"owlatsync/internal/page/telling"
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
	NotTried   int       // rows that failed without being tried, as they had failed before; 0 also where others are asked for
	Waiting    []Untried // those of them that fail still, as far as they are looked for
}

// Decision is one thing that a run did with a row.
type Decision struct {
	Number   int64
	At       time.Time
	Key      string // empty: the viewer may not see it
	Person   string // the address of their page; empty: it is not for the viewer
	What     string
	Says     string // the same for people
	Note     string
	Category ledger.Category // why the row fails now, of one that failed
	Why      string          // the same for people
	Topic    fed.Topic       // that the note names; without a name and rows: it names none that is known
}

// whats are the words of the history, in the order in which a run does such things.
var whats = []Choice{
	{"created", "created the contact"}, {"exported", "wrote to a file for Owlat's importer"}, {"adopted", "took over a contact that was in Owlat"}, {"updated", "changed the contact"},
	{"topic added", "put on a topic"}, {"topic found", "found on a topic"}, {"topic removed", "taken off a topic"}, {"topic left", "found to have left a topic"}, {"topic left alone", "left a topic as it is"}, {"topic unsure", "not known whether on a topic"},
	{"event sent", "sent an event"}, {"event unknown", "not known whether an event arrived"}, {"event left out", "left out an event"},
	{ledger.EventKept, "left values as Owlat has them"}, {string(owlatsync.Skipped), "left as it is"},
	{"deleted", "deleted the contact"}, {"gone", "found the contact deleted in Owlat"}, {ledger.EventRowLeft, "found that the row has left the source"}, {ledger.EventOptedOut, "opted the person out of everything"}, {"merged", "found the contact merged into another"}, {"found", "found the contact in Owlat"}, {"failed", "failed"},
}

// categories are the kinds of reasons that owlat-sync knows, for people.
var categories = map[ledger.Category]string{
	ledger.CategoryNetwork: "Owlat could not be reached", ledger.CategoryTimeout: "no answer in time", ledger.CategoryAnswer: "an answer that cannot be understood",
	ledger.CategoryInterrupted: "the run ended meanwhile", ledger.CategoryRoute: "what answers is not Owlat", ledger.CategoryDrift: "Owlat refuses an address that no contact has",
	ledger.CategoryTaken: "another contact has the address", ledger.CategoryExchange: "rows exchange addresses", ledger.CategoryAddress: "the contact has another address than was sent",
	ledger.CategoryTopic: "Owlat does not have the topic", ledger.CategoryUnsure: "not known whether on a topic", ledger.CategoryUnconfirmed: "Owlat sends no second mail to confirm",
	ledger.CategoryEvent: "not known whether an event arrived", ledger.CategoryLedger: "it could not be recorded", ledger.CategorySource: "the row cannot be sent, or another one counts",
	ledger.CategoryWaiting: "it failed before and waits", ledger.CategoryGone: "the contact was deleted in Owlat", ledger.CategoryNotImported: "exported for import, and not in Owlat", ledger.CategoryKept: "the contact of a row that left is kept",
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
	v = Decisions{Hidden: !of.Named, Category: string(category), Key: want.Key}
	if len(want.Events) > 0 {
		v.What = want.Events[0]
	}
	if category != "" {
		v.What = ""
	}
	if v.Whats, v.Categories, err = of.choices(ctx, v.What, category); err != nil {
		return v, err
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
				d.Person = of.person(d.Key)
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
	if v.First == "" && (v.What == "" || v.What == string(owlatsync.Failed)) {
		err = of.notTried(&v)
	}
	return v, err
}

// Offers reports whether the list may be narrowed down to what a word of the history says.
func (v *Decisions) Offers(what string) bool {
	return slices.ContainsFunc(v.Whats, func(c Choice) bool { return c.Value == what })
}

// lookedAt is among how many rows those are looked for that a run did not try.
const lookedAt = 3000

// notTried adds the rows that failed in the run without being tried. The ledger has no lines of them: they are those that failed before it, and do so still.
func (of *Of) notTried(v *Decisions) error {
	if v.NotTried = telling.Waited(of.Run); v.NotTried == 0 || of.Open == nil {
		return nil
	}
	looked := 0
	for e, err := range of.Open() {
		if err != nil {
			return err
		}
		if looked++; looked > lookedAt || len(v.Waiting) == listed {
			return nil
		}
		f := e.Failure
		if f == nil || !f.First.Before(of.Run.Started) || v.Key != "" && e.Key != v.Key || v.Category != "" && string(f.Category) != v.Category ||
			slices.ContainsFunc(v.Lines, func(d Decision) bool { return d.What == string(owlatsync.Failed) && d.Key == e.Key }) {
			continue
		}
		w := Untried{Key: of.shown(e.Key), Person: of.person(e.Key), Reason: f.Reason, Parked: f.Parked}
		if !f.Parked {
			w.Next = f.NextTry
		}
		v.Waiting = append(v.Waiting, w)
	}
	return nil
}

// Untried is a row that a run did not try.
type Untried struct {
	Key    string // empty: the viewer may not see it
	Person string // the address of their page; empty: it is not for the viewer
	Reason string
	Next   time.Time // when it is tried at the earliest; zero: that is not known
	Parked bool      // no run tries it again until it changes
}

// choices lists what a run did and for which kinds of reasons rows of it fail now, with what was asked for. Of a run that did more than is looked at, it lists all that it
// may have.
func (of *Of) choices(ctx context.Context, asked string, category ledger.Category) (does, reasons []Choice, err error) {
	did, failing, all, err := of.look(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range whats {
		n, counted := of.count(c.Value)
		if did[c.Value] || c.Value == asked || !all && (n > 0 || !counted) {
			does = append(does, c)
		}
	}
	if n, counted := of.count(string(owlatsync.Failed)); !all && counted && n == 0 {
		all = true
	} else if !all {
		if _, failing, all, err = of.look(ctx, string(owlatsync.Failed)); err != nil {
			return nil, nil, err
		}
	}
	for _, c := range ledger.Categories {
		if failing[c] || c == category || !all {
			reasons = append(reasons, Choice{string(c), cmp.Or(categories[c], string(c))})
		}
	}
	return does, reasons, nil
}

// look returns what the first lines of a run are, with one of these events or any, and for which kinds of reasons their rows fail now. All says that there are no more lines.
func (of *Of) look(ctx context.Context, events ...string) (did map[string]bool, failing map[ledger.Category]bool, all bool, err error) {
	lines, err := of.Rows.LinesOfRun(ctx, ledger.RunLines{Run: of.Run.ID, Events: events, Limit: readAtOnce})
	if err != nil {
		return nil, nil, false, err
	}
	now, err := of.failing(ctx, lines)
	if err != nil {
		return nil, nil, false, err
	}
	did, failing = make(map[string]bool), make(map[ledger.Category]bool)
	for i := range lines {
		did[lines[i].Event] = true
		failing[now(&lines[i])] = true
	}
	return did, failing, len(lines) < readAtOnce, nil
}

// count returns how many rows became what a word of the history says, where the report of the run counts them.
func (of *Of) count(event string) (n int, counted bool) {
	switch o := owlatsync.Outcome(event); o {
	case owlatsync.Created, owlatsync.Adopted, owlatsync.Failed:
		if of.Run.Report != nil {
			return of.Run.Report.Outcomes[o], true
		}
	}
	return 0, false
}

// failing returns a function that says for which kind of reason the row of a line that says that it failed fails now; empty: for none.
func (of *Of) failing(ctx context.Context, lines []ledger.HistoryLine) (why func(*ledger.HistoryLine) ledger.Category, err error) {
	var keys []string
	for _, l := range lines {
		if l.Event == string(owlatsync.Failed) {
			keys = append(keys, l.Key)
		}
	}
	var entries map[string]*ledger.Entry
	if len(keys) > 0 {
		entries, err = of.Rows.Entries(ctx, of.Run.Sync, keys)
	}
	return func(l *ledger.HistoryLine) ledger.Category {
		if e := entries[l.Key]; e != nil && e.Failure != nil && l.Event == string(owlatsync.Failed) {
			return e.Failure.Category
		}
		return ""
	}, err
}

// decided returns lines of history as the viewer may see them, with the kind of reason for which those rows fail now that failed.
func (of *Of) decided(ctx context.Context, lines []ledger.HistoryLine) (all []Decision, err error) {
	failing, err := of.failing(ctx, lines)
	if err != nil {
		return nil, err
	}
	for i, l := range lines {
		one := Decision{
			Number: l.Number, At: l.At, Key: of.shown(l.Key), What: l.Event, Says: text(whats, l.Event), Note: l.Note, Topic: of.Topic(l.Note),
			Category: failing(&lines[i]),
		}
		if one.Category != "" {
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
