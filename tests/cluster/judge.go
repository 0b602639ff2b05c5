package cluster

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"owlatsync/owlat/owlattest"
)

const (
	// underway is how long after its time a request may arrive: it is sent when the right to send it is sure, and then the network
	// and two busy processors have it.
	underway = time.Second
	// afterAck is how long after an acknowledged webhook a request may arrive that does not heed it.
	afterAck = 2 * time.Second
	// takenOverWithin is how long work may lie after its node was lost.
	takenOverWithin = 15 * time.Second
	// leaseLives is how long a lease is relied on that nobody renews.
	leaseLives = 8 * time.Second
	// shownAtMost is how many findings of one kind are told.
	shownAtMost = 5
)

// findings collects what a judge found, a few of each kind.
type findings struct {
	all    []string
	counts map[string]int
}

// add notes a finding. Its kind is the format.
func (f *findings) add(format string, args ...any) {
	if f.counts == nil {
		f.counts = make(map[string]int)
	}
	if f.counts[format]++; f.counts[format] <= shownAtMost {
		f.all = append(f.all, fmt.Sprintf(format, args...))
	}
}

func (f *findings) close() []string {
	for format, n := range f.counts {
		if n > shownAtMost {
			f.all = append(f.all, fmt.Sprintf("and %d more like %q", n-shownAtMost, format))
		}
	}
	return f.all
}

// Judge returns what is wrong, nothing if all promises were kept.
func Judge(e *Evidence) []string {
	var f findings
	for _, a := range e.Accounts {
		judgeBudget(&f, a)
		judgePutBack(&f, a)
		judgeEvents(&f, a)
		judgeAcknowledged(&f, a)
		judgeInStep(&f, a)
		judgeRuns(&f, a)
		judgeSenders(&f, e, a)
		judgeUnsure(&f, e, a)
	}
	judgeLeases(&f, e)
	judgeTakeOver(&f, e)
	judgeLogs(&f, e)
	return f.close()
}

// judgeBudget holds Owlat's own log against the bucket.
func judgeBudget(f *findings, a *Account) {
	log := slices.Clone(a.Log)
	slices.SortStableFunc(log, func(x, y owlattest.Arrival) int { return x.Time.Compare(y.Time) })
	tokens, last := a.Burst, time.Time{}
	for _, r := range log {
		switch r.Status {
		case http.StatusTooManyRequests:
			f.add("%s: Owlat refused a request at %s: the budget was exceeded; %s", a.Name, clock(r.Time), sendersBefore(a, r.Time))
			continue
		case http.StatusUnauthorized:
			continue
		}
		if r.Route == "" || r.Route == owlattest.RouteHealth {
			continue
		}
		if !last.IsZero() {
			tokens = min(a.Burst, tokens+r.Time.Sub(last).Seconds()*a.Rate)
		}
		// Owlat's bucket looks at the clock a moment after the log: within that moment it gets a part of a token.
		if last = r.Time; tokens < 0.5 {
			f.add("%s: a request at %s was above the bucket, which held %.1f tokens", a.Name, clock(r.Time), tokens)
		}
		tokens--
	}
}

// sendersBefore tells how many requests came from which node in the two seconds before, most of which are in the bucket.
func sendersBefore(a *Account, at time.Time) string {
	counts := make(map[int]int)
	for _, r := range a.Requests {
		if !r.At.After(at) && at.Sub(r.At) < 2*time.Second {
			counts[r.Node]++
		}
	}
	return fmt.Sprintf("in the two seconds before, so many came from each node: %v", counts)
}

// judgePutBack wants a word of the person's own for everybody who left and was put on a topic again, and no add for addresses whose
// suppression, or for opt-outs whose webhook, was acknowledged.
func judgePutBack(f *findings, a *Account) {
	for _, s := range a.Syncs {
		rows := make(map[string][]string) // keys by address
		for _, r := range s.Rows {
			for _, address := range r.Addresses {
				rows[address] = append(rows[address], r.Key)
			}
		}
		said := func(email string, after, before time.Time) bool {
			return slices.ContainsFunc(s.Words, func(w Word) bool {
				return slices.Contains(rows[email], w.Key) && w.To.After(after) && !w.From.After(before)
			})
		}
		for _, back := range owlattest.PutBack(a.History, func(r owlattest.Return) bool {
			if r.Added.TopicID != s.Topic {
				return true // it is another sync's
			}
			since := time.Time{} // of the add before
			for _, e := range a.History {
				if e.ContactID == r.Added.ContactID && e.TopicID == s.Topic && e.Action == owlattest.Added && e.Time.Before(r.Added.Time) {
					since = e.Time
				}
			}
			return said(r.Added.Email, since, r.Added.Time)
		}) {
			f.add("%s: %s left %s at %s and was put back at %s without a new consent", a.Name, back.Added.Email, s.Sync, clock(back.Left.Time), clock(back.Added.Time))
		}
		for _, d := range a.Hooks {
			if d.Acked.IsZero() || lost(a, d.Acked) {
				continue
			}
			address, contact := suppressedBy(d), ""
			left := time.Time{}
			if o := optOutOf(d); slices.Contains(o.topics, s.Topic) {
				contact, left = o.contact, o.at
			}
			for _, e := range a.History {
				if e.Action != owlattest.Added || e.By != owlattest.ByAPI || e.TopicID != s.Topic || !e.Time.After(d.Acked.Add(afterAck)) {
					continue
				}
				if address != "" && e.Email == address {
					f.add("%s: %s was put on the topic of %s at %s although a suppression was acknowledged at %s", a.Name, e.Email, s.Sync, clock(e.Time), clock(d.Acked))
				}
				if contact != "" && e.ContactID == contact && !said(e.Email, left, e.Time) {
					f.add("%s: %s was put on the topic of %s at %s although an opt-out of %s was acknowledged at %s", a.Name, e.Email, s.Sync, clock(e.Time), clock(left), clock(d.Acked))
				}
			}
		}
	}
}

