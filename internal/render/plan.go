package render

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"owlatsync"
	"owlatsync/internal/bar"
	"owlatsync/internal/config"
	"owlatsync/internal/words"
	"owlatsync/reconcile"
)

// Plan shows the plan of one sync, row by row, and then in numbers.
type Plan struct {
	to     To
	sync   config.Sync
	headed bool // the name of the sync is shown
}

// NewPlan returns a Plan that has shown nothing yet.
func NewPlan(to To, sync config.Sync) *Plan { return &Plan{to: to, sync: sync} }

// Row shows what a run would do with a row.
func (p *Plan) Row(d reconcile.Decision) error {
	if p.to.JSON {
		return p.to.json(newDecisionJSON(p.sync.Name, d))
	}
	if !p.headed {
		p.headed = true
		p.to.printf("%s\n", p.sync.Name)
	}
	_, err := fmt.Fprintln(p.to.W, p.to.Typed.Complete(decisionLine(d, p.sync.Topics)))
	return err
}

// End shows the plan in numbers. rate is how many requests a second the budget allows.
func (p *Plan) End(s owlatsync.Summary, rate float64) error {
	if p.to.JSON {
		return Summary(p.to, s, p.sync)
	}
	if p.headed {
		p.to.printf("\n")
	}
	for _, line := range summaryLines(s, p.sync, rate) {
		p.to.printf("%s\n", line)
	}
	return nil
}

// Summary shows a plan in numbers as JSON.
func Summary(to To, s owlatsync.Summary, sync config.Sync) error {
	return to.json(newSummaryJSON(s, sync))
}

// summaryJSON is a plan in numbers as "plan --json" and "run --json" print it.
type summaryJSON struct {
	Type        string                     `json:"type"`
	Sync        string                     `json:"sync"`
	Rows        int                        `json:"rows"`
	Known       int                        `json:"known"`              // rows that the ledger knew before
	Absent      int                        `json:"absent"`             // known rows that the source no longer has
	Removals    int                        `json:"removals"`           // rows whose contact leaves a topic or is deleted
	Creates     int                        `json:"creates"`            // rows whose contact would be created
	TopicAdds   int                        `json:"topic_adds"`         // rows whose contact would be put on a topic
	OptOuts     int                        `json:"opt_outs,omitempty"` // known rows whose contact would be opted out of everything
	Fires       int                        `json:"fires,omitempty"`    // rows that would send an event because of what a column says
	InStep      int                        `json:"in_step"`            // known rows that were in step; with a cursor 0 if none turned
	Turned      int                        `json:"turned"`             // rows of in_step that are invalid now
	FirstRun    bool                       `json:"first_run"`
	SetBack     bool                       `json:"set_back,omitempty"` // the ledger is older than what was done
	Kept        int                        `json:"kept,omitempty"`     // values that stay as Owlat has them although rows say something else
	Looks       int                        `json:"looks,omitempty"`    // contacts to be read right before they are changed; part of requests
	Looking     *owlatsync.Looking         `json:"looking,omitempty"`  // how contacts are looked at, if they were counted
	Outcomes    map[owlatsync.Outcome]int  `json:"outcomes"`
	Memberships owlatsync.MembershipCounts `json:"memberships"`
	Events      int                        `json:"events"`
	Requests    int                        `json:"requests"`            // writes to be sent
	Lookups     int                        `json:"lookups"`             // requests to look up contacts before the plan is made
	Seconds     float64                    `json:"seconds"`             // time that they take; "plan" includes the listing and the look-ups
	Links       int                        `json:"links,omitempty"`     // memberships to read with the unsubscribe secret, beside the budget
	MayExist    *mayExistJSON              `json:"may_exist,omitempty"` // only where contacts to be created may exist
	Adoption    adoptionJSON               `json:"adoption"`
	Guards      guardsJSON                 `json:"guards"`
	Reading     *owlatsync.Reading         `json:"reading,omitempty"` // only of a sync with a cursor
}

