package page

import (
	"context"
	"errors"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/ways"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/owlat"
	"owlatsync/reconcile"
	"owlatsync/reconcile/kept"
	"owlatsync/reconcile/step"
)

// folk is a deployment with a ledger of people: one who left, some whose rows fail, and one whose mail bounced.
type folk struct {
	*memory.Ledger
	*stands
	t          *testing.T
	syncs      []config.Sync
	contact    *owlat.Contact            // what Owlat has of any contact; nil: none
	members    *owlat.ContactPreferences // nil: there is no secret to ask with
	membersErr error
	refuses    error           // why Owlat does not say what it has; nil: it does
	asked      int             // how often
	rows       []owlatsync.Row // of the source of users
	unsendable []reconcile.Trouble
	ways       ways.Ways
	unsent     map[string]api.Unsent
	unreadable error
}

// serviceOfFolk shows how the syncs stand, and whose keys are addresses.
type serviceOfFolk struct{ *stands }

func (serviceOfFolk) Personal(sync string) bool { return sync == "web" }

// ledgerOfFolk has real records of what Owlat told beside the records of runs of the test.
type ledgerOfFolk struct {
	*shelf
	rows *memory.Ledger
}

func (l ledgerOfFolk) LastFeedback(ctx context.Context) (time.Time, error) {
	return l.rows.LastFeedback(ctx)
}

func (l ledgerOfFolk) Run(ctx context.Context, id int64) (*ledger.Run, error) {
	return l.rows.Run(ctx, id)
}

func (f *folk) Configured() []config.Sync { return f.syncs }
func (f *folk) Ways() ways.Ways           { return f.ways }

func (f *folk) Unsent(sync string) (api.Unsent, bool) {
	found, ok := f.unsent[sync]
	return found, ok
}

func (f *folk) Contact(context.Context, string) (*owlat.Contact, error) {
	f.asked++
	if f.refuses != nil {
		return nil, f.refuses
	}
	if f.contact == nil {
		return nil, &owlat.Error{Category: owlat.CategoryNotFound, StatusCode: http.StatusNotFound, Message: "no such contact"}
	}
	return f.contact, nil
}

func (f *folk) Members(context.Context, string) (*owlat.ContactPreferences, error) {
	return f.members, f.membersErr
}

func (f *folk) Read(_ context.Context, sync config.Sync, see func(*owlatsync.Row), each func(reconcile.Trouble) error) error {
	for i := range f.rows {
		if see != nil && sync.Name == "users" {
			see(&f.rows[i])
		}
	}
	for _, t := range f.unsendable {
		t.Sync = sync.Name
		if err := each(t); err != nil {
			return err
		}
	}
	return f.unreadable
}

// noon is when most of what the folk have happened.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newFolk puts people into a deployment of the world.
func newFolk(t *testing.T, w *world) *folk {
	t.Helper()
	f := &folk{Ledger: memory.New(), stands: w.all[""], t: t, syncs: []config.Sync{
		{Name: "users", Key: []string{"id"}, Topics: []config.Topic{{ID: "news", When: "newsletter"}}},
		{Name: "web"},
	}}
	f.stands.more = func(d *api.Deployment) {
		d.Service, d.Rows, d.Inquiry, d.Outbox, d.Decisions = serviceOfFolk{f.stands}, f.Ledger, f, f.Ledger, f.Ledger
		d.Ledger = ledgerOfFolk{d.Ledger.(*shelf), f.Ledger}
	}
	f.put("users", &ledger.Entry{
		Key: "1", ContactID: "k1", Email: "ada@example.com", Identity: "ada@example.com", Origin: ledger.OriginCreated, Fields: owlatsync.Texts{owlatsync.FirstName: "Ada"},
		Fingerprint: ledger.Fingerprint{Lo: 1}, FirstSeen: noon, ChangedAt: noon, Memberships: []ledger.Membership{{Topic: "news", Consent: true, State: ledger.MemberAdded, At: noon}},
	})
	f.fails("users", "2", "bob@example.com", true, ledger.CategoryTopic, "Owlat does not have the topic "+nasty)
	f.fails("users", "3", "cid@example.com", false, ledger.CategoryTopic, "Owlat does not have the topic "+nasty)
	f.fails("users", nasty, "nasty@example.com", false, ledger.CategoryTimeout, "no answer in time")
	f.fails("web", "eve@example.com", "eve@example.com", true, ledger.CategoryTaken, "another contact has the address")
	return f
}