// judgeEvents wants no event twice: one of unknown outcome counts.
func judgeEvents(f *findings, a *Account) {
	seen := make(map[string]Request)
	requests := slices.Clone(a.Requests)
	slices.SortFunc(requests, func(x, y Request) int { return x.At.Compare(y.At) })
	for _, r := range requests {
		if r.Event == "" || r.Status >= 400 && r.Status < 500 {
			continue
		}
		if before, twice := seen[r.Event]; twice {
			f.add("%s: the event %q came twice, at %s from node %d and at %s from node %d", a.Name, r.Event, clock(before.At), before.Node, clock(r.At), r.Node)
		}
		seen[r.Event] = r
	}
}

// judgeAcknowledged wants every acknowledged webhook in the ledger, and what follows from it done.
func judgeAcknowledged(f *findings, a *Account) {
	kept := make(map[Heard]int)
	for _, h := range a.Heard {
		kept[h]++
	}
	for _, d := range a.Hooks {
		if d.Acked.IsZero() || lost(a, d.Acked) {
			continue
		}
		h := heardOf(d)
		if kept[h]--; kept[h] < 0 {
			f.add("%s: a webhook %s about %s was acknowledged at %s and is not in the ledger", a.Name, h.Event, h.Email, clock(d.Acked))
		}
	}
	judgeWrittenBack(f, a)
	for _, email := range a.Made {
		if !slices.ContainsFunc(a.Contacts, func(c owlattest.ContactState) bool { return c.Email == email }) {
			f.add("%s: %s was confirmed to an outsider and is not in Owlat", a.Name, email)
		}
	}
	if a.Waiting > 0 {
		f.add("%s: %d write-backs are still not done", a.Name, a.Waiting)
	}
}

// judgeWrittenBack wants every acknowledged opt-out in the database.
func judgeWrittenBack(f *findings, a *Account) {
	for _, d := range a.Hooks {
		if d.Acked.IsZero() || lost(a, d.Acked) {
			continue
		}
		o := optOutOf(d)
		for _, s := range a.Syncs {
			if !slices.Contains(o.topics, s.Topic) {
				continue
			}
			for _, r := range s.Rows {
				if r.Gone || r.email() != o.email || len(r.Addresses) > 1 {
					continue // a row that moved or left may not have been there when it was written
				}
				if !slices.ContainsFunc(s.Written, func(w Written) bool { return w.Email == o.email && w.At.After(o.at.Add(-time.Second)) }) {
					f.add("%s: %s left the topic of %s at %s, which was acknowledged at %s and never written back", a.Name, o.email, s.Sync, clock(o.at), clock(d.Acked))
				}
			}
		}
	}
}

// judgeInStep wants Owlat to be what the source says, and nobody to send anything any more.
func judgeInStep(f *findings, a *Account) {
	for _, lack := range OutOfStep(a) {
		f.add("%s: %s", a.Name, lack)
	}
	if a.Quiet > 0 {
		f.add("%s: %d writes were sent although nothing had changed", a.Name, a.Quiet)
	}
}