// mayExistJSON is what a plan sends at least and at most, because contacts that it is to create may exist already and are adopted then.
type mayExistJSON struct {
	Rows    int            `json:"rows"` // whose contact may exist
	Least   owlatsync.Ends `json:"least"`
	Most    owlatsync.Ends `json:"most"`
	Seconds float64        `json:"seconds"` // that the most takes, counted like those of the plan
}

func newMayExistJSON(p owlatsync.Summary) *mayExistJSON {
	if p.MayExist == 0 {
		return nil
	}
	return &mayExistJSON{p.MayExist, p.Least, p.Most, p.Longest.Seconds()}
}

type adoptionJSON struct {
	Mode     owlatsync.AdoptionMode `json:"mode"`
	Reason   string                 `json:"reason"`
	Contacts int                    `json:"contacts"`
	Twins    int                    `json:"twins"` // addresses that several contacts have
	Requests int                    `json:"requests"`
}

type guardsJSON struct {
	Hold        []owlatsync.Hit `json:"hold"` // guards that would hold a run
	Removals    limitJSON       `json:"removals"`
	Updates     limitJSON       `json:"updates"`
	Creates     limitJSON       `json:"creates"`
	TopicAdds   limitJSON       `json:"topic_adds"`
	OptOuts     *limitJSON      `json:"opt_outs,omitempty"` // only of a sync that names who is never mailed
	Events      *limitJSON      `json:"events,omitempty"`   // only of a sync with events that depend on what columns say
	EmptySource string          `json:"empty_source"`
	FirstRun    string          `json:"first_run"`
}

type limitJSON struct {
	Share float64 `json:"share"` // 0 to 1
	Rows  int     `json:"rows"`
}

func newSummaryJSON(p owlatsync.Summary, sync config.Sync) summaryJSON {
	g := sync.Guards
	j := summaryJSON{
		Type: "plan", Sync: p.Sync, Rows: p.Rows, Known: p.Entries, Absent: p.Absent, Removals: p.Removals,
		Creates: p.Creates, TopicAdds: p.TopicAdds, OptOuts: p.OptOuts, Fires: p.Fires, InStep: p.InStep, Turned: p.Turned, FirstRun: p.FirstRun, SetBack: p.SetBack,
		Kept: p.Kept, Looks: p.Looks, Looking: p.Looking,
		Outcomes: p.Outcomes, Memberships: p.Memberships, Events: p.Events, Requests: p.Requests, Lookups: p.Lookups, Seconds: p.Duration.Seconds(),
		Links: p.Links, MayExist: newMayExistJSON(p),
		Adoption: adoptionJSON{p.Adoption.Mode, p.Adoption.Reason, p.Adoption.Contacts, p.Adoption.Twins, p.Adoption.Requests},
		Guards: guardsJSON{
			Hold: append([]owlatsync.Hit{}, g.Hits(p)...), Removals: newLimitJSON(g.Removals), Updates: newLimitJSON(g.Updates),
			Creates: newLimitJSON(g.Creates), TopicAdds: newLimitJSON(g.TopicAdds),
			EmptySource: word(g.EmptySource, "allow", "hold"), FirstRun: word(g.FirstRun, "allow", "ask"),
		},
		Reading: p.Reading,
	}
	if sync.Suppressed.Column != "" {
		j.Guards.OptOuts = new(newLimitJSON(g.OptOuts))
	}
	if sync.Watches() {
		j.Guards.Events = new(newLimitJSON(g.Events))
	}
	return j
}

func newLimitJSON(l reconcile.Limit) limitJSON {
	return limitJSON{math.Round(l.Share*1e6) / 1e6, l.Rows}
}

func word(yes bool, ifYes, ifNo string) string {
	if yes {
		return ifYes
	}
	return ifNo
}

