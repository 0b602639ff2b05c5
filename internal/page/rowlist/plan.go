package rowlist

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/internal/api"
	"owlatsync/internal/csvout"
	"owlatsync/internal/page/telling"
	"owlatsync/ledger"
	"owlatsync/reconcile/kept"
	"owlatsync/reconcile/step"
)

// Plan is a part of the plan of a held run, in the order in which it would be applied.
type Plan struct {
	Steps    []Step
	Hidden   bool   // keys are not for the viewer
	Whole    bool   // the viewer may see addresses
	Kind     string // only steps with such a change; empty: all
	Kinds    []Choice
	Key      string
	Next     string // where more are; empty: nowhere
	First    string // where the first are, if these are later ones
	CSV      string // where the list is as a file
	Narrowed bool
}

// Step is what would be done for a row.
type Step struct {
	Key     string // empty: the viewer may not see it
	Address string // of whoever the row is about; empty: the viewer may not see it
	Person  string // the address of their page; empty: it is not for the viewer
	Says    string
	Topics  string // the ids of topics that Says calls by their names; empty: it calls none so
	Reason  string // what is expected to go wrong; empty: nothing
	Why     string // why it would be done, where the topics do not say it; empty: they do
}

// kinds are the kinds of changes in the order in which people look for them.
var kinds = []Choice{
	{string(owlatsync.CreateContact), "creates a contact"}, {string(owlatsync.AdoptContact), "takes over a contact that is in Owlat already"}, {string(owlatsync.RenameContact), "changes an address"},
	{string(owlatsync.SetField), "changes a name"}, {string(owlatsync.AddTopic), "puts on a topic"}, {string(owlatsync.RemoveTopic), "takes off a topic"}, {string(owlatsync.OptOut), "opts out of everything"},
	{string(owlatsync.DeleteContact), "deletes a contact"}, {string(kept.Events), "sends an event"},
}

// atMost are the kinds of changes of which the sums of a plan say only how many there are at most.
var atMost = []owlatsync.ChangeKind{owlatsync.AdoptContact, owlatsync.SetField, owlatsync.OptOut, owlatsync.DeleteContact}

// kindsIn lists the kinds of changes that a plan has, and the one that was asked for. Without sums it lists all. Those
// of which the sums do not know that are looked for in it.
func (of *Of) kindsIn(ctx context.Context, asked string) (all []Choice, err error) {
	s := of.Run.Summary
	if s == nil {
		return kinds, nil
	}
	has := map[string]int{
		string(owlatsync.CreateContact): s.Outcomes[owlatsync.Created], string(owlatsync.AdoptContact): s.Outcomes[owlatsync.Adopted] + s.MayExist,
		string(owlatsync.RenameContact): s.Outcomes[owlatsync.Renamed], string(owlatsync.SetField): s.Updates + s.Outcomes[owlatsync.Created] + s.Outcomes[owlatsync.Adopted],
		string(owlatsync.AddTopic): s.Memberships.Added, string(owlatsync.RemoveTopic): s.Memberships.Removed, string(owlatsync.OptOut): s.Memberships.OptedOut + s.Sought,
		string(owlatsync.DeleteContact): s.Outcomes[owlatsync.Removed], string(kept.Events): s.Events,
	}
	for _, c := range kinds {
		there := has[c.Value] > 0
		if kind := owlatsync.ChangeKind(c.Value); there && c.Value != asked && slices.Contains(atMost, kind) {
			if there, err = of.Plans(ctx, kind); err != nil {
				return nil, err
			}
		}
		if there || c.Value == asked {
			all = append(all, c)
		}
	}
	return all, nil
}

// Plans reports whether the plan of the run has a change of a kind, as far as it is looked through: it may have one where it is longer than that.
func (of *Of) Plans(ctx context.Context, kind owlatsync.ChangeKind) (bool, error) {
	found, err := kept.List(ctx, of.Rows, kept.Want{Run: of.Run.ID, Kind: kind, Limit: 1})
	return len(found.Steps) > 0 || found.More, err
}

// planned returns which steps the address asks for.
func (of *Of) planned() (want kept.Want, err error) {
	want.Run = of.Run.ID
	if kind := of.Query.Get("kind"); slices.ContainsFunc(kinds, func(c Choice) bool { return c.Value == kind }) {
		want.Kind = owlatsync.ChangeKind(kind)
	}
	if want.Key, err = of.key(); err != nil {
		return want, err
	}
	if address, bad := owlatsync.NormalizeAddress(want.Key); bad == nil && of.Whole {
		want.Key, want.Address = "", address
	}
	var at ledger.PlanPlace
	if n, bad := fmt.Sscanf(of.Query.Get("after"), "%d.%d.%d", &at.Phase, &at.Order, &at.Number); n == 3 && bad == nil && at.Phase > 0 {
		want.After = at
	}
	return want, nil
}

