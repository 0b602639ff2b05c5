// Package telling is what the page tells of runs: what they took, their plans in words and in samples, and how far one is that goes on, live.
// It shows nothing by itself, and decides about no viewer.
//
// The idea to know: a run that goes on is looked at once for all who look. Its snapshot is made at most once a second, and nobody who is slow
// holds up another, or the run.
package telling

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"owlatsync"
	"owlatsync/internal/words"
	"owlatsync/ledger"
)

// Fact is a number, or a few words, with its name.
type Fact struct {
	Name, Text string
	More       string // what the name means, where it does not say so; empty: it does
	List       string // what lists it, behind the address of the run; empty: nothing does
}

// Facts says what a run was asked for and what it took.
func Facts(r *ledger.Run) (all []Fact) {
	add := func(name, text string) { all = append(all, Fact{Name: name, Text: text}) }
	if !r.Part.Whole() {
		if n := len(r.Part.Only); n > 0 {
			add("Asked for", Counted(n, "row"))
		} else {
			add("Asked for", "at most "+Counted(r.Part.Limit, "row"))
		}
	}
	if r.Full {
		add("Asked for", "all rows, and what was changed in Owlat")
	}
	if r.Report == nil {
		return all
	}
	add("Rows read", Number(r.Report.Rows))
	if reading := r.Report.Reading; reading != nil {
		add("Reading", map[owlatsync.ReadingMode]string{owlatsync.ReadAll: "all rows", owlatsync.ReadChanges: "changed rows", owlatsync.ReadKeys: "rows by their keys"}[reading.Mode])
	}
	add("Requests", Number(r.Report.Requests.Total))
	add("Requests that changed something", Number(r.Report.Requests.Writes))
	if n := r.Report.Requests.RateLimited; n > 0 {
		add("Refused, because too many came at once", Number(n))
	}
	if took := r.Finished.Sub(r.Started); !r.Finished.IsZero() && took > 0 && r.Report.Requests.Total > 0 {
		add("Requests a second", perSecond(r.Report.Requests.Total, took))
	}
	if r.Report.LinksEnded != "" {
		add("Unsubscribe secret", "could not be used to the end, and the run went on as without it: "+Straight(r.Report.LinksEnded))
	}
	if refused := r.Report.KeysRefused; len(refused) > 0 {
		add("API keys", "Owlat refused "+words.Places("key", refused)+" of api_keys, at all or for what needs a scope, and the others did the work, more slowly")
	}
	if n := r.Report.Kept; n > 0 {
		add("Values kept as Owlat has them", Number(n))
	}
	all = append(all, consents(r)...)
	if e := r.Report.Events; e != (owlatsync.EventCounts{}) {
		add("Events sent", Number(e.Sent))
		if e.Unknown > 0 {
			add("Events that perhaps arrived", Number(e.Unknown))
		}
		if e.LeftOut > 0 {
			add("Events left out, because nobody was to get them", Number(e.LeftOut))
		}
	}
	return all
}

// consents says what a run did with memberships. A person may be on several topics, so each number has its unit.
func consents(r *ledger.Run) (all []Fact) {
	add := func(name, text string) { all = append(all, Fact{Name: name, Text: text}) }
	m := r.Report.Memberships
	add("Put on topics", memberships(m.Added))
	if m.Pending > 0 {
		add("Waiting for a confirmation", Number(m.Pending))
	}
	all = append(all, Fact{Name: "Taken off topics", Text: memberships(m.Removed), More: notTaken(r)})
	if m.Skipped > 0 {
		add("Left as they are on topics", memberships(m.Skipped))
	}
	if m.Unclear > 0 {
		add("Consents that say neither yes nor no", Number(m.Unclear))
	}
	return all
}

