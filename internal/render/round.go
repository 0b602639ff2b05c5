package render

import (
	"fmt"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/reconcile/rounds"
)

// roundJSON is what is known of rounds that look for people who have left.
type roundJSON struct {
	Type     string                  `json:"type"` // "round"
	Whole    bool                    `json:"whole"`
	Began    time.Time               `json:"began,omitzero"` // of the latest round that came to its end
	Ended    time.Time               `json:"ended,omitzero"`
	Read     string                  `json:"read,omitempty"`
	Listed   int                     `json:"listed"`
	Contacts int                     `json:"contacts"`
	People   int                     `json:"people"`
	Topics   int                     `json:"topics"`
	Gone     int                     `json:"gone"`
	Untold   int                     `json:"untold"`
	Requests owlatsync.RequestCounts `json:"requests"`
	Seconds  float64                 `json:"seconds"`
	Open     *openRoundJSON          `json:"open,omitempty"` // a round that has not come to its end
	Due      time.Time               `json:"due,omitzero"`   // when the next is due
}

type openRoundJSON struct {
	Began    time.Time `json:"began"`
	Tried    time.Time `json:"tried"`
	Read     string    `json:"read"`
	Contacts int       `json:"contacts"`
	People   int       `json:"people"`
	Topics   int       `json:"topics"`
	Failed   string    `json:"failed,omitempty"`
}

func newRoundJSON(r ledger.Round, due time.Time) roundJSON {
	j := roundJSON{
		Type: "round", Whole: !r.Ended.IsZero() && r.Open.Began.IsZero(), Began: r.Began, Ended: r.Ended, Read: r.Read, Listed: r.Listed, Contacts: r.Contacts, People: r.People,
		Topics: r.Topics, Gone: r.Gone, Untold: r.Untold, Requests: r.Requests, Seconds: r.Seconds, Due: due.UTC(),
	}
	if due.IsZero() {
		j.Due = due
	}
	if o := r.Open; !o.Began.IsZero() {
		j.Open = &openRoundJSON{o.Began, o.Tried, o.Read, o.Contacts, o.People, o.Topics, words.Printable(o.Failed)}
	}
	return j
}

// Round shows a round that has just been made, or that broke off.
func Round(to To, r ledger.Round) error {
	if to.JSON {
		return to.json(newRoundJSON(r, time.Time{}))
	}
	if !r.Open.Began.IsZero() {
		o := r.Open
		to.printf("%s read before the round broke off: %s.\n", words.Plural(o.Contacts, "contact"), left(o.People, o.Topics))
		return nil
	}
	to.printf("%s: %s.\n", strings.ToUpper(read(r)[:1])+read(r)[1:], left(r.People, r.Topics))
	if r.Gone > 0 {
		to.printf("%s not there any more; runs take that up.\n", words.Several(r.Gone, "contact is", "contacts are"))
	}
	if r.Untold > 0 {
		to.printf("Of %s nothing could be told; the next round reads them again.\n", words.Plural(r.Untold, "contact"))
	}
	to.printf("%s of the budget and %s by links, in %s.\n", words.Plural(r.Requests.Total, "request"), words.Plural(r.Requests.Links, "request"),
		words.Span(max(time.Second, time.Duration(r.Seconds*float64(time.Second)).Round(time.Second))))
	return nil
}

// roundBeforeJSON is the round that a run would make first.
type roundBeforeJSON struct {
	Type     string  `json:"type"`     // "round before"
	Read     string  `json:"read"`     // whom it reads: "moved" or "all"
	Contacts int     `json:"contacts"` // that the ledger knows, or the last round has listed
	Requests int     `json:"requests"` // of the budget, with a hundredth of the contacts changed
	Links    int     `json:"links"`
	Seconds  float64 `json:"seconds"`
	Most     float64 `json:"most_seconds"` // if everybody is read, beside the list
}

// RoundBefore shows the round that a run would make before its plan: what it takes with a hundredth of the contacts changed, and if all are read.
func RoundBefore(to To, contacts int, usual, whole rounds.Cost) error {
	read := rounds.All
	if usual != whole {
		read = rounds.Moved
	}
	if to.JSON {
		return to.json(roundBeforeJSON{"round before", read, contacts, usual.Requests, usual.Links, usual.Seconds, whole.Seconds})
	}
	span := func(c rounds.Cost) string {
		return words.Span(max(time.Second, time.Duration(c.Seconds*float64(time.Second)).Round(time.Second)))
	}
	switch {
	case contacts == 0:
		to.printf("A run would first look for people who have left topics, but none is known yet.\n")
		return nil
	case read == rounds.All:
		to.printf("A run would first look for people who have left topics: it reads at most %s by links, which takes %s and nothing of the budget.\n",
			words.Plural(contacts, "contact"), span(usual))
		return nil
	}
	to.printf("A run would first look for people who have left topics: %s of the budget to list %s, and with a hundredth of them changed %s by links, in %s; at most %s more.\n",
		words.Plural(usual.Requests, "request"), words.Plural(contacts, "contact"), words.Plural(usual.Links, "request"), span(usual), span(whole))
	return nil
}

// Untold says that something waits to be told to write-backs, which no command does but serve.
func Untold(to To, n int) error {
	switch {
	case n == 0:
		return nil
	case to.JSON:
		return to.json(struct {
			Type    string `json:"type"`
			Waiting int    `json:"waiting"`
		}{"write-backs", n})
	}
	to.printf("\n%s to be told to write-backs: only \"owlat-sync serve\" does that.\n", words.Several(n, "notice waits", "notices wait"))
	return nil
}

// RoundStatus shows what is known of rounds, and when the next is due. Without any it shows when the first is.
func RoundStatus(to To, r ledger.Round, due, now time.Time) error {
	if to.JSON {
		return to.json(newRoundJSON(r, due))
	}
	to.printf("Who left topics\n")
	switch {
	case r.Ended.IsZero():
		to.printf("  no round has looked yet\n")
	default:
		to.printf("  last round %s: %s, %s\n", words.Clock(r.Ended), read(r), left(r.People, r.Topics))
	}
	if o := r.Open; !o.Began.IsZero() {
		to.printf("  a round of %s is not at its end: %s read so far\n", words.Clock(o.Began), words.Plural(o.Contacts, "contact"))
		if o.Failed != "" {
			to.printf("  it failed at %s: %s\n", words.Clock(o.Tried), words.Printable(o.Failed))
		}
	}
	if due.After(now) {
		to.printf("  next round %s\n", words.Clock(due))
	} else {
		to.printf("  the next round is due\n")
	}
	return nil
}

// read says what a round looked at.
func read(r ledger.Round) string {
	if r.Read == "all" {
		return fmt.Sprintf("read everybody who was put on a topic, %s", words.Plural(r.Contacts, "contact"))
	}
	return fmt.Sprintf("listed %s and read %d of them", words.Plural(r.Listed, "contact"), r.Contacts)
}

// left says who was found.
func left(people, topics int) string {
	if people == 0 {
		return "nobody had left unnoticed"
	}
	return fmt.Sprintf("%s left %s", words.Several(people, "person had", "people had"), words.Plural(topics, "topic"))
}