func (f *folk) put(sync string, entries ...*ledger.Entry) {
	f.t.Helper()
	lock, err := f.Acquire(f.t.Context(), ledger.Claim{Purpose: "test"})
	if err != nil {
		f.t.Fatal(err)
	}
	for _, e := range entries {
		if err := lock.Record(f.t.Context(), ledger.Record{Sync: sync, Run: 7, Entry: e, Event: string(owlatsync.Created)}); err != nil {
			f.t.Fatal(err)
		}
	}
	if err := lock.Release(); err != nil {
		f.t.Fatal(err)
	}
}

func (f *folk) fails(sync, key, email string, parked bool, category ledger.Category, reason string) {
	f.t.Helper()
	f.put(sync, &ledger.Entry{
		Key: key, ContactID: "k" + key, Email: email, Identity: email, Origin: ledger.OriginCreated, Fields: owlatsync.Texts{owlatsync.FirstName: nasty}, FirstSeen: noon, ChangedAt: noon,
		Failure: &ledger.Failure{Class: ledger.RetryLater, Category: category, Reason: reason, Attempts: 8, First: noon, Last: noon.Add(time.Hour), NextTry: f.Now().Add(2 * time.Hour), Parked: parked},
	})
}

// hear takes in what a webhook told, and what is to be told elsewhere about it.
func (f *folk) hear(number byte, news ledger.News) int64 {
	f.t.Helper()
	news.Feedback.Hash[0], news.Feedback.Received = number, noon.Add(time.Duration(number)*time.Minute)
	news.Feedback.At = news.Feedback.Received
	took, err := f.TakeIn(f.t.Context(), news)
	if err != nil {
		f.t.Fatal(err)
	}
	return took.ID
}

// planItem is an item of a plan.
func planItem(phase step.Phase, key, email string, changes ...owlatsync.Change) ledger.PlanItem {
	return kept.Item(&step.Step{Phase: phase, Outcome: owlatsync.Updated, Row: &step.Row{Key: key, Email: email}, Entry: &ledger.Entry{}, Changes: changes}, 0)
}

// holds holds a run of a sync, whose plan has the items, and returns its number.
func (f *folk) holds(sync string, items ...ledger.PlanItem) (run int64) {
	f.t.Helper()
	lock, err := f.Acquire(f.t.Context(), ledger.Claim{Purpose: "test"})
	if err != nil {
		f.t.Fatal(err)
	}
	if run, err = lock.BeginRun(f.t.Context(), ledger.Run{Sync: sync, Mode: ledger.ModeRun, Started: noon}); err != nil {
		f.t.Fatal(err)
	}
	if err := lock.KeepPlan(f.t.Context(), run, items); err != nil {
		f.t.Fatal(err)
	}
	if err := lock.EndRun(f.t.Context(), ledger.Ending{Run: ledger.Run{ID: run, Status: ledger.StatusHeld, PlanForm: step.Form, Started: noon, Finished: noon}}); err != nil {
		f.t.Fatal(err)
	}
	if err := lock.Release(); err != nil {
		f.t.Fatal(err)
	}
	return run
}

// leaves has Ada leave the newsletter, which could not be told elsewhere.
func (f *folk) leaves() {
	f.t.Helper()
	at := noon.Add(time.Hour)
	f.hear(1, ledger.News{
		Feedback: ledger.Feedback{Event: "topic.unsubscribed", ContactID: "k1", Email: "ada@example.com", Topics: []ledger.FeedbackTopic{{ID: "news", Name: "Newsletter " + nasty}}},
		OptOuts:  []ledger.OptOut{{ContactID: "k1", Topic: "news", At: at}}, Deliveries: []ledger.Delivery{{Target: nasty, Person: "k1"}},
	})
	all, err := f.Deliveries(f.t.Context(), "", 0)
	if err != nil || len(all) != 1 {
		f.t.Fatal(all, err)
	}
	if err := f.Undelivered(f.t.Context(), all[0].ID, "the target answers "+nasty, true, time.Time{}); err != nil {
		f.t.Fatal(err)
	}
}