// notTaken says why a run took fewer memberships away than it planned; empty: it did not, or goes on.
func notTaken(r *ledger.Run) string {
	s := r.Summary
	if s == nil || !r.Status.Ended() && r.Status != ledger.StatusHeld || s.Memberships.Removed <= r.Report.Memberships.Removed {
		return ""
	}
	rest := s.Memberships.Removed - r.Report.Memberships.Removed
	switch {
	case r.Status == ledger.StatusHeld && r.Report.Memberships.Removed == 0:
		return Number(rest) + " planned, none applied: " + verb(rest, "it waits", "they wait") + " for approval"
	case r.Status == ledger.StatusHeld:
		return Number(rest) + " more planned: " + verb(rest, "it waits", "they wait") + " for approval"
	case len(r.Guards) > 0:
		return Number(rest) + " planned that this run did not apply, because it was held"
	case carriedOut(r):
		return Number(s.Memberships.Removed) + " planned, all carried out: Owlat had the other " + Number(rest) + " on the topic no more"
	}
	if put := PutOff(r); put > 0 {
		return Number(s.Memberships.Removed) + " planned; put off for " + Counted(put, "row") + " that left the source, because a request failed"
	}
	return Number(s.Memberships.Removed) + " planned: the others were not carried out, or Owlat had them on the topic no more"
}

// carriedOut reports whether a run has done all that it planned, as its numbers show.
func carriedOut(r *ledger.Run) bool {
	return r.Status == ledger.StatusOK && r.Part.Whole() && r.Report.Outcomes[owlatsync.Skipped] <= r.Summary.Outcomes[owlatsync.Skipped] &&
		r.Report.Outcomes[owlatsync.Removed] >= r.Summary.Outcomes[owlatsync.Removed]
}

// meanings say what outcomes mean whose names do not say it.
var meanings = map[owlatsync.Outcome]string{
	owlatsync.Updated: "names or topics changed", owlatsync.Renamed: "has a new address", owlatsync.Adopted: "was in Owlat before", owlatsync.Removed: "left the source", owlatsync.Invalid: "cannot be sent",
	owlatsync.Duplicate: "another row counts instead", owlatsync.Skipped: "left alone on purpose",
}

// decisions is where the page of a run lists what it did.
const decisions = "#decisions"

// lists are where the rows with an outcome are listed.
var lists = map[owlatsync.Outcome]string{
	owlatsync.Created: "?what=created" + decisions, owlatsync.Updated: decisions, owlatsync.Renamed: decisions, owlatsync.Adopted: "?what=adopted" + decisions,
	owlatsync.Removed: decisions, owlatsync.Failed: "?what=failed" + decisions, owlatsync.Invalid: "#unsendable", owlatsync.Duplicate: "#unsendable",
	owlatsync.Skipped: "?what=skipped" + decisions,
}

// Outcomes counts the outcomes of the rows of a run. Rows for which it did not do what it planned are told apart from those that are left alone on purpose.
func Outcomes(r *ledger.Run) (all []Fact) {
	if r.Report == nil {
		return nil
	}
	for _, o := range owlatsync.Outcomes {
		n := r.Report.Outcomes[o]
		if o == owlatsync.Skipped && r.Summary != nil {
			if left := undone(r); left.Name != "" && n > r.Summary.Outcomes[o] {
				left.Text = Number(n - r.Summary.Outcomes[o])
				all, n = append(all, left), r.Summary.Outcomes[o]
			}
			if put := PutOff(r); put > 0 {
				all = append(all, Fact{Name: "removal put off", Text: Number(put), More: "left the source; nothing is removed in a run in which a request failed, nor what another row has now"})
				n -= put
			}
		}
		if n > 0 {
			f := Fact{string(o), Number(n), meanings[o], lists[o]}
			if waited := Waited(r); o == owlatsync.Failed && waited > 0 {
				f.More = Number(waited) + " of them not tried: " + verb(waited, "it failed before, and waits", "they failed before, and wait")
			}
			all = append(all, f)
		}
	}
	if n := gone(r); n > 0 {
		left := Fact{Name: "gone from the source", Text: Number(n), More: "this run did nothing for them"}
		if r.Status == ledger.StatusHeld {
			left.More, left.List = "what is to be done for them waits for approval", "/plan"
		}
		all = append(all, left)
	}
	return all
}

// Waited counts the rows that failed in a run without being tried, because they had failed before.
func Waited(r *ledger.Run) int {
	if r.Report == nil || r.Summary == nil {
		return 0
	}
	return min(r.Report.Outcomes[owlatsync.Failed], r.Summary.Outcomes[owlatsync.Failed])
}

