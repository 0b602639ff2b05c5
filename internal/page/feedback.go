package page

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/page/person"
	"owlatsync/internal/page/story"
	"owlatsync/ledger"
)

// feedbackPage is what Owlat told, and which addresses get nothing for it.
type feedbackPage struct {
	Kinds      []link
	Lines      []heardView
	Older      string // where older ones are; empty: there are none
	Last       time.Time
	Sees       bool // the viewer may see addresses
	Suppressed []suppressedView
	Bounced    int
	Complained int
	More       bool   // there are more suppressions than were counted
	Further    string // where further suppressions are; empty: there are none
}

// heardView is one thing that Owlat told. A viewer gets no address, and nothing that may hold one.
type heardView struct {
	Number                            int64
	At                                time.Time
	Event, Says, More, Email, Contact string
	Person                            string // the address of the person's page
}

// suppressedView is an address that gets nothing.
type suppressedView struct {
	Email, Person string
	ledger.Suppression
}

// How many lines of feedback and suppressions a page has, and how many suppressions are counted.
const (
	listedFeedback   = 50
	listedSuppressed = 50
	countedAtMost    = 5000
)

// feedbackKinds are what the list can be narrowed to.
var feedbackKinds = []struct{ event, text string }{
	{"", "Everything"},
	{"topic.unsubscribed", "Opt-outs"},
	{"email.bounced", "Bounces"},
	{"email.complained", "Complaints"},
	{"contact.created", "New contacts"},
}

func showFeedback(c *call) error {
	q := c.r.URL.Query()
	event := q.Get("event")
	if !slices.Contains(config.FeedbackEvents, event) {
		event = ""
	}
	before, err := strconv.ParseInt(q.Get("before"), 10, 64)
	if err != nil || before < 0 {
		before = 0 // from the newest
	}
	v := feedbackPage{Sees: c.who.May(config.Operator)}
	for _, k := range feedbackKinds {
		v.Kinds = append(v.Kinds, link{k.text, feedbackAddress(c, k.event, 0), k.event == event})
	}
	found, err := c.d.Rows.Feedbacks(c.r.Context(), event, "", before, listedFeedback+1)
	if err != nil {
		return err
	}
	if len(found) > listedFeedback {
		found = found[:listedFeedback]
		v.Older = feedbackAddress(c, event, found[listedFeedback-1].ID)
	}
	for _, f := range found {
		v.Lines = append(v.Lines, newHeardView(c, f, v.Sees))
	}
	if v.Last, err = c.d.Ledger.LastFeedback(c.r.Context()); err != nil {
		return err
	}
	suppressed, err := c.d.Rows.AllSuppressions(c.r.Context(), countedAtMost+1)
	if err != nil {
		return err
	}
	v.More = len(suppressed) > countedAtMost
	suppressed = suppressed[:min(len(suppressed), countedAtMost)]
	from, err := strconv.Atoi(q.Get("suppressed"))
	if err != nil || from < 0 {
		from = 0
	}
	for i, s := range suppressed {
		if s.Reason == ledger.Complained {
			v.Complained++
		} else {
			v.Bounced++
		}
		if v.Sees && i >= from && i < from+listedSuppressed {
			v.Suppressed = append(v.Suppressed, suppressedView{s.Email, personAddress(c, person.Subject{Word: s.Email}), s})
		}
	}
	if v.Sees && len(suppressed) > from+listedSuppressed {
		v.Further = c.base + "/feedback?suppressed=" + strconv.Itoa(from+listedSuppressed) + "#suppressed"
	}
	c.show(http.StatusOK, "feedback", "Feedback", v)
	return nil
}

// feedbackAddress returns the address of a part of the list.
func feedbackAddress(c *call, event string, before int64) string {
	q := url.Values{}
	if event != "" {
		q.Set("event", event)
	}
	if before > 0 {
		q.Set("before", strconv.FormatInt(before, 10))
	}
	if len(q) == 0 {
		return c.base + "/feedback"
	}
	return c.base + "/feedback?" + q.Encode()
}

func newHeardView(c *call, f ledger.Feedback, sees bool) heardView {
	v := heardView{Number: f.ID, At: f.At, Event: f.Event, Contact: f.ContactID}
	if v.At.IsZero() {
		v.At = f.Received
	}
	v.Says, v.More = story.Told(f, configured(c))
	if !sees {
		v.More = ""
		return v
	}
	v.Email = f.Email
	if word := cmp.Or(f.Email, f.ContactID); word != "" {
		v.Person = personAddress(c, person.Subject{Word: word})
	}
	return v
}
