package consent

import (
	"fmt"
	"slices"
	"strings"

	"owlatsync/ledger"
)

// Markdown returns both tables for people, as docs/guarantees.md shows them.
func Markdown() string {
	var b strings.Builder
	b.WriteString("For each row and topic a run does what the first line says that fits:\n\n")
	b.WriteString("| the row says | the ledger has | and | a run | because |\n|---|---|---|---|---|\n")
	for _, l := range Table {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", l.Says, anyOf(l.Has), l.If, l.Does, l.Why)
	}
	b.WriteString(`
A contact that replaces a deleted one does not count as created by a sync, nor does that of somebody who was forgotten. A contact that
another sync created does not count as created for a topic on which that sync has put it, or may have, and after a known opt-out for no
topic. *Unanswered* means that a request was sent and its answer lost. *Leaves it alone* counts as a skipped membership. Where
somebody may have left since an unanswered add, the row fails, once, with the category ` + "`unsure`" + `.

When a webhook or a reading tells that a person has left a topic, the first line that fits says what follows:

`)
	b.WriteString("| the ledger has | and | from then on it has | an add that is due | because |\n|---|---|---|---|---|\n")
	for _, l := range OptOutTable {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", anyOf(l.Has), l.If, inWords(l.Becomes), l.dueAdd(), l.Why)
	}
	return b.String()
}

func anyOf(all []Recorded) string {
	if len(all) == len(All) {
		return "anything"
	}
	words := make([]string, len(all))
	for i, r := range all {
		words[i] = string(r)
	}
	return strings.Join(words, "; ")
}

// inWords returns what a yes with the state is called; empty: it stays the same.
func inWords(s ledger.MembershipState) string {
	if s == "" {
		return "the same"
	}
	return string(RecordedOf(&ledger.Membership{Consent: true, State: s}))
}

// dueAdd says what becomes of an add that is about to be sent, or sent again.
func (l OptOutLine) dueAdd() string {
	switch {
	case !slices.ContainsFunc(l.Has, func(r Recorded) bool { return r == Wanted || r == Sent || r == OptedOut }):
		return ""
	case l.Instead == "":
		return "is sent"
	case l.Instead == l.Becomes:
		return "is not sent"
	}
	return "is not sent again, and the ledger has " + inWords(l.Instead)
}