// PutOff counts the rows that left the source and for which a run did nothing although it planned to, because something else in it failed.
func PutOff(r *ledger.Run) int {
	if r.Report == nil || r.Summary == nil || r.Status != ledger.StatusFailedRows || !r.Part.Whole() {
		return 0
	}
	left := func(o owlatsync.Outcome) int { return r.Summary.Outcomes[o] - r.Report.Outcomes[o] }
	return max(0, min(left(owlatsync.Removed), -left(owlatsync.Skipped)))
}

// gone counts the rows that left the source and whose removal a guard holds, or held: the outcomes of a run do not have them.
func gone(r *ledger.Run) int {
	if r.Summary == nil || len(r.Guards) == 0 {
		return 0
	}
	return max(0, r.Summary.Outcomes[owlatsync.Removed]-r.Report.Outcomes[owlatsync.Removed])
}

// Held counts the rows for which a held run would do something once it is approved.
func Held(r *ledger.Run) int {
	if r.Report == nil || r.Summary == nil {
		return 0
	}
	return max(0, r.Report.Outcomes[owlatsync.Skipped]-r.Summary.Outcomes[owlatsync.Skipped]) + gone(r)
}

// undone says why a run did not do all that it planned; without a name: it did, or goes on.
func undone(r *ledger.Run) Fact {
	switch {
	case r.Status == ledger.StatusHeld:
		return Fact{Name: "waiting for approval", More: "nothing is done for them yet", List: "/plan"}
	case len(r.Guards) > 0:
		return Fact{Name: "waited for approval", More: "this run did nothing for them"}
	case r.Status.Ended() && r.Status != ledger.StatusOK && r.Status != ledger.StatusFailedRows:
		return Fact{Name: "not reached", More: "the run ended before it did anything for them"}
	}
	return Fact{}
}

// Number returns a number with separators.
func Number(n int) string {
	digits := strconv.Itoa(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// Rate returns a number with separators, and with what stands behind its point.
func Rate(v float64) string { return separated(strconv.FormatFloat(v, 'f', -1, 64)) }

// Took says how long something took.
func Took(d time.Duration) string {
	const tenth = 100 * time.Millisecond
	switch d = d.Round(tenth); {
	case d < tenth:
		return "under 0.1s"
	case d < time.Second:
		return fmt.Sprintf("0.%ds", d/tenth)
	}
	return d.String()
}

// perSecond returns how many a second something was, with one digit behind the point.
func perSecond(n int, took time.Duration) string {
	return separated(strconv.FormatFloat(float64(n)/took.Seconds(), 'f', 1, 64))
}

func separated(number string) string {
	whole, rest, broken := strings.Cut(number, ".")
	if n, err := strconv.Atoi(whole); err == nil {
		whole = Number(n)
	}
	if broken {
		whole += "." + rest
	}
	return whole
}

// Straight takes from a text what would turn the words around it, too. Where a text stands alone, <bdi> does that.
func Straight(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return '\ufffd'
		}
		return r
	}, text)
}

// Sentence makes an error a sentence, in which nothing turns the words around it.
func Sentence(text string) string {
	if text == "" {
		return ""
	}
	text = Straight(text)
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:] + "."
}

// Waits says of a run that waits for somebody, or did, how it is; empty: nothing more than its status.
func Waits(r *ledger.Run) string {
	switch sent := r.Report != nil && r.Report.Requests.Writes > 0; {
	case r.Status == ledger.StatusHeld && sent:
		return "What it sent before stays. The rest waits until somebody approves or dismisses it."
	case r.Status == ledger.StatusHeld:
		return "Nothing of it was sent. It waits until somebody approves or dismisses it."
	case r.Mode == ledger.ModeReview && !r.Status.Ended():
		return "It was asked to show its plan first."
	}
	return ""
}

// Approval says what an approval does. Deletes says that the plan deletes contacts.
func Approval(r *ledger.Run, deletes bool) []string {
	all := append(PlanOf(r, deletes), "The source is read again, and the plan is applied only if it is still the held one. What is sent to Owlat cannot be taken back.")
	if s := r.Summary; s == nil || s.Creates+s.TopicAdds > 0 {
		all = append(all, "Contacts that are created and people who are put on topics set off their automations, such as welcome mails.")
	}
	return all
}

// AskedFor is what is said of a plan that somebody asked to see, and that no guard holds.
const AskedFor = "Somebody asked to see this plan before anything is sent."

// Asked reports whether a run is held only because somebody asked to see its plan.
func Asked(r *ledger.Run) bool {
	return len(r.Guards) > 0 && !slices.ContainsFunc(r.Guards, func(h owlatsync.Hit) bool { return h.Guard != owlatsync.GuardReview })
}

// PlanOf tells the plan of a run in numbers. Deletes says that it deletes contacts.
func PlanOf(r *ledger.Run, deletes bool) (all []string) {
	for _, h := range r.Guards {
		if h.Guard == owlatsync.GuardReview {
			all = append(all, AskedFor)
			continue
		}
		all = append(all, fmt.Sprintf("Held by the guard %q: %s.", string(h.Guard), Straight(h.Reason)))
	}
	s := r.Summary
	if s == nil {
		return append(all, "The numbers of its plan are not known.")
	}
	if !r.Part.Whole() {
		all = append(all, "The run was asked for a part of the rows. These are the numbers of the whole plan, of which no more than that part is applied.")
	}
	of := Counted(s.Rows, "row")
	if n := s.Outcomes[owlatsync.Removed]; n > 0 {
		of += " in the source and " + Number(n) + " that " + verb(n, "is", "are") + " not in it any more"
	}
	all = append(all, fmt.Sprintf("Of %s it would %s.", of, series(deeds(s, deletes))))
	if n := s.Outcomes[owlatsync.Adopted] + s.MayExist; n > 0 {
		all = append(all, fmt.Sprintf("%s may be in Owlat already, and %s taken over then.", contacts(n), verb(n, "is", "are")))
	}
	return all
}

// deeds says what a plan would do, without what it would not.
func deeds(s *owlatsync.Summary, deletes bool) (all []string) {
	add := func(n int, text string) {
		if n > 0 {
			all = append(all, text)
		}
	}
	add(s.Creates, "create "+contacts(s.Creates))
	add(s.Updates, "change the address or the names of "+contacts(s.Updates))
	add(s.TopicAdds, "put "+contacts(s.TopicAdds)+" on a topic")
	off := "take " + contacts(s.Removals) + " off a topic"
	switch taken := s.Memberships.Removed; {
	case deletes && taken == 0:
		off = "delete " + contacts(s.Removals)
	case deletes:
		off += " (" + memberships(taken) + " in all) or delete " + verb(s.Removals, "it", "them")
	case taken > s.Removals:
		off += " (" + memberships(taken) + " in all)"
	}
	add(s.Removals, off)
	add(s.OptOuts+s.Sought, "opt "+contacts(s.OptOuts+s.Sought)+" out of everything")
	add(s.Events, "send "+Counted(s.Events, "event"))
	add(s.Requests, "need "+Counted(s.Requests, "request"))
	return all
}

// series joins what is done to a part of a sentence.
func series(deeds []string) string {
	switch n := len(deeds); n {
	case 0:
		return "change nothing"
	case 1:
		return deeds[0]
	default:
		return strings.Join(deeds[:n-1], ", ") + " and " + deeds[n-1]
	}
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func contacts(n int) string    { return Counted(n, "contact") }
func memberships(n int) string { return Counted(n, "membership") }

// Counted is owlatsync.Counted with separators.
func Counted(n int, noun string) string {
	return strings.Replace(owlatsync.Counted(n, noun), strconv.Itoa(n), Number(n), 1)
}

// Cancellation says what a cancellation does.
func Cancellation(r *ledger.Run) []string {
	if r.Status == ledger.StatusQueued {
		return []string{"The run has not begun. It is taken back, and nothing of it is done."}
	}
	all := []string{"The run finishes what is in flight, and ends. What it has done stays, and the next run takes up the rest."}
	if r.Report != nil && r.Report.Requests.Writes > 0 {
		all = append(all, fmt.Sprintf("So far it has sent %s that changed something.", Counted(r.Report.Requests.Writes, "request")))
	}
	if r.Approves != 0 {
		all = append(all, fmt.Sprintf("It applies the plan of run %d, which stays held then; approve that again to go on.", r.Approves))
	}
	return all
}
