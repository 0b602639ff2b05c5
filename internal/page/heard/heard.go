// Package heard lists what Owlat told of people, for a page: what matters first, and which addresses get nothing for it.
package heard

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/page/story"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/bar"
)

// Rows is the part of a ledger that has what Owlat told.
type Rows interface {
	Feedbacks(ctx context.Context, event, person string, before int64, limit int) ([]ledger.Feedback, error)
	AllSuppressions(ctx context.Context, limit int) ([]ledger.Suppression, error)
	Suppressions(ctx context.Context, names []string) (map[string]ledger.Suppression, error)
}

// Of says what is listed, and for whom.
type Of struct {
	Rows    Rows
	Syncs   []config.Sync
	Address string // of the list
	Query   url.Values
	Person  func(word string) string // the address of the page of somebody; nil: whoever looks sees no address, and nothing that may hold one
}

// List is a part of what Owlat told.
type List struct {
	Kinds      []Kind
	Lines      []Line
	Older      string // where older ones may be; empty: there are none
	Sees       bool   // whoever looks may see addresses
	Counts     []Count
	More       bool // there are more suppressions than were counted
	Suppressed []Suppressed
	Further    string // where further suppressions are; empty: there are none
}

// Kind is what the list can be narrowed to.
type Kind struct {
	Text, Address string
	Here          bool
}

// Line is one thing that Owlat told.
type Line struct {
	At                         time.Time
	Says, More, Email, Contact string
	Person                     string // the address of the person's page
}

// Count says how many addresses get nothing for one reason.
type Count struct {
	Why   string
	Count int
}

// Suppressed is an address that gets nothing.
type Suppressed struct {
	Email, Person, Why string
	At                 time.Time
}

// How many lines of feedback and suppressions a list has, and how many suppressions are counted.
const (
	Listed           = 50
	listedSuppressed = 50
	countedAtMost    = 5000

	// How much feedback is looked at, at once and how often, for what matters.
	looked    = 1000
	looksMost = 4
)

// all is the name of everything that Owlat told.
const all = "all"

// matters are the events that change who gets mail.
var matters = []string{owlat.WebhookTopicUnsubscribed, owlat.WebhookEmailBounced, owlat.WebhookEmailComplained}

// kinds are what the list can be narrowed to: what matters if nothing is asked for.
var kinds = []struct{ name, text string }{
	{"", "Opt-outs, bounces, complaints"},
	{owlat.WebhookTopicUnsubscribed, "Opt-outs"},
	{owlat.WebhookEmailBounced, "Bounces"},
	{owlat.WebhookEmailComplained, "Complaints"},
	{owlat.WebhookContactCreated, "New contacts"},
	{all, "Everything"},
}

// Read returns the part of the list that is asked for.
func Read(ctx context.Context, of Of) (v List, err error) {
	v.Sees = of.Person != nil
	kind := of.Query.Get("event")
	if kind != all && !slices.Contains(config.FeedbackEvents, kind) {
		kind = ""
	}
	for _, k := range kinds {
		v.Kinds = append(v.Kinds, Kind{k.text, of.at(k.name, 0), k.name == kind})
	}
	found, next, err := of.read(ctx, kind)
	if err != nil {
		return v, err
	}
	if next > 0 {
		v.Older = of.at(kind, next)
	}
	if v.Lines, err = of.lines(ctx, found); err != nil {
		return v, err
	}
	return v, of.suppressed(ctx, &v)
}

// read returns the latest feedback of a kind, and the number before which there may be more; 0: there is none.
func (of Of) read(ctx context.Context, kind string) (found []ledger.Feedback, next int64, err error) {
	before, err := strconv.ParseInt(of.Query.Get("before"), 10, 64)
	if err != nil || before < 0 {
		before = 0 // from the newest
	}
	if kind == "" {
		return of.mattering(ctx, before)
	}
	if kind == all {
		kind = ""
	}
	found, err = of.Rows.Feedbacks(ctx, kind, "", before, Listed+1)
	if len(found) > Listed {
		found = found[:Listed]
		next = found[Listed-1].ID
	}
	return found, next, err
}

// mattering returns what matters of the latest feedback. It looks at so much alone that the page comes at once: there may be very many new contacts.
func (of Of) mattering(ctx context.Context, before int64) (found []ledger.Feedback, next int64, err error) {
	for range looksMost {
		some, err := of.Rows.Feedbacks(ctx, "", "", before, looked)
		if err != nil {
			return nil, 0, err
		}
		for _, f := range some {
			if before = f.ID; !slices.Contains(matters, f.Event) {
				continue
			}
			if found = append(found, f); len(found) == Listed {
				return found, before, nil
			}
		}
		if len(some) < looked {
			return found, 0, nil
		}
	}
	return found, before, nil
}

// at returns the address of a part of the list.
func (of Of) at(kind string, before int64) string {
	q := url.Values{}
	if kind != "" {
		q.Set("event", kind)
	}
	if before > 0 {
		q.Set("before", strconv.FormatInt(before, 10))
	}
	if len(q) == 0 {
		return of.Address
	}
	return of.Address + "?" + q.Encode()
}

// lines returns feedback as whoever looks may see it.
func (of Of) lines(ctx context.Context, found []ledger.Feedback) ([]Line, error) {
	var contacts []string
	for _, f := range found {
		if f.ContactID != "" && f.Event == owlat.WebhookTopicUnsubscribed {
			contacts = append(contacts, f.ContactID)
		}
	}
	barred, err := of.Rows.Suppressions(ctx, contacts)
	if err != nil {
		return nil, err
	}
	lines := make([]Line, len(found))
	for i, f := range found {
		l := Line{At: f.At, Contact: f.ContactID}
		if l.At.IsZero() {
			l.At = f.Received
		}
		l.Says, l.More = story.Told(f, of.Syncs, bar.IsEcho(&f, barred[f.ContactID]))
		if of.Person == nil {
			l.More = ""
		} else if l.Email = f.Email; cmp.Or(f.Email, f.ContactID) != "" {
			l.Person = of.Person(cmp.Or(f.Email, f.ContactID))
		}
		lines[i] = l
	}
	return lines, nil
}

// suppressed adds the addresses that get nothing.
func (of Of) suppressed(ctx context.Context, v *List) error {
	found, err := of.Rows.AllSuppressions(ctx, countedAtMost+1)
	if err != nil {
		return err
	}
	v.More = len(found) > countedAtMost
	found = found[:min(len(found), countedAtMost)]
	counts := make(map[ledger.SuppressionReason]int)
	for _, s := range found {
		counts[s.Reason]++
	}
	for _, why := range []ledger.SuppressionReason{ledger.Bounced, ledger.Complained, ledger.NeverMail, ledger.Listed} {
		if counts[why] > 0 {
			v.Counts = append(v.Counts, Count{story.Why(why), counts[why]})
		}
	}
	if !v.Sees {
		return nil
	}
	from, err := strconv.Atoi(of.Query.Get("suppressed"))
	if err != nil || from < 0 || from > len(found) {
		from = 0
	}
	for _, s := range found[from:min(from+listedSuppressed, len(found))] {
		v.Suppressed = append(v.Suppressed, Suppressed{s.Email, of.Person(s.Email), story.Why(s.Reason), s.At})
	}
	if len(found) > from+listedSuppressed {
		v.Further = of.Address + "?suppressed=" + strconv.Itoa(from+listedSuppressed) + "#suppressed"
	}
	return nil
}
