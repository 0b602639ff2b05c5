// Package differences shows what a verification finds, as text for a person or as lines of JSON for machines.
package differences

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/internal/bar"
	"owlatsync/internal/render"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/members"
)

// shownFindings is how many differences of each kind are shown as text; JSON has all.
const shownFindings = 20

// Findings shows the differences that a comparison finds, as they come.
type Findings struct {
	to    render.To
	shown map[reconcile.FindingKind]int
}

// New returns Findings that have shown nothing yet.
func New(to render.To) *Findings {
	return &Findings{to: to, shown: make(map[reconcile.FindingKind]int)}
}

// findingJSON is what "verify --json" prints for each difference.
type findingJSON struct {
	Type      string                `json:"type"`
	Kind      reconcile.FindingKind `json:"kind"`
	Sync      string                `json:"sync,omitempty"`
	Key       string                `json:"key,omitempty"`
	ContactID string                `json:"contact_id,omitempty"`
	Email     string                `json:"email,omitempty"`
	Field     string                `json:"field,omitempty"`
	Ledger    string                `json:"ledger,omitempty"`
	Owlat     string                `json:"owlat,omitempty"` // of a twin: the id of the older contact; of a missing one: of that with its address
	Plan      any                   `json:"plan,omitempty"`  // what the next run would do
	*memberJSON
}

// memberJSON is what a finding about a membership has besides.
type memberJSON struct {
	Topic    string                 `json:"topic"`
	Name     string                 `json:"topic_name,omitempty"`
	Should   members.Should         `json:"should"`             // "on", "off" or "either"
	Recorded ledger.MembershipState `json:"recorded,omitempty"` // absent: nothing
	Is       members.Is             `json:"is"`                 // "on", "off" or "gone"
	Why      string                 `json:"why"`
}

// readingJSON comes before memberships are read.
type readingJSON struct {
	Type      string  `json:"type"`
	Contacts  int     `json:"contacts"`
	PerSecond float64 `json:"per_second,omitempty"` // at most; absent: no limit
	Seconds   float64 `json:"seconds"`              // at that pace
}

// membershipsJSON says how far memberships were read.
type membershipsJSON struct {
	Contacts   int    `json:"contacts"` // that were read
	Unread     int    `json:"unread"`   // that could not be read
	Error      string `json:"error,omitempty"`
	Departures int    `json:"departures"` // topics that people have left, as recorded now
	Due        int    `json:"due"`        // removals that are due now
}

// verifiedJSON is the last line of "verify --json".
type verifiedJSON struct {
	Type        string                        `json:"type"`
	Contacts    int                           `json:"contacts"` // contacts in Owlat
	Rows        int                           `json:"rows"`     // rows of the ledger that were compared
	Differences int                           `json:"differences"`
	Findings    map[reconcile.FindingKind]int `json:"findings"`
	Corrected   int                           `json:"corrected"`             // rows of the ledger that were corrected
	Invalid     int                           `json:"invalid"`               // rows whose people are not in Owlat because the rows are invalid
	Memberships *membershipsJSON              `json:"memberships,omitempty"` // absent: they were not read
}

// Reading says how many contacts are about to be read for their memberships, and how long that takes. As text it goes to note.
func (v *Findings) Reading(contacts int, perSecond float64, note func(format string, args ...any)) error {
	limited := !math.IsInf(perSecond, 1)
	takes := time.Duration(0)
	if limited {
		takes = time.Duration(float64(contacts) / perSecond * float64(time.Second))
	}
	if v.to.JSON {
		j := readingJSON{Type: "reading", Contacts: contacts, Seconds: takes.Seconds()}
		if limited {
			j.PerSecond = perSecond
		}
		return v.to.Line(j)
	}
	pace := ""
	if limited {
		pace = fmt.Sprintf(": %s at %.4g a second", bar.About(takes), perSecond)
	}
	note("reading the memberships of %s by links%s; --memberships=false leaves them out\n", owlatsync.Counted(contacts, "contact"), pace)
	return nil
}