// setBackLines say what a ledger means that is older than what was done, and what to do.
var setBackLines = []string{
	"  THE LEDGER IS OLDER THAN WHAT WAS DONE: a backup, a copy or an export took its place, or the file beside it (.age) is missing.",
	"  What runs did since is not known. A run looks first at what Owlat holds. Consents that the ledger does not know count as old: these",
	"  people are not added, because they may have left. Events that may have been sent are not sent. If you still have the latest ledger,",
	"  put it and its .age file back before a run. \"owlat-sync topic add\" adds people of whom you are sure.",
}

// summaryLines returns a plan in numbers.
func summaryLines(p owlatsync.Summary, sync config.Sync, rate float64) []string {
	lines := []string{fmt.Sprintf("%s: %s", p.Sync, words.Plural(p.Rows, "row"))}
	if p.FirstRun {
		lines[0] += ", first run"
	}
	if p.SetBack {
		lines = append(lines, setBackLines...)
	}
	add := func(name, format string, args ...any) {
		lines = append(lines, fmt.Sprintf("  %-12s %s", name, fmt.Sprintf(format, args...)))
	}
	if p.Reading != nil {
		add("reading", "%s", readingWords(p.Reading, sync.Cursor.Column))
	}
	for _, o := range owlatsync.Outcomes {
		if n := p.Outcomes[o]; n > 0 {
			add(Intention(o), "%6d%s", n, mayExist(p, o))
		}
	}
	if p.Absent > 0 {
		add("absent", "%6d of %s gone from the source (on_missing: %s)", p.Absent, words.Plural(p.Entries, "known row"), sync.OnMissing)
	}
	if p.Turned > 0 {
		add("turned", "%6d of %s in step, and invalid now", p.Turned, words.Plural(p.InStep, "row"))
	}
	if p.Removals > 0 {
		add("removals", "%6d of %s to leave a topic or be deleted", p.Removals, words.Plural(p.Entries, "known row"))
	}
	if p.Kept > 0 {
		add("kept", "%6d to stay as Owlat has them, although rows say something else (overwrite)", p.Kept)
	}
	if p.Looks > 0 {
		add("looks", "%6d of the requests read a contact right before its change: what somebody has changed in Owlat may be kept", p.Looks)
	}
	least, most := ends(p)
	m := p.Memberships
	if m.Added+m.Removed+m.Skipped+most.Added > 0 {
		add("topics", "%6s to add, %d to remove, %d left as they are", between(least.Added, most.Added), m.Removed, m.Skipped)
	}
	if m.Pending > 0 {
		add("confirm", "%6d of those to add at most wait until the person confirms (double opt-in, link valid %s)", m.Pending, confirmWithin)
	}
	if m.Unclear > 0 {
		add("unclear", "%6d neither yes nor no: nobody is added or removed because of what is unclear", m.Unclear)
	}
	if m.OptedOut > 0 {
		add("opt-outs", "%6d to opt out of everything, for good: no mail may go to them (by links, which take nothing of the key's budget)", m.OptedOut)
	}
	if p.Sought > 0 {
		add("never mail", "%6d without a contact: none is created; one that Owlat has is opted out", p.Sought)
	}
	if most.Events > 0 {
		because := ""
		if p.Fires > 0 {
			because = fmt.Sprintf(", for %s because of what they say", owlatsync.Counted(p.Fires, "row"))
		}
		add("events", "%6s to send%s", between(least.Events, most.Events), because)
	}
	asking := ""
	if p.Adoption.Requests > 0 {
		asking = fmt.Sprintf(" and %d to list the contacts", p.Adoption.Requests)
	}
	if p.Looking != nil && p.Looking.Requests > 0 {
		asking += fmt.Sprintf(" and %d to look by listing (%s)", p.Looking.Requests, p.Looking.Reason)
	}
	if p.Lookups > 0 {
		asking += fmt.Sprintf(" and %d to look contacts up", p.Lookups)
	}
	if most.Requests == 0 && (asking == "" || !p.SetBack) {
		add("requests", "%6d, there is nothing to send", 0)
	} else {
		add("requests", "%6s%s, %s at %g a second", between(least.Requests, most.Requests), asking, lasts(p), rate)
	}
	if p.Links > 0 {
		add("links", "%6d to %s, %s, beside those requests", p.Links, byLinks(p), bar.About(p.LinksLast))
	}
	if p.FirstRun && p.Adoption.Mode != owlatsync.AdoptNothing {
		lines = append(lines, "  contacts that exist already: "+p.Adoption.Reason)
	}
	if p.Adoption.Twins > 0 {
		lines = append(lines, fmt.Sprintf("  Owlat has several contacts for %s; the oldest counts, and \"owlat-sync verify\" lists them",
			words.Several(p.Adoption.Twins, "address", "addresses")))
	}
	if why := p.Spoiled(); why != "" {
		lines = append(lines, "  a run would end with exit code 3: "+why)
	}
	return append(lines, guardLines(p, sync)...)
}