// ListPlan returns the part of the plan that the address asks for. It must have been kept by this version of the program.
func ListPlan(ctx context.Context, of *Of) (v Plan, err error) {
	want, err := of.planned()
	if err != nil {
		return v, err
	}
	v = Plan{Hidden: !of.Named, Whole: of.Whole, Kind: string(want.Kind), Key: of.Query.Get("key")}
	if v.Kinds, err = of.kindsIn(ctx, v.Kind); err != nil {
		return v, err
	}
	query := url.Values{}
	for name, text := range map[string]string{"kind": v.Kind, "key": v.Key} {
		if text != "" {
			query.Set(name, text)
		}
	}
	v.Narrowed = len(query) > 0
	v.CSV = link(of.Address+".csv", query)
	if want.After != (ledger.PlanPlace{}) {
		v.First = link(of.Address, query)
	}
	want.Limit = listed
	found, err := kept.List(ctx, of.Rows, want)
	if err != nil {
		return v, err
	}
	for _, d := range found.Steps {
		v.Steps = append(v.Steps, of.step(d))
	}
	if found.More {
		query.Set("after", fmt.Sprintf("%d.%d.%d", found.Last.Phase, found.Last.Order, found.Last.Number))
		v.Next = link(of.Address, query)
	}
	return v, nil
}

// longest is how much a page shows of what would be done for one row, in characters. The file has all of it.
const longest = 400

// step returns a step as the viewer may see it.
func (of *Of) step(d step.Decision) Step {
	s := Step{Key: of.shown(d.Key), Person: of.person(d.Key), Says: clip(telling.Changes(d, of.Whole, of.words)), Reason: of.reason(d), Why: of.why(d)}
	if of.Whole {
		s.Address = d.Address()
	}
	var named []string
	for _, c := range d.Changes {
		if t := of.Topic(c.Topic); t.Name != "" && !slices.Contains(named, t.Cited()) {
			named = append(named, t.Cited())
		}
	}
	s.Topics = strings.Join(named, ", ")
	return s
}

// reason returns what is expected to go wrong: it may name another row by its key.
func (of *Of) reason(d step.Decision) string {
	if !of.Named {
		return ""
	}
	return d.Reason
}

// why says why something would be done for a row that has left the source.
func (of *Of) why(d step.Decision) string {
	switch {
	case !telling.Gone(d):
		return ""
	case of.OnMissing == "":
		return "the row is not in the source any more"
	}
	return "the row is not in the source any more; on_missing: " + of.OnMissing
}

func clip(text string) string {
	if len(text) <= longest {
		return text
	}
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}

// WritePlan writes the steps that the address asks for as CSV, as they are read.
func WritePlan(ctx context.Context, of *Of, begin Begin) error {
	want, err := of.planned()
	if err != nil {
		return err
	}
	want.After, want.Limit = ledger.PlanPlace{}, readAtOnce
	var out *csvout.Writer
	for {
		found, err := kept.List(ctx, of.Rows, want)
		if err != nil {
			return err
		}
		if out == nil {
			out = csvout.NewWriter(begin())
			out.Write("sync", "key", "address", "kinds", "changes", "expected_trouble", "why")
		}
		for _, d := range found.Steps {
			address := ""
			if of.Whole {
				address = d.Address()
			}
			out.Write(of.Run.Sync, of.shown(d.Key), address, strings.Join(kindsOf(d), " "), telling.Changes(d, of.Whole, of.cited), of.reason(d), of.why(d))
		}
		if err := out.Flush(); err != nil || !found.More {
			return nil // it is whole, or the client has left
		}
		want.After = found.Last
	}
}

// Waiting is what the plan of a held run would do for a row of a person.
type Waiting struct {
	Run  int64
	Sync string
	Says string
}

// waitingMost is how much of one plan is told of one person.
const waitingMost = 10

// WaitingFor returns what the plans of held runs of a sync would do for the rows with the keys and for an address; empty: for none.
func WaitingFor(ctx context.Context, rows api.Decisions, sync string, keys []string, address string, topic telling.Topic) (all []Waiting, err error) {
	held, err := rows.HeldRuns(ctx, sync)
	if err != nil {
		return nil, err
	}
	for i := range held {
		if held[i].PlanForm != step.Form {
			continue
		}
		var wants []kept.Want
		for _, key := range keys {
			wants = append(wants, kept.Want{Key: key})
		}
		if address != "" {
			wants = append(wants, kept.Want{Address: address})
		}
		seen := make(map[string]bool)
		for _, want := range wants {
			want.Run, want.Limit = held[i].ID, waitingMost
			found, err := kept.List(ctx, rows, want)
			if err != nil {
				return nil, err
			}
			for _, d := range found.Steps {
				if !seen[d.Key] {
					all = append(all, Waiting{held[i].ID, sync, clip(telling.Changes(d, true, topic))})
				}
				seen[d.Key] = true
			}
		}
	}
	return all, nil
}

// kindsOf lists the kinds of changes of a step.
func kindsOf(d step.Decision) (all []string) {
	for _, c := range kinds {
		if kept.Has(d, owlatsync.ChangeKind(c.Value)) {
			all = append(all, c.Value)
		}
	}
	return all
}

// Samples returns a few rows of each kind of change in the plan of a held run; none of a plan that another version of the program kept.
func Samples(ctx context.Context, of *Of) (all []telling.Sample, err error) {
	if of.Run.PlanForm != step.Form {
		return nil, nil
	}
	for d, err := range kept.Samples(ctx, of.Rows, of.Run.ID) {
		if err != nil {
			return nil, err
		}
		row := telling.SampleRow{Key: of.shown(d.Key), Person: of.person(d.Key), Text: telling.Changes(d, of.Whole, of.words)}
		if why := of.why(d); why != "" {
			row.Text += " (" + why + ")"
		}
		all = telling.Add(all, d, row)
	}
	return all, nil
}