// Row shows one difference.
func (v *Findings) Row(f reconcile.Finding) error {
	if v.to.JSON {
		j := findingJSON{"finding", f.Kind, f.Sync, f.Key, f.ContactID, f.Address, f.Field, f.Ledger, f.Owlat, nil, nil}
		if f.Decision != nil {
			j.Plan = render.NewRow(f.Sync, *f.Decision)
		}
		if m := f.Member; m != nil {
			j.memberJSON = &memberJSON{m.Topic, m.Name, m.Should, "", m.Is, m.Why}
			if m.Recorded != nil {
				j.Recorded = m.Recorded.State
			}
		}
		return v.to.Line(j)
	}
	if v.shown[f.Kind]++; v.shown[f.Kind] > shownFindings {
		return nil
	}
	where := "contact " + f.ContactID
	switch {
	case f.Member != nil && f.Key == "":
		where = f.Sync
	case f.Sync != "":
		where = fmt.Sprintf("%s, row %s", f.Sync, words.Printable(f.Key))
	}
	v.to.Printf("  %-8s  %s: %s\n", f.Kind, where, findingWords(f))
	return nil
}

func findingWords(f reconcile.Finding) string {
	if m := f.Member; m != nil {
		topic := m.Topic
		if m.Name != "" {
			topic += " (" + words.Printable(m.Name) + ")"
		}
		if m.Is == members.IsGone {
			return fmt.Sprintf("topic %s: %s, so %s", topic, m.Is.Words(), m.Why)
		}
		return fmt.Sprintf("topic %s: %s, %s, is %s: %s", topic, m.Should.Words(), members.RecordedWords(m.Recorded), m.Is.Words(), m.Why)
	}
	switch f.Kind {
	case reconcile.SourceAhead:
		return "the next run would " + render.Intent(*f.Decision)
	case reconcile.ChangedInOwlat, reconcile.AddressDiffers:
		return fmt.Sprintf("%s is %q in Owlat, and %q was written", f.Field, f.Owlat, f.Ledger)
	case reconcile.KeptInOwlat:
		return fmt.Sprintf("%s is %q in Owlat, and %q was written; it is kept (overwrite)", f.Field, f.Owlat, f.Ledger)
	case reconcile.MissingInOwlat:
		text := fmt.Sprintf("its contact %s (%s) is not in Owlat", f.ContactID, words.Printable(f.Address))
		if f.Owlat != "" {
			text += fmt.Sprintf("; %s has the address, so most likely the two were merged", f.Owlat)
		}
		return text
	case reconcile.TwinInOwlat:
		return fmt.Sprintf("%s is the address of the older contact %s too", words.Printable(f.Address), f.Owlat)
	case reconcile.UnknownInOwlat:
		return words.OrElse(words.Printable(f.Address), "no address") + ": no row stands for it"
	}
	return string(f.Kind)
}