// byLinks says what is done with the unsubscribe secret.
func byLinks(p owlatsync.Summary) string {
	const out, read = "opt people out of everything", "read who is on which topic"
	switch outs := p.Memberships.OptedOut + p.Sought; {
	case outs == 0:
		return read
	case p.Links > outs:
		return out + ", and to " + read
	}
	return out
}

// mayExist says how many of the rows to create may have a contact already.
func mayExist(p owlatsync.Summary, o owlatsync.Outcome) string {
	switch {
	case o != owlatsync.Created || p.MayExist == 0:
		return ""
	case p.MayExist == p.Outcomes[o]:
		return ", or adopt if it exists"
	}
	return fmt.Sprintf(", or adopt if it exists: %d of them", p.MayExist)
}

// ends returns the least and the most that a plan sends. The plans of older versions knew one number.
func ends(p owlatsync.Summary) (least, most owlatsync.Ends) {
	if p.Most == (owlatsync.Ends{}) {
		only := owlatsync.Ends{Requests: p.Requests, Added: p.Memberships.Added, Events: p.Events}
		return only, only
	}
	return p.Least, p.Most
}

// ranged returns a number, or the two ends between which it will lie, with its noun.
func ranged(least, most int, one, many string) string {
	if least == most {
		return words.Several(most, one, many)
	}
	return between(least, most) + " " + many
}

// between returns a number, or the two ends between which it will lie.
func between(least, most int) string {
	if least == most {
		return strconv.Itoa(most)
	}
	return fmt.Sprintf("%d to %d", least, most)
}

// lasts says how long the requests take at most.
func lasts(p owlatsync.Summary) string {
	if longest := bar.About(p.Longest); p.Longest > p.Duration && longest != bar.About(p.Duration) {
		return "at most " + longest
	}
	return bar.About(p.Duration)
}

// guardLines says which guards would hold a run, or else their limits.
func guardLines(p owlatsync.Summary, sync config.Sync) []string {
	g := sync.Guards
	hits := g.Hits(p)
	if len(hits) == 1 && hits[0].Guard == owlatsync.GuardFirstRun {
		return []string{"  a run asks first, or needs --yes: " + hits[0].Reason}
	}
	if len(hits) > 0 {
		lines := []string{"  a run would be HELD and change nothing until it is approved:"}
		for _, hit := range hits {
			lines = append(lines, fmt.Sprintf("    %s: %s", hit.Guard, hit.Reason))
		}
		return lines
	}
	limits := []string{"removals " + limitWords(g.Removals), "updates " + limitWords(g.Updates), "creates " + limitWords(g.Creates),
		"topic adds " + limitWords(g.TopicAdds)}
	if sync.Suppressed.Column != "" {
		limits = append(limits, "opt-outs "+limitWords(g.OptOuts))
	}
	if sync.Watches() {
		limits = append(limits, "events "+limitWords(g.Events))
	}
	if !g.EmptySource {
		limits = append(limits, "a source without rows")
	}
	return []string{"  no guard would hold a run; their limits: " + strings.Join(limits, ", ")}
}

// limitWords says a limit, or that there is none.
func limitWords(l reconcile.Limit) string {
	if l == reconcile.NoLimit {
		return "without limit"
	}
	return "over " + l.String()
}