// bounces has a mail to an address come back for good, or its person complain.
func (f *folk) bounces(number byte, address string, why ledger.SuppressionReason) {
	f.t.Helper()
	event, kind := "email.bounced", "hard"
	if why == ledger.Complained {
		event, kind = "email.complained", ""
	}
	f.hear(number, ledger.News{
		Feedback:     ledger.Feedback{Event: event, Email: address, Kind: kind, Detail: "550 " + nasty + " <" + address + ">"},
		Suppressions: []ledger.Suppression{{Email: address, Reason: why, At: noon}},
	})
}

// neverMail has a run of a sync with a column for it opt somebody out of everything, of which a webhook tells.
func (f *folk) neverMail(address string) {
	f.t.Helper()
	f.syncs = append(f.syncs, config.Sync{Name: "blocks", Key: []string{"id"}, Topics: []config.Topic{{ID: "news", When: "newsletter"}}, Suppressed: config.Suppressed{Column: "blocked"}})
	told := noon.Add(5 * time.Minute)
	f.put("blocks", &ledger.Entry{
		Key: "9", ContactID: "k9", Email: address, Origin: ledger.OriginCreated, Fingerprint: ledger.Fingerprint{Lo: 1}, FirstSeen: noon, ChangedAt: told,
		Memberships: []ledger.Membership{{Topic: "news", State: ledger.MemberOut, At: told}},
	})
	for _, name := range []string{address, "k9"} {
		f.suppress(ledger.Suppression{Email: name, Reason: ledger.NeverMail, At: noon})
	}
	f.suppress(ledger.Suppression{Email: "k9", Reason: ledger.NeverMail, At: noon, Sent: told, Told: told})
	f.hear(5, ledger.News{
		Feedback: ledger.Feedback{Event: owlat.WebhookTopicUnsubscribed, ContactID: "k9", Email: address, Topics: []ledger.FeedbackTopic{{ID: "news", Name: "Newsletter"}}},
		OptOuts:  []ledger.OptOut{{ContactID: "k9", Topic: "news", At: told}},
	})
}

// listed has a list opt somebody out of whom no sync has a row.
func (f *folk) listed(address string) {
	f.t.Helper()
	told := noon.Add(5 * time.Minute)
	f.suppress(ledger.Suppression{Email: address, Reason: ledger.Listed, At: noon, Told: told})
}

func (f *folk) suppress(s ledger.Suppression) {
	f.t.Helper()
	if err := f.Suppress(f.t.Context(), s); err != nil {
		f.t.Fatal(err)
	}
}

// find searches for somebody, and returns the page of whom was found.
func (b *browser) find(word string) reply {
	b.t.Helper()
	return b.send("/people", "/people", "word", word)
}

// harmless fails the test if a page has something that came through unescaped, or a mark that turns the text around it.
func harmless(t *testing.T, name, body string) {
	t.Helper()
	if found := bare.FindString(body); found != "" {
		t.Errorf("%s has %q", name, found)
	}
	for rest := body; ; {
		i := strings.Index(rest, "\u202e")
		if i < 0 {
			return
		}
		if open, end := strings.LastIndex(rest[:i], "<bdi>"), strings.LastIndex(rest[:i], "</bdi>"); open < 0 || end > open {
			t.Errorf("%s has a mark outside of <bdi>: …%s", name, rest[max(0, i-80):i])
		}
		rest = rest[i+len("\u202e"):]
	}
}

var tags = regexp.MustCompile(`(?s)<[^>]*>`)

// wordsOf returns what a page says, without its tags.
func wordsOf(body string) string {
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(body, " "))), " ")
}

var errUnreadable = errors.New("connect to postgres://app:secretpart@db/app: refused")