// OutOfStep returns where Owlat differs from the source.
func OutOfStep(a *Account) (lacks []string) {
	contacts := make(map[string]owlattest.ContactState)
	for _, c := range a.Contacts {
		if _, twice := contacts[c.Email]; twice {
			lacks = append(lacks, fmt.Sprintf("two contacts have the address %s", c.Email))
		}
		contacts[c.Email] = c
	}
	left := make(map[string]bool) // who has ever left anything: it is not known whether that was everything
	for _, e := range a.History {
		if leftByHand(e) {
			left[e.ContactID] = true
		}
	}
	suppressed := make(map[string]bool)
	for _, d := range a.Hooks {
		suppressed[suppressedBy(d)] = true
	}
	wants := func(email string) bool {
		return slices.ContainsFunc(a.Syncs, func(s Rows) bool {
			return slices.ContainsFunc(s.Rows, func(r Row) bool { return !r.Gone && r.email() == email })
		})
	}
	for _, s := range a.Syncs {
		for _, r := range s.Rows {
			c, known := contacts[r.email()]
			on := slices.Contains(c.Topics, s.Topic)
			free := !left[c.ID] && !slices.ContainsFunc(r.Addresses, func(address string) bool { return suppressed[address] })
			switch {
			case r.Gone && on:
				lacks = append(lacks, fmt.Sprintf("%s is on the topic of %s, and the row has left", r.email(), s.Sync))
			case r.Gone:
			case !known:
				lacks = append(lacks, fmt.Sprintf("%s of %s is not in Owlat", r.email(), s.Sync))
			case r.Name != "" && r.Name != c.FirstName+" "+c.LastName:
				lacks = append(lacks, fmt.Sprintf("%s is %q in the source and %q in Owlat", r.email(), r.Name, c.FirstName+" "+c.LastName))
			case !r.Yes && on:
				lacks = append(lacks, fmt.Sprintf("%s is on the topic of %s, and the row says no", r.email(), s.Sync))
			case r.Yes && !on && (free || r.Returned) && !a.Unsure[Place{s.Sync, r.Key}]:
				lacks = append(lacks, fmt.Sprintf("%s is not on the topic of %s, and the row says yes", r.email(), s.Sync))
			}
		}
	}
	for email, c := range contacts {
		if !wants(email) && len(c.Topics) > 0 {
			lacks = append(lacks, fmt.Sprintf("%s is on %d topics without a row", email, len(c.Topics)))
		}
	}
	slices.Sort(lacks)
	return lacks
}

// judgeRuns wants every run of a sync to be alone, and its outcomes to add up.
func judgeRuns(f *findings, a *Account) {
	of := make(map[string][]Run)
	for _, r := range a.Runs {
		if !r.From.IsZero() {
			of[r.Sync] = append(of[r.Sync], r)
		}
		if !r.Balanced && (r.Status == "ok" || r.Status == "failed rows") {
			f.add("%s: the outcomes of run %d do not add up to its rows", a.Name, r.ID)
		}
	}
	for sync, all := range of {
		slices.SortFunc(all, func(x, y Run) int { return x.From.Compare(y.From) })
		for i := 1; i < len(all); i++ {
			if before, r := all[i-1], all[i]; r.From.Before(before.To) {
				f.add("%s: run %d of %s began at %s, before run %d had ended at %s", a.Name, r.ID, sync, clock(r.From), before.ID, clock(before.To))
			}
		}
	}
}

func lost(a *Account, at time.Time) bool {
	return slices.ContainsFunc(a.Lost, func(s Span) bool { return s.has(at) })
}

func leftByHand(e owlattest.Entry) bool {
	return e.By == owlattest.ByPerson && (e.Action == owlattest.Unsubscribed || e.Action == owlattest.OptedOut)
}

// hookData is what webhooks say of a person.
type hookData struct {
	Event string
	Data  struct {
		ContactID      string
		Email          string
		BounceType     string
		UnsubscribedAt int64
		ListsRemoved   string
	}
}

func hookOf(d Hook) (h hookData) {
	_ = json.Unmarshal([]byte(d.Body), &h) // Owlat wrote it
	return h
}

// suppressedBy returns the address that a delivery suppresses, empty if none.
func suppressedBy(d Hook) string {
	h := hookOf(d)
	if h.Event == "email.complained" || h.Event == "email.bounced" && h.Data.BounceType == "hard" {
		return strings.ToLower(h.Data.Email)
	}
	return ""
}

func heardOf(d Hook) Heard {
	h := hookOf(d)
	return Heard{h.Event, strings.ToLower(h.Data.Email), h.Data.ContactID}
}

type optOut struct {
	contact, email string
	topics         []string
	at             time.Time
}

// optOutOf returns the opt-out that a delivery tells, without topics if none.
func optOutOf(d Hook) (o optOut) {
	h := hookOf(d)
	if h.Event != "topic.unsubscribed" {
		return o
	}
	var lists []struct{ TopicID string }
	_ = json.Unmarshal([]byte(h.Data.ListsRemoved), &lists)
	o = optOut{contact: h.Data.ContactID, email: strings.ToLower(h.Data.Email), at: time.UnixMilli(h.Data.UnsubscribedAt)}
	for _, l := range lists {
		o.topics = append(o.topics, l.TopicID)
	}
	return o
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }
