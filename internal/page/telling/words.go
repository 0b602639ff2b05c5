// Package telling is what the page tells of runs: what they took, their plans in words and in samples, and how far one is that goes on, live.
// It shows nothing by itself, and decides about no viewer.
//
// The idea to know: a run that goes on is looked at once for all who look. Its snapshot is made at most once a second, and nobody who is slow
// holds up another, or the run.
package telling

import (
	"fmt"
	"strconv"
	"strings"

	"owlatsync"
	"owlatsync/internal/words"
	"owlatsync/ledger"
)

// Fact is a number, or a few words, with its name.
type Fact struct {
	Name, Text string
	More       string // what the name means, where it does not say so; empty: it does
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
		add("Requests a second", strconv.FormatFloat(float64(r.Report.Requests.Total)/took.Seconds(), 'f', 1, 64))
	}
	if r.Report.LinksEnded != "" {
		add("Unsubscribe secret", "could not be used to the end, and the run went on as without it: "+Straight(r.Report.LinksEnded))
	}
	if refused := r.Report.KeysRefused; len(refused) > 0 {
		add("API keys", "Owlat refused "+words.Places("key", refused)+" of api_keys, at all or for what needs a scope, and the others did the work, more slowly")
	}
	m := r.Report.Memberships
	add("Put on topics", Number(m.Added))
	if m.Pending > 0 {
		add("Waiting for a confirmation", Number(m.Pending))
	}
	add("Taken off topics", Number(m.Removed))
	if m.Skipped > 0 {
		add("Topics left alone", Number(m.Skipped))
	}
	if m.Unclear > 0 {
		add("Consents neither yes nor no", Number(m.Unclear))
	}
	return all
}

// meanings say what outcomes mean whose names do not say it.
var meanings = map[owlatsync.Outcome]string{
	owlatsync.Renamed: "has a new address", owlatsync.Adopted: "was in Owlat before", owlatsync.Removed: "left the source", owlatsync.Invalid: "cannot be sent",
	owlatsync.Duplicate: "another row counts instead", owlatsync.Skipped: "left alone on purpose",
}

// Outcomes counts the outcomes of the rows of a run.
func Outcomes(r *owlatsync.Report) (all []Fact) {
	if r == nil {
		return nil
	}
	for _, o := range owlatsync.Outcomes {
		if n := r.Outcomes[o]; n > 0 {
			all = append(all, Fact{string(o), Number(n), meanings[o]})
		}
	}
	return all
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

// Straight takes from a text what would turn the words around it, too. Where a text stands alone, <bdi> does that.
func Straight(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return '\ufffd'
		}
		return r
	}, text)
}

// Waits says of a run that waits for somebody, or did, how it is; empty: nothing more than its status.
func Waits(r *ledger.Run) string {
	switch sent := r.Report != nil && r.Report.Requests.Writes > 0; {
	case r.Status == ledger.StatusHeld && sent:
		return "What it sent before stays. The rest waits until somebody approves or dismisses it."
	case r.Status == ledger.StatusHeld:
		return "Nothing of it was sent. It waits until somebody approves or dismisses it."
	case r.Status == ledger.StatusDismissed:
		return "Somebody decided against its plan."
	case r.Mode == ledger.ModeReview && !r.Status.Ended():
		return "It was asked to show its plan first."
	}
	return ""
}

// Approval says what an approval does.
func Approval(r *ledger.Run) []string {
	return append(PlanOf(r), "The source is read again, and the plan is applied only if it is still the held one. What is sent to Owlat cannot be taken back: "+
		"contacts that are created and people who are put on topics set off their automations, such as welcome mails.")
}

// PlanOf tells the plan of a run in numbers.
func PlanOf(r *ledger.Run) (all []string) {
	for _, h := range r.Guards {
		all = append(all, fmt.Sprintf("Held by the guard %q: %s.", string(h.Guard), Straight(h.Reason)))
	}
	s := r.Summary
	if s == nil {
		return append(all, "The numbers of its plan are not known.")
	}
	if !r.Part.Whole() {
		all = append(all, "The run was asked for a part of the rows. These are the numbers of the whole plan, of which no more than that part is applied.")
	}
	all = append(all, fmt.Sprintf("Of %s it would create %s, change the address or the names of %s, and take %s off a topic or delete them. It would put %s on a topic and send %s and %s.",
		Counted(s.Rows, "row"), contacts(s.Creates), contacts(s.Updates), contacts(s.Removals), contacts(s.TopicAdds),
		Counted(s.Events, "event"), Counted(s.Requests, "request")))
	if n := s.Outcomes[owlatsync.Adopted] + s.MayExist; n > 0 {
		all = append(all, fmt.Sprintf("%s may be in Owlat already, and are taken over then.", contacts(n)))
	}
	return all
}

func contacts(n int) string { return Counted(n, "contact") }

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
