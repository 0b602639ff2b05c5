package story

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/explain"
	"owlatsync/internal/page/fed"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/bar"
)

// Origin is who said or did something.
type Origin string

const (
	Source    Origin = "source"     // the row said so
	Sync      Origin = "sync"       // a run did it
	Owlat     Origin = "Owlat"      // Owlat answered so, or told it by a webhook
	WriteBack Origin = "write-back" // the user's own systems were told
	Person    Origin = "operator"   // somebody asked for it
)

// Moment is one thing that happened.
type Moment struct {
	At     time.Time
	Origin Origin
	Sync   string // empty: it is about the person, whatever the sync
	Run    int64  // 0: outside a run
	Says   string
	More   string // may hold an address; empty: no more is known
}

// Moments returns what happened to a person, newest first: to the rows, what else Owlat told of the person, and what of that was told to
// the user's systems. A feedback may be there twice. Barred is why no mail may go to the person; nil: it may.
func Moments(tales []*explain.Tale, heard []ledger.Feedback, deliveries []ledger.Delivery, barred *ledger.Suppression) []Moment {
	var all []Moment
	if len(tales) == 0 && barred != nil {
		all = ofSuppression(barred, "")
	}
	if barred == nil {
		barred = &ledger.Suppression{}
	}
	var syncs []config.Sync
	for _, t := range tales {
		syncs = append(syncs, t.Sync)
		all = append(all, ofRow(t)...)
		heard = append(heard, t.Heard...)
	}
	ours := func(f *ledger.Feedback) bool {
		return bar.IsEcho(f, *barred) || slices.ContainsFunc(tales, func(t *explain.Tale) bool { return t.Echo(f) })
	}
	all = append(all, ofFeedback(heard, deliveries, syncs, ours)...)
	slices.SortStableFunc(all, func(a, b Moment) int { return b.At.Compare(a.At) })
	return slices.Compact(all)
}

// ofFeedback returns what Owlat's webhooks told, and what became of telling it to the user's systems.
func ofFeedback(heard []ledger.Feedback, deliveries []ledger.Delivery, syncs []config.Sync, ours func(*ledger.Feedback) bool) (all []Moment) {
	known := make(map[int64]bool)
	for _, f := range heard {
		if known[f.ID] {
			continue
		}
		known[f.ID] = true
		says, more := Told(f, syncs, ours(&f))
		if f.Kind == ledger.KindRead {
			says += " Polling showed so."
		} else {
			says += " A webhook told so."
		}
		all = append(all, Moment{At: cmpTime(f.At, f.Received), Origin: Owlat, Says: says, More: more})
	}
	for _, d := range deliveries {
		if !known[d.Feedback.ID] {
			continue
		}
		m := Moment{At: cmpTime(d.Done, cmpTime(d.Feedback.Received, d.Feedback.At)), Origin: WriteBack, More: d.Error}
		switch d.State {
		case ledger.DeliveryDone:
			m.Says, m.More = fmt.Sprintf("%s was told of %s.", quoted(d.Target), EventName(d.Feedback.Event)), ""
		case ledger.DeliveryDead:
			m.Says = fmt.Sprintf("%s could not be told of %s. It was given up; attempts: %d.", quoted(d.Target), EventName(d.Feedback.Event), d.Attempts)
		default:
			m.Says = fmt.Sprintf("%s is yet to be told of %s. Attempts so far: %d.", quoted(d.Target), EventName(d.Feedback.Event), d.Attempts)
		}
		all = append(all, m)
	}
	return all
}

// EventName says in a word what Owlat told.
func EventName(event string) string {
	switch event {
	case owlat.WebhookTopicUnsubscribed:
		return "an opt-out"
	case owlat.WebhookEmailBounced:
		return "a bounce"
	case owlat.WebhookEmailComplained:
		return "a complaint"
	case owlat.WebhookContactCreated:
		return "a new contact"
	}
	return event
}

// Told says what a webhook told, and more about it, which may hold an address. The syncs are those of the configuration. Ours says that it follows from
// what the program did.
func Told(f ledger.Feedback, syncs []config.Sync, ours bool) (says, more string) {
	switch f.Event {
	case owlat.WebhookTopicUnsubscribed:
		var left []string
		for _, t := range f.Topics {
			left = append(left, cmp.Or(t.Name, configured(syncs, t.ID), beside(t.ID, fed.By(syncs, t.ID))))
		}
		if len(left) == 0 {
			left = []string{"topics that were not named"}
		}
		if ours {
			return "Off " + strings.Join(left, ", ") + ", because owlat-sync had opted the person out of everything.", ""
		}
		return "The person left " + strings.Join(left, ", ") + ".", ""
	case owlat.WebhookEmailBounced:
		switch f.Kind {
		case "hard":
			return "A mail came back for good (hard bounce).", f.Detail
		case "soft":
			return "A mail came back for now (soft bounce).", f.Detail
		}
		return "A mail came back.", strings.TrimSpace(f.Kind + " " + f.Detail)
	case owlat.WebhookEmailComplained:
		return "The person marked a mail as spam.", strings.TrimSpace(f.Kind + " " + f.Detail)
	case owlat.WebhookContactCreated:
		return "The contact was made in Owlat.", strings.TrimSpace(f.Kind + " " + f.Detail)
	}
	return f.Event + ".", strings.TrimSpace(f.Kind + " " + f.Detail)
}

