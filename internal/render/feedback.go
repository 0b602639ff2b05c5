package render

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

// feedbackJSON is what "feedback --json" prints for each line.
type feedbackJSON struct {
	Type      string                 `json:"type"`
	ID        int64                  `json:"id"`
	Event     string                 `json:"event"`
	At        time.Time              `json:"at"`
	Received  time.Time              `json:"received"`
	Email     string                 `json:"email,omitempty"`
	ContactID string                 `json:"contact_id,omitempty"`
	Topics    []ledger.FeedbackTopic `json:"topics,omitempty"`
	Kind      string                 `json:"kind,omitempty"`
	Detail    string                 `json:"detail,omitempty"`
}

// Feedback shows what Owlat told, in the given order.
func Feedback(to To, all []ledger.Feedback) error {
	return listing[ledger.Feedback]{
		none: "No webhook has come that fits.",
		head: "NUMBER\tCAME\tEVENT\tADDRESS\tWHAT",
		json: func(f ledger.Feedback) any {
			return feedbackJSON{"feedback", f.ID, f.Event, f.At, f.Received, f.Email, f.ContactID, f.Topics, f.Kind, f.Detail}
		},
		row: func(c *cells, f ledger.Feedback) string {
			return fmt.Sprintf("%d\t%s\t%s\t%s\t%s", f.ID, words.Clock(f.Received), c.fit(f.Event), c.fit(words.OrElse(f.Email, f.ContactID)), told(f))
		},
	}.show(to, all)
}

// told says what a feedback is about, besides its person.
func told(f ledger.Feedback) string {
	switch f.Event {
	case owlat.WebhookTopicUnsubscribed:
		var names []string
		for _, t := range f.Topics {
			names = append(names, words.Printable(words.OrElse(t.Name, t.ID)))
		}
		said := "left " + words.OrElse(strings.Join(names, ", "), "no topic")
		if f.Kind == ledger.KindRead {
			said += " (found by reading)"
		}
		return said
	case owlat.WebhookContactCreated:
		return "by " + words.OrElse(words.Printable(f.Kind), "an unknown way")
	}
	said := words.OrElse(words.Printable(f.Kind), "-")
	if f.Detail != "" {
		said += ": " + short(f.Detail)
	}
	return said
}

// suppressionJSON is what "feedback suppressed --json" prints for each line.
type suppressionJSON struct {
	Type   string                   `json:"type"`
	Email  string                   `json:"email"`
	Reason ledger.SuppressionReason `json:"reason"`
	At     time.Time                `json:"at"`
}

// Suppressions shows the addresses that get nothing.
func Suppressions(to To, all []ledger.Suppression) error {
	err := listing[ledger.Suppression]{
		none: "No address is suppressed.",
		head: "SINCE\tADDRESS\tWHY",
		json: func(s ledger.Suppression) any { return suppressionJSON{"suppression", s.Email, s.Reason, s.At} },
		row: func(c *cells, s ledger.Suppression) string {
			return fmt.Sprintf("%s\t%s\t%s", words.Clock(s.At), c.fit(s.Email), s.Reason)
		},
	}.show(to, all)
	if err == nil && len(all) > 0 && !to.JSON {
		to.printf("\nNo run puts these addresses on a topic or sends an event for them. \"owlat-sync feedback lift EMAIL\" ends that for one.\n")
	}
	return err
}

// deliveryJSON is what "feedback dead --json" prints for each line.
type deliveryJSON struct {
	Type     string               `json:"type"`
	ID       int64                `json:"id"`
	Target   string               `json:"write_back"`
	State    ledger.DeliveryState `json:"state"`
	Attempts int                  `json:"attempts"`
	Error    string               `json:"error,omitempty"`
	Due      *time.Time           `json:"next_try,omitempty"` // absent: it is given up
	Feedback int64                `json:"feedback"`
	Event    string               `json:"event"`
	Email    string               `json:"email,omitempty"`
	Contact  string               `json:"contact_id,omitempty"`
	Topic    string               `json:"topic,omitempty"`
}

// Deliveries shows write-backs that are not done. gone has the names of those that the configuration no longer has.
func Deliveries(to To, all []ledger.Delivery, gone []string) error {
	if to.JSON {
		for _, d := range all {
			j := deliveryJSON{
				Type: "delivery", ID: d.ID, Target: d.Target, State: d.State, Attempts: d.Attempts, Error: d.Error,
				Feedback: d.Feedback.ID, Event: d.Feedback.Event, Email: d.Feedback.Email, Contact: d.Feedback.ContactID, Topic: d.Topic,
			}
			if d.State == ledger.DeliveryWaiting {
				j.Due = &d.Due
			}
			if err := to.json(j); err != nil {
				return err
			}
		}
		return nil
	}
	if len(all) == 0 {
		to.printf("Nothing is left to write back.\n")
		return nil
	}
	dead := 0
	var c cells
	w := tabwriter.NewWriter(to.W, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "NUMBER\tWRITE-BACK\tEVENT\tADDRESS\tATTEMPTS\tNEXT TRY\tREASON")
	for _, d := range all {
		next := "soon"
		switch {
		case d.State == ledger.DeliveryDead:
			next = "given up"
			dead++
		case d.Due.After(time.Now()):
			next = "after " + words.Clock(d.Due)
		}
		_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%s\t%s\n", d.ID, c.fit(d.Target), c.fit(d.Feedback.Event), c.fit(words.OrElse(d.Feedback.Email, d.Feedback.ContactID)), d.Attempts, next, words.OrElse(words.Printable(d.Error), "-"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	c.end(to)
	to.printf("\n%s given up, %s.", words.Several(dead, "is", "are"), words.Several(len(all)-dead, "waits", "wait"))
	if dead > 0 {
		to.printf(" Once the reason is mended, \"owlat-sync feedback retry\" lets them be tried again.")
	}
	to.printf("\n")
	for _, name := range gone {
		to.printf("The configuration has no write-back %q any more: what waits for it is told once it has one of that name.\n", name)
	}
	return nil
}
