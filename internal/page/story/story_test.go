package story_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/explain"
	"owlatsync/internal/page/story"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// tale returns what is known of a row that is in step, with changes.
func tale(change func(*explain.Tale)) *explain.Tale {
	t := &explain.Tale{
		Sync: config.Sync{Name: "users", OnRemoteDelete: "skip", Topics: []config.Topic{{ID: "news", When: "newsletter"}}}, Key: "1", At: at.Add(24 * time.Hour),
		Entry: &ledger.Entry{
			Key: "1", ContactID: "k1", Email: "ada@example.com", Origin: ledger.OriginCreated, FirstSeen: at, ChangedAt: at,
			Memberships: []ledger.Membership{{Topic: "news", Consent: true, State: ledger.MemberAdded, At: at}},
		},
	}
	change(t)
	return t
}

// TestOnNow uses the words of "verify".
func TestOnNow(t *testing.T) {
	t.Parallel()
	topics := []owlat.TopicPreference{{ID: "news", Name: "Newsletter"}, {ID: "own", Subscribed: true}, {ID: "quiet"}}
	for _, test := range []struct {
		change func(*explain.Tale)
		on     bool
		want   []string
	}{
		{func(*explain.Tale) {}, true, []string{"Newsletter: on it.", "own: on it."}},
		{func(*explain.Tale) {}, false, []string{"Newsletter: should be on it, and is not on it. They have left since, or were taken off in Owlat.", "own: on it."}},
		{state(ledger.MemberSkipped), false, []string{"Newsletter: not on it. The row says yes, and no run puts them on it (existing: skip).", "own: on it."}},
		{state(ledger.MemberOut), false, []string{"Newsletter: not on it.", "own: on it."}},
		{state(ledger.MemberOptedOut), true, []string{"Newsletter: on it. They came back by themselves, or were put on it by somebody else.", "own: on it."}},
		{func(t *explain.Tale) { t.Members = nil }, true, nil},
		{func(t *explain.Tale) { t.Members, t.MembersErr = nil, errors.New("no answer") }, true, []string{"On which topics they are could not be read: no answer."}},
	} {
		now := slices.Clone(topics)
		now[0].Subscribed = test.on
		told := tale(func(t *explain.Tale) { t.Members = &owlat.ContactPreferences{Topics: now} })
		test.change(told)
		if got := story.OnNow(told); !slices.Equal(got, test.want) {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// member returns a change of how the row stands to its topic.
func member(change func(*ledger.Membership)) func(*explain.Tale) {
	return func(t *explain.Tale) { change(&t.Entry.Memberships[0]) }
}

func state(s ledger.MembershipState) func(*explain.Tale) {
	return member(func(m *ledger.Membership) { m.State, m.Consent = s, s != ledger.MemberOut && s != ledger.MemberUnknown })
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*explain.Tale)
		tone   story.Tone
		says   string
		do     string
	}{
		"on":            {func(*explain.Tale) {}, story.Good, "was put on the topic", ""},
		"no topics":     {func(t *explain.Tale) { t.Sync.Topics, t.Entry.Memberships = nil, nil }, story.Good, "This sync puts nobody on a topic", ""},
		"bounced":       {func(t *explain.Tale) { t.Barred = &ledger.Suppression{Reason: ledger.Bounced, At: at} }, story.Off, "came back for good", "lift the suppression"},
		"complained":    {func(t *explain.Tale) { t.Barred = &ledger.Suppression{Reason: ledger.Complained, At: at} }, story.Off, "as spam", "only if the person asked"},
		"never mail":    {func(t *explain.Tale) { t.Barred = &ledger.Suppression{Reason: ledger.NeverMail, At: at} }, story.Off, "Owlat itself was not told", "Only the person"},
		"listed":        {func(t *explain.Tale) { t.Barred = &ledger.Suppression{Reason: ledger.Listed, At: at, Told: at} }, story.Off, "opted them out of everything", "Only the person"},
		"never applied": {func(t *explain.Tale) { t.Entry = nil }, story.Waiting, "No run has applied the row", "Ask for a run"},
		"given up": {func(t *explain.Tale) {
			t.Entry.Failure = &ledger.Failure{Parked: true, Category: ledger.CategoryTaken, Reason: "taken"}
		}, story.Bad, "not tried again until it changes: taken.", "Another contact in Owlat has the address"},
		"fails": {func(t *explain.Tale) {
			t.Entry.Failure = &ledger.Failure{Category: ledger.CategoryNetwork, Reason: "refused"}
		}, story.Bad, "later runs try it again: refused.", "can be reached"},
		"deleted there":   {func(t *explain.Tale) { t.Entry.Origin, t.Entry.ContactID = ledger.OriginGone, "" }, story.Off, "deleted in Owlat", "on_remote_delete says: skip"},
		"deleted":         {func(t *explain.Tale) { t.Entry.Origin, t.Entry.ContactID = ledger.OriginDeleted, "" }, story.Off, "left the source, and the sync deleted", "the source must have the row"},
		"departed":        {func(t *explain.Tale) { t.Entry.Departed = "keep" }, story.Off, "not in the source any more", "the source must have the row"},
		"no contact yet":  {func(t *explain.Tale) { t.Entry.ContactID = "" }, story.Waiting, "no contact in Owlat yet", "next run"},
		"wanted":          {state(ledger.MemberWanted), story.Waiting, "To be put on it", "next run"},
		"sent":            {state(ledger.MemberSent), story.Waiting, "answer is not known", "sends it again"},
		"leaving":         {state(ledger.MemberLeaving), story.Waiting, "A removal was sent", "next run"},
		"the row says no": {state(ledger.MemberOut), story.Off, `column "newsletter" says no`, "from no to yes"},
		"left":            {state(ledger.MemberLeft), story.Off, "when the row left the source", ""},
		"opted out":       {state(ledger.MemberOptedOut), story.Off, "The person left it, as one of Owlat's webhooks told", "sign up again"},
		"skipped":         {state(ledger.MemberSkipped), story.Unknown, "existing: skip", `column "newsletter" going from no to yes`},
		"unknown":         {state(ledger.MemberUnknown), story.Unknown, "the row says no, but the contact was there before", `column "newsletter"`},
		"unsure":          {state(ledger.MemberUnsure), story.Unknown, "never answered", "topic add"},
		"another's": {func(t *explain.Tale) {
			t.Sibling, t.Entry.Memberships[0].State = explain.Sibling{Created: "web", Put: map[string]string{"news": "web"}}, ledger.MemberSkipped
		}, story.Unknown, `the sync "web" has put the contact on it`, ""},
		"existing: add": {func(t *explain.Tale) {
			t.Sync.Topics[0].Existing, t.Entry.Memberships[0].State = reconcile.ExistingAdd, ledger.MemberUnknown
		}, story.Unknown, "the row does not say yes", ""},
		"to confirm":   {member(func(m *ledger.Membership) { m.Pending = at }), story.Waiting, "asked the person to confirm", "within seven days"},
		"too late":     {member(func(m *ledger.Membership) { m.Pending = at.Add(-ledger.ConfirmWithin) }), story.Unknown, "has run out by now", "in Owlat"},
		"not mailed":   {member(func(m *ledger.Membership) { m.Unmailed = true }), story.Waiting, "sent no mail that asks for it again", "preference page"},
		"undecided":    {func(t *explain.Tale) { t.Entry.Memberships = nil }, story.Waiting, "not decided yet", "next run"},
		"no such sync": {func(t *explain.Tale) { t.Sync.Topics = nil; state(ledger.MemberOut)(t) }, story.Off, "does not have this topic any more", ""},
		"one of two": {func(t *explain.Tale) {
			t.Entry.Memberships = append(t.Entry.Memberships, ledger.Membership{Topic: "tips", State: ledger.MemberOptedOut, At: at})
			t.Heard = []ledger.Feedback{{Topics: []ledger.FeedbackTopic{{ID: "tips", Name: "Tips"}}}}
		}, story.Off, "On 1 of 2 topics. Topic “Tips”: The person left it", ""},
	} {
		v := story.Of(tale(test.change))
		if v.Tone != test.tone || !strings.Contains(v.Says, test.says) || !strings.Contains(v.Do, test.do) || !strings.HasSuffix(v.Says, ".") {
			t.Errorf("%s: %+v", name, v)
		}
		if v.Do != "" && !strings.HasSuffix(v.Do, ".") {
			t.Errorf("%s: what to do is no sentence: %q", name, v.Do)
		}
	}
}

// TestTheWorstRowCounts: what is wrong says more than what waits, and that more than what is well.
func TestTheWorstRowCounts(t *testing.T) {
	t.Parallel()
	all := []story.Verdict{{Tone: story.Good}, {Tone: story.Unknown}, {Tone: story.Bad}, {Tone: story.Off}, {Tone: story.Waiting}}
	if got := story.Worst(all); got != 2 {
		t.Errorf("the verdict is %d", got)
	}
	if got := story.Worst(all[:2]); got != 1 {
		t.Errorf("of two the verdict is %d", got)
	}
}

// TestMoments: each thing once, the latest first, with who said or did it.
func TestMoments(t *testing.T) {
	t.Parallel()
	minute := func(n int) time.Time { return at.Add(time.Duration(n) * time.Minute) }
	left := ledger.Feedback{ID: 1, Event: owlat.WebhookTopicUnsubscribed, At: minute(4), Received: minute(5), Topics: []ledger.FeedbackTopic{{ID: "news", Name: "News"}}}
	bounce := ledger.Feedback{ID: 2, Event: owlat.WebhookEmailBounced, Received: minute(7), Kind: "hard", Detail: "550 no such user"}
	row := tale(func(t *explain.Tale) {
		t.History = []ledger.HistoryLine{{At: minute(1), Run: 7, Event: "created"}, {At: minute(2), Run: 7, Event: "topic added", Note: "news"}, {At: minute(9), Event: ledger.EventRetry, Note: ledger.NoteRetry}}
		t.Entry.Memberships[0].Renewed = minute(3)
		t.Entry.Failure = &ledger.Failure{First: minute(8), Last: minute(8), Attempts: 1, Reason: "no answer in time"}
		t.Heard = []ledger.Feedback{left, bounce}
		t.Barred = &ledger.Suppression{Reason: ledger.Listed, At: minute(11), Told: minute(12)}
		t.OptOuts = []ledger.OptOut{{Topic: "news", At: minute(4), Written: minute(6)}, {Topic: "tips", At: minute(10)}}
	})
	moments := story.Moments([]*explain.Tale{row}, []ledger.Feedback{left}, []ledger.Delivery{
		{Target: "crm", State: ledger.DeliveryDone, Done: minute(6), Feedback: left, Error: "once refused"}, {Target: "crm", State: ledger.DeliveryDead, Attempts: 12, Error: "refused", Feedback: bounce},
		{Target: "crm", State: ledger.DeliveryDead, Feedback: ledger.Feedback{ID: 99}},
	})
	var got []string
	for _, m := range moments {
		got = append(got, fmt.Sprintf("%d %s %s%s", int(m.At.Sub(at).Minutes()), m.Origin, m.Says, m.More))
	}
	want := []string{
		"12 Owlat Owlat opted the person out of everything, as it was asked to.",
		"11 operator Somebody handed in a list that says that no mail may go to the person, ever.",
		"10 Owlat The person left “tips”. A webhook told so.",
		"9 operator Asked to try again.",
		"8 sync The row began to fail.no answer in time",
		"7 Owlat A mail came back for good (hard bounce). A webhook told so.550 no such user",
		"7 write-back “crm” could not be told: email.bounced. It was given up; attempts: 12.refused",
		"6 write-back That the person left “News” was written into a source.",
		"6 write-back “crm” was told: topic.unsubscribed.",
		"4 Owlat The person left News. A webhook told so.",
		"3 source The row's consent to “News” went from no to yes.",
		"2 sync Put it on topic news (when newsletter).",
		"1 sync Created the contact.",
		"0 source The sync met the row for the first time.",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestAdvice: every category that a row can fail with says what to do, in sentences.
func TestAdvice(t *testing.T) {
	t.Parallel()
	otherwise := story.Advice("something new")
	categories := slices.Concat(ledger.Categories, []ledger.Category{
		ledger.Category(owlat.CategoryRateLimited), ledger.Category(owlat.CategoryInvalidInput), ledger.Category(owlat.CategoryLimitReached),
		ledger.Category(owlat.CategoryUnauthenticated), ledger.Category(owlat.CategoryForbidden), ledger.Category(owlat.CategoryInternal),
	})
	never := []ledger.Category{ledger.CategoryWaiting, ledger.CategoryGone, ledger.CategoryKept, ledger.CategoryUnasked, ledger.CategoryUnreached, ledger.CategoryHeld} // of rows that do not fail
	for _, c := range categories {
		text := story.Advice(c)
		if !strings.HasSuffix(text, ".") || (text == otherwise) != slices.Contains(never, c) {
			t.Errorf("%s: %q", c, text)
		}
	}
}

func TestWhatDiffersInOwlat(t *testing.T) {
	t.Parallel()
	row := tale(func(t *explain.Tale) {
		t.Entry.Fields[owlatsync.FirstName] = "Ada"
		t.Remote = &owlat.Contact{Email: "ADA@example.com", FirstName: "Augusta"}
	})
	if got := story.Differs(row); !slices.Equal(got, []string{`firstName is "Augusta" there, and "Ada" here`}) {
		t.Errorf("%q", got)
	}
	row.RemoteErr = errors.New("refused")
	row.Remote.FirstName = "Ada"
	if got := story.Differs(row); len(got) != 0 {
		t.Errorf("%q", got)
	}
	if got := story.Fields(row.Entry.Fields); got != "firstName: Ada" {
		t.Errorf("%q", got)
	}
	for origin, want := range map[ledger.Origin]string{
		ledger.OriginCreated: "created by this sync", ledger.OriginAdopted: "in Owlat before this sync met it", ledger.OriginGone: "deleted in Owlat", ledger.OriginDeleted: "deleted by this sync", ledger.OriginNone: "",
	} {
		row.Entry.Origin = origin
		if got := story.OriginOf(row); got != want {
			t.Errorf("%s: %q", origin, got)
		}
	}
}

// TestATopicWithoutAName is named by its id, and by what feeds it.
func TestATopicWithoutAName(t *testing.T) {
	t.Parallel()
	syncs := []config.Sync{
		{Name: "users", Topics: []config.Topic{{ID: "k57", When: "newsletter"}, {ID: "k58"}}}, {Name: "leads", Topics: []config.Topic{{ID: "k58", When: "wants_tips"}}},
	}
	for id, want := range map[string]string{"k57": "k57 (users, when newsletter)", "k58": "k58 (users, every row; leads, when wants_tips)", "k59": "k59"} {
		says, _ := story.Told(ledger.Feedback{Event: owlat.WebhookTopicUnsubscribed, Topics: []ledger.FeedbackTopic{{ID: id}}}, syncs)
		if says != "The person left "+want+"." {
			t.Error(says)
		}
	}
}

// TestKept says what a person's contact keeps as Owlat has it.
func TestKept(t *testing.T) {
	t.Parallel()
	row := tale(func(t *explain.Tale) {
		t.Entry.Fields[owlatsync.FirstName] = "Augusta"
		t.Entry.FieldMarks = []ledger.FieldMark{{Field: "firstName", Theirs: true, Row: new("Ada"), Why: owlatsync.OverwriteIfOurs, At: at}}
	})
	want := []string{`First name is "Augusta" in Owlat and "Ada" in the row: it is not what this sync wrote (overwrite: if_ours).`}
	if got := story.Kept(row); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := story.Kept(tale(func(*explain.Tale) {})); got != nil {
		t.Errorf("of a row in step %q", got)
	}
}