// configured returns the name that the configuration gives a topic; empty: none.
func configured(syncs []config.Sync, topic string) string {
	for i := range syncs {
		if name := fed.Of(&syncs[i], topic, nil).Name; name != "" {
			return name
		}
	}
	return ""
}

// ofRow returns what happened to one row.
func ofRow(t *explain.Tale) (all []Moment) {
	add := func(at time.Time, by Origin, run int64, says, more string) {
		if !at.IsZero() {
			all = append(all, Moment{at, by, t.Sync.Name, run, says, more})
		}
	}
	for _, h := range t.History {
		by := Sync
		if h.Event == ledger.EventRetry || h.Event == ledger.EventLifted {
			by = Person
		}
		if strings.HasPrefix(h.Event, "topic ") {
			h.Note = fed.Of(&t.Sync, h.Note, nil).Words()
		}
		add(h.At, by, h.Run, capital(explain.Happened(h))+".", "")
	}
	if t.Entry == nil {
		return all
	}
	e, names := t.Entry, namesOf(t)
	if f := e.Failure; f != nil {
		reason := ""
		if f.First.Equal(f.Last) {
			reason = f.Reason
		} else if !failedSince(t, f.First) { // the history does not have each time
			add(f.Last, Sync, 0, "The row failed again.", f.Reason)
		}
		add(f.First, Sync, 0, "The row began to fail.", reason)
	}
	told := make(map[string]bool)
	for _, f := range t.Heard {
		for _, topic := range f.Topics {
			told[topic.ID] = true
		}
	}
	for _, m := range e.Memberships {
		name := names.said(m.Topic)
		add(m.Renewed, Source, 0, "The row's consent to "+name+" went from no to yes.", "")
		if m.State == ledger.MemberOut && !t.NeverMail(&m) {
			add(latest(m.At, e.FirstSeen), Source, 0, "The row said no to "+name+".", "")
		}
		add(m.Pending, Owlat, 0, "Owlat waits for the person to confirm "+name+" (double opt-in).", "")
	}
	for _, o := range t.OptOuts {
		name := names.said(o.Topic)
		switch {
		case told[o.Topic]:
		case t.Ours(o.At):
			add(o.At, Owlat, 0, "Off "+name+", because owlat-sync had opted the person out of everything.", "")
		case !o.Since.IsZero():
			add(o.At, Owlat, 0, "The person was not on "+name+" any more, as Owlat showed.", "")
		default:
			add(o.At, Owlat, 0, "The person left "+name+". A webhook told so.", "")
		}
		add(o.Written, WriteBack, 0, "That the person left "+name+" was written into a source.", "")
	}
	if t.Barred != nil {
		all = append(all, ofSuppression(t.Barred, t.Sync.Name)...)
	}
	for _, m := range ledger.OfEvents(e.Events) {
		if m.State == ledger.EventDue || m.State == ledger.EventAwaited {
			add(m.At, Sync, 0, "The event "+m.Name+" became due.", "")
		}
	}
	add(e.FirstSeen, Source, 0, "The row was first read.", "") // last: of what is told at one time it came first
	return all
}

// failedSince reports whether the history has a failure of the row after a time.
func failedSince(t *explain.Tale, first time.Time) bool {
	return slices.ContainsFunc(t.History, func(h ledger.HistoryLine) bool { return h.Event == "failed" && h.At.After(first) })
}

// latest returns the later of two times: Owlat's clock may be behind this machine's.
func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// ofSuppression returns since when no mail may go to an address, and what Owlat was told of it.
func ofSuppression(s *ledger.Suppression, sync string) (all []Moment) {
	says, by := why(*s)
	if by != Source {
		sync = ""
	}
	all = append(all, Moment{At: s.At, Origin: by, Sync: sync, Says: says})
	if s.Reason == ledger.Listed && !s.Told.IsZero() { // of a row the history tells which run did it
		all = append(all, Moment{At: s.Told, Origin: Owlat, Says: "Owlat opted the person out of everything, as it was asked to."})
	}
	return all
}

func cmpTime(first, second time.Time) time.Time {
	if first.IsZero() {
		return second
	}
	return first
}

func quoted(name string) string { return "“" + name + "”" }

func capital(text string) string {
	if text == "" || text[0] < 'a' || text[0] > 'z' {
		return text
	}
	return string(text[0]-'a'+'A') + text[1:]
}

// why says since when and why no mail may go to an address or a person, and who said so.
func why(s ledger.Suppression) (says string, by Origin) {
	switch s.Reason {
	case ledger.NeverMail:
		return "A row said that no mail may go to the person, ever.", Source
	case ledger.Listed:
		return "Somebody handed in a list that says that no mail may go to the person, ever.", Person
	case ledger.Complained:
		return "Since then no run puts the address on a topic: the person marked a mail as spam.", Owlat
	}
	return "Since then no run puts the address on a topic: a mail came back for good.", Owlat
}
