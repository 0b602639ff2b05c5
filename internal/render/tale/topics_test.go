package tale

import (
	"strings"
	"testing"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/explain"
	"owlatsync/internal/render"
	"owlatsync/internal/ways"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

// TestWhatIsKnownOfAMembership: nobody is said to be off a topic of whom that is not known.
func TestWhatIsKnownOfAMembership(t *testing.T) {
	t.Parallel()
	none, created := explain.Sibling{}, explain.Sibling{Created: "shop"}
	for _, tt := range []struct {
		state    ledger.MembershipState
		existing reconcile.Existing
		sibling  explain.Sibling
		want     string
	}{
		{ledger.MemberOut, reconcile.ExistingSkip, none, "not on it since"},
		{ledger.MemberUnknown, reconcile.ExistingSkip, none, "not known whether on it: the row says no, but the contact was there before"},
		{ledger.MemberUnknown, reconcile.ExistingSkip, created, `the contact, which the sync "shop" created, is left`},
		{ledger.MemberUnknown, reconcile.ExistingAdd, none, "not known whether on it: the row does not say yes"},
		{ledger.MemberOptedOut, reconcile.ExistingSkip, none, "whether they came back by themselves is not known"},
		{ledger.MemberLeft, reconcile.ExistingSkip, none, "taken off, unless another row wanted the contact there"},
		{ledger.MemberSkipped, reconcile.ExistingSkip, none, "because the contact, or the row, was there before"},
		{ledger.MemberSkipped, reconcile.ExistingSkip, created, "because the row was there before"},
		{ledger.MemberSkipped, reconcile.ExistingSkip, explain.Sibling{Created: "shop", Left: true}, "because the person is known to have left a topic"},
		{ledger.MemberSkipped, reconcile.ExistingSkip, explain.Sibling{Created: "shop", Put: map[string]string{"news": "shop"}},
			`because the sync "shop" has put the contact on it, or may have`},
	} {
		sync := config.Sync{Topics: []config.Topic{{ID: "news", When: "news", Existing: tt.existing}}}
		if got := (memberships{&explain.Tale{Sync: sync, Entry: &ledger.Entry{}, Sibling: tt.sibling}}).why(&ledger.Membership{Topic: "news", State: tt.state}); !strings.Contains(got, tt.want) {
			t.Errorf("%s, %s: %q", tt.state, tt.existing, got)
		}
	}
}

// TestWhatWeDidOurselves is told as ours, and people to whom no mail may go are told as such.
func TestWhatWeDidOurselves(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	echo := ledger.Feedback{Event: owlat.WebhookTopicUnsubscribed, At: at, Topics: []ledger.FeedbackTopic{{ID: "news"}}}
	never := ledger.Suppression{Reason: ledger.NeverMail, At: at, Sent: at, Told: at}
	said := func(t *testing.T, state ledger.MembershipState, change func(*explain.Tale)) string {
		t.Helper()
		tale := &explain.Tale{
			Sync: config.Sync{Name: "users", OnMissing: "keep", Topics: []config.Topic{{ID: "news", When: "news"}}}, Key: "1", Heard: []ledger.Feedback{echo},
			Entry: &ledger.Entry{ContactID: "k1", Email: "a@example.com", Origin: ledger.OriginCreated, Memberships: []ledger.Membership{{Topic: "news", State: state, At: at}}},
		}
		change(tale)
		var text strings.Builder
		if err := Show(render.To{W: &text}, tale); err != nil {
			t.Fatal(err)
		}
		return text.String()
	}
	for name, test := range map[string]struct {
		state  ledger.MembershipState
		change func(*explain.Tale)
		want   []string
	}{
		"never mail": {ledger.MemberOut, func(t *explain.Tale) { t.Barred = &never }, []string{"because no mail may go to the person", "off news, because owlat-sync had opted the person out of everything", "opted out of everything in Owlat 20"}},
		"lifted since": {ledger.MemberOut, func(t *explain.Tale) {
			t.History = []ledger.HistoryLine{{At: at, Run: 3, Event: ledger.EventOptedOut}}
		}, []string{"because no mail may go to the person", "off news, because owlat-sync had", "opted the person out of everything in Owlat, because no mail may go to them"}},
		"of another row": {ledger.MemberOptedOut, func(t *explain.Tale) {
			t.History = []ledger.HistoryLine{{At: at, Run: 3, Event: ledger.EventOptedOut}}
		}, []string{"because no mail might go to the person"}},
		"they left":        {ledger.MemberOptedOut, func(*explain.Tale) {}, []string{"the person left it (a webhook told so", "  left news"}},
		"the secret lacks": {ledger.MemberOut, func(t *explain.Tale) { t.Barred = &ledger.Suppression{Reason: ledger.NeverMail, At: at} }, []string{"Owlat was not told, because the configuration has no unsubscribe secret"}},
		"a list took them off": {ledger.MemberOptedOut, func(t *explain.Tale) {
			t.Barred = &ledger.Suppression{Reason: ledger.Listed, At: at, Sent: at, Told: at}
			t.History = []ledger.HistoryLine{{At: at.Add(-time.Hour), Run: 1, Event: "topic added", Note: "news"}}
			t.OptOuts = []ledger.OptOut{{ContactID: "k1", Topic: "news", At: at.Add(time.Minute)}}
		}, []string{"put on it before, and taken off it " + words.Clock(at.Add(time.Minute)) + ", because no mail may go to the person"}},
		"left before it bounced": {ledger.MemberOptedOut, func(t *explain.Tale) { t.Barred = &ledger.Suppression{Reason: ledger.Bounced, At: at} }, []string{"the person left it (a webhook told so"}},
		"left, and the row says no since": {ledger.MemberOut, func(t *explain.Tale) {
			t.OptOuts = []ledger.OptOut{{ContactID: "k1", Topic: "news", At: at.Add(-time.Hour)}}
		}, []string{"the person left it " + words.Clock(at.Add(-time.Hour)) + "; the row says no, too"}},
		"the row left, and a run took them off": {ledger.MemberLeft, func(t *explain.Tale) {
			t.Entry.Departed = "topics"
			t.History = []ledger.HistoryLine{{At: at, Run: 2, Event: "topic removed", Note: "news"}}
		}, []string{"taken off it, because the row left the source\n"}},
		"bounced":       {ledger.MemberAdded, func(t *explain.Tale) { t.Barred = &ledger.Suppression{Reason: ledger.Bounced, At: at} }, []string{"but Owlat sends the address no campaigns since", "(bounced)"}},
		"still on":      {ledger.MemberAdded, func(t *explain.Tale) { t.Barred = &ledger.Suppression{Reason: ledger.Listed, At: at} }, []string{"but no mail may go to the person: the next run"}},
		"webhooks come": {ledger.MemberAdded, func(t *explain.Tale) { t.Ways = ways.Ways{Webhooks: true} }, []string{"(who has left since is known as far as a webhook has told it)"}},
		"polling is on": {ledger.MemberAdded, func(t *explain.Tale) { t.Ways = ways.Ways{Polling: true} }, []string{"as far as polling has shown it)"}},
		"both":          {ledger.MemberAdded, func(t *explain.Tale) { t.Ways = ways.Ways{Polling: true, Webhooks: true} }, []string{"as far as a webhook or polling has told it)"}},
		"the row left": {ledger.MemberLeft, func(t *explain.Tale) {
			t.Entry.Departed = "keep"
			t.History = []ledger.HistoryLine{{At: at, Run: 4, Event: ledger.EventRowLeft}}
		}, []string{"not in the source since 20", "(on_missing: keep)", "found that the row has left the source"}},
		"a row of no person": {ledger.MemberOut, func(t *explain.Tale) {
			t.Entry = &ledger.Entry{Key: "1", Fingerprint: ledger.Fingerprint{Lo: 1}}
			t.Sync.Suppressed.Column = "blocked"
		}, []string{"left out: a row or a list said that no mail may go"}},
	} {
		text := said(t, test.state, test.change)
		for _, want := range test.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is missing:\n%s", name, want, text)
			}
		}
	}
}