// End says how much was compared and found, and what to do. With repair it does not advise one, because it follows.
func (v *Findings) End(result reconcile.Verified, repair bool, typed words.Typed) error {
	if v.to.JSON {
		return v.to.Line(verifiedJSON{"verified", result.Contacts, result.Entries, result.Differences(), result.Findings, result.Repaired, result.Invalid, newMembershipsJSON(result.Members)})
	}
	var kinds []string
	for _, kind := range reconcile.FindingKinds {
		if n := result.Findings[kind]; n > shownFindings {
			v.to.Printf("  %-8s  and %d more; --json lists all\n", kind, n-shownFindings)
		}
		if n := result.Findings[kind]; n > 0 && kind.Differs() {
			kinds = append(kinds, fmt.Sprintf("%d %s", n, kind))
		}
	}
	if len(result.Findings) > 0 {
		v.to.Printf("\n")
	}
	v.to.Printf("Compared %s of the ledger with %s in Owlat", words.Plural(result.Entries, "row"), words.Plural(result.Contacts, "contact"))
	if n := result.Findings[reconcile.UnknownInOwlat]; n > 0 {
		v.to.Printf(" (no row stands for %d of them)", n)
	}
	if n := result.Findings[reconcile.KeptInOwlat]; n > 0 {
		v.to.Printf("; %s in Owlat, and kept", words.Several(n, "value was changed", "values were changed"))
	}
	if len(kinds) == 0 {
		v.to.Printf(": no difference.\n")
		v.memberships(result)
		v.invalid(result, typed)
		return nil
	}
	v.to.Printf(": %s (%s).\n", words.Plural(result.Differences(), "difference"), strings.Join(kinds, ", "))
	v.memberships(result)
	v.invalid(result, typed)
	recorded := v.repaired(result)
	switch {
	case recorded != "":
		v.to.Printf("%s; the run follows.\n\n", recorded)
	case !repair && result.Differences() == result.Findings[reconcile.SourceAhead]:
		v.to.Printf("\"%s\" does what the source asks for; Owlat is as the ledger says.\n", typed.Command("run", ""))
	case !repair && result.Differences() > result.Findings[reconcile.TwinInOwlat]+result.Findings[reconcile.NoSuchTopic]:
		v.to.Printf("\"owlat-sync verify --repair\" corrects the ledger to what Owlat holds and runs the syncs.\n")
	}
	if !repair && result.Findings[reconcile.TwinInOwlat] > 0 {
		v.to.Printf("Of contacts with one address merge or delete in Owlat what is wrong: no run does.\n")
	}
	return nil
}

// memberships says how far memberships were read, and what of them is no difference.
func (v *Findings) memberships(result reconcile.Verified) {
	m := result.Members
	if m == nil {
		return
	}
	v.to.Printf("Read the memberships of %s", words.Plural(m.Contacts, "contact"))
	var informed []string
	for _, kind := range []struct {
		of   reconcile.FindingKind
		what string
	}{{reconcile.DueTopic, "the next run sees to it"}, {reconcile.OnTopic, "no run put them there"}, {reconcile.OffTopic, "the row says yes, and no run puts them there"}} {
		if n := result.Findings[kind.of]; n > 0 {
			informed = append(informed, fmt.Sprintf("%d %s (%s)", n, kind.of, kind.what))
		}
	}
	if len(informed) > 0 {
		v.to.Printf("; for information %s", strings.Join(informed, ", "))
	}
	v.to.Printf(". Owlat does not show who is yet to confirm (double opt-in): they count as on the topic.\n")
	if m.Unread > 0 {
		v.to.Printf("%s not read: %v\n", words.Several(m.Unread, "contact was", "contacts were"), cmp.Or(m.Ended, m.Why))
	}
}

// repaired says what a repair recorded; empty: nothing.
func (v *Findings) repaired(result reconcile.Verified) string {
	var all []string
	if n := result.Repaired; n > 0 {
		all = append(all, words.Several(n, "row", "rows")+" of the ledger corrected")
	}
	if m := result.Members; m != nil && m.Departures > 0 {
		all = append(all, words.Several(m.Departures, "departure", "departures")+" recorded")
	}
	if m := result.Members; m != nil && m.Due > 0 {
		all = append(all, words.Several(m.Due, "removal is", "removals are")+" due")
	}
	return strings.Join(all, ", ")
}

func newMembershipsJSON(m *members.Read) *membershipsJSON {
	if m == nil {
		return nil
	}
	j := &membershipsJSON{Contacts: m.Contacts, Unread: m.Unread, Departures: m.Departures, Due: m.Due}
	if err := cmp.Or(m.Ended, m.Why); err != nil {
		j.Error = err.Error()
	}
	return j
}

// invalid says how many people are missing because their rows are invalid. No run can help them.
func (v *Findings) invalid(result reconcile.Verified, typed words.Typed) {
	if result.Invalid > 0 {
		v.to.Printf("%s not in Owlat because of an invalid row; \"%s\" lists them.\n",
			words.Several(result.Invalid, "person of the source is", "people of the source are"), typed.Command("failures --kind invalid", ""))
	}
}
