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
	"owlatsync/internal/ways"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
	"owlatsync/reconcile/step"
)

var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// tale returns what is known of a row that is in step, with changes.
func tale(change func(*explain.Tale)) *explain.Tale {
	t := &explain.Tale{
		Sync: config.Sync{Name: "users", OnRemoteDelete: "skip", Topics: []config.Topic{{ID: "news", When: "newsletter"}}}, Key: "1", At: at.Add(24 * time.Hour), Ways: ways.Ways{Webhooks: true},
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

// TestAnswers begin with yes or no, and then say why.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*explain.Tale)
		word   string
		tone   story.Tone
		says   string
		do     string
	}{
		"on":                      {func(*explain.Tale) {}, "Yes", story.Good, "was put on the topic. No webhook of Owlat has told that they left since.", ""},
		"on, by polling":          {func(t *explain.Tale) { t.Ways = ways.Ways{Polling: true} }, "Yes", story.Good, "Polling has not shown", ""},
		"on, by both":             {func(t *explain.Tale) { t.Ways.Polling = true }, "Yes", story.Good, "Neither a webhook nor polling", ""},
		"nothing tells":           {func(t *explain.Tale) { t.Ways = ways.Ways{} }, "Yes, as far as is known here", story.Unknown, "Whether they left since is not known here: no webhook comes", "the unsubscribe secret"},
		"nothing but asked":       {func(t *explain.Tale) { t.Ways = ways.Ways{Secret: true} }, "Yes, as far as is known here", story.Unknown, "Whether they left since is not known here", "when it is asked now"},
		"asked now":               {func(t *explain.Tale) { t.Ways = ways.Ways{}; asked(true)(t) }, "Yes", story.Good, "is on the topic, as Owlat says now.", ""},
		"off now":                 {asked(false), "No", story.Off, "Not on it, as Owlat says now", "sign up again"},
		"on now":                  {func(t *explain.Tale) { state(ledger.MemberSkipped)(t); asked(true)(t) }, "Yes", story.Good, "is on the topic, as Owlat says now.", ""},
		"left alone, and off now": {func(t *explain.Tale) { state(ledger.MemberSkipped)(t); asked(false)(t) }, "No", story.Off, "Not on it, as Owlat says now. Left as it is", "from no to yes"},
		"opted out, and off now":  {func(t *explain.Tale) { state(ledger.MemberOptedOut)(t); asked(false)(t) }, "No", story.Off, "as one of Owlat's webhooks told.", ""},
		"a bounce was lifted": {func(t *explain.Tale) {
			t.Heard = []ledger.Feedback{{Event: owlat.WebhookEmailBounced, Kind: "hard", Email: "ada@example.com"}}
		}, "Yes, as far as is known here", story.Unknown, "Before, a mail to the address came back for good, and the suppression was lifted here since. Owlat has a block list of its own", ""},
		"another address bounced": {func(t *explain.Tale) {
			t.Heard = []ledger.Feedback{{Event: owlat.WebhookEmailBounced, Kind: "hard", Email: "old@example.com"}}
		}, "Yes", story.Good, "was put on the topic", ""},
		"left, and the row says no since": {func(t *explain.Tale) {
			state(ledger.MemberOut)(t)
			t.OptOuts = []ledger.OptOut{{Topic: "news", At: at.Add(-time.Hour)}}
		}, "No", story.Off, "the person left it, and the row says no since", "from no to yes"},
		"deleted, as Owlat says now": {func(t *explain.Tale) {
			t.RemoteErr = &owlat.Error{Category: owlat.CategoryNotFound, StatusCode: 404}
		}, "No", story.Off, "Owlat has no such contact any more.", "on_remote_delete says: skip"},
		"deleted, and the policy is the default": {func(t *explain.Tale) {
			t.Sync.OnRemoteDelete, t.RemoteErr = "", &owlat.Error{Category: owlat.CategoryNotFound, StatusCode: 404}
		}, "No", story.Off, "Owlat has no such contact any more.", "on_remote_delete says: keep."},
		"deleted before, when it was on": {func(t *explain.Tale) { t.Sync.OnRemoteDelete, t.Entry.Origin = "", ledger.OriginGone }, "No", story.Off,
			"The contact was deleted in Owlat.", "on_remote_delete says: keep."},
		"no topics":     {func(t *explain.Tale) { t.Sync.Topics, t.Entry.Memberships = nil, nil }, "Not known here", story.Unknown, "This sync puts nobody on a topic", ""},
		"bounced":       {barred(ledger.Suppression{Reason: ledger.Bounced}), "No", story.Off, "came back for good", "lift the suppression"},
		"complained":    {barred(ledger.Suppression{Reason: ledger.Complained}), "No", story.Off, "as spam", "only if the person asked"},
		"never applied": {func(t *explain.Tale) { t.Entry = nil }, "Not yet", story.Waiting, "No run has taken the row up", "Ask for a run"},
		"given up": {func(t *explain.Tale) {
			t.Entry.Failure = &ledger.Failure{Parked: true, Category: ledger.CategoryTaken, Reason: "taken"}
			state(ledger.MemberOut)(t)
		}, "No", story.Bad, "not tried again until it changes: taken.", "A look in the sources now names the address."},
		"fails, and is on": {func(t *explain.Tale) {
			t.Entry.Failure = &ledger.Failure{Category: ledger.CategoryNetwork, Reason: "refused"}
		}, "Yes", story.Bad, "later runs try it again: refused.", "can be reached"},
		"deleted there": {func(t *explain.Tale) {
			t.Entry.Origin, t.Entry.ContactID = ledger.OriginGone, ""
			state(ledger.MemberOut)(t)
		}, "No", story.Off, "deleted in Owlat", "on_remote_delete says: skip"},
		"deleted": {func(t *explain.Tale) {
			t.Entry.Origin, t.Entry.ContactID = ledger.OriginDeleted, ""
			state(ledger.MemberLeft)(t)
		}, "No", story.Off, "left the source, and the sync deleted", "the source must have the row"},
		"departed": {func(t *explain.Tale) { t.Entry.Departed = "topics"; state(ledger.MemberLeft)(t) }, "No", story.Off, "not in the source any more.", "the source must have the row"},
		"departed, and left where it is": {func(t *explain.Tale) { t.Entry.Departed, t.Sync.OnMissing = "keep", "keep" }, "Yes", story.Off,
			"the sync leaves its contact where it is (on_missing: keep)", "take them off in Owlat"},
		"no contact yet": {func(t *explain.Tale) { t.Entry.ContactID, t.Entry.Memberships = "", nil }, "Not yet", story.Waiting, "no contact in Owlat yet", "next run"},
		"a stranger": {func(t *explain.Tale) {
			t.Entry = &ledger.Entry{Key: "1", Fingerprint: ledger.Fingerprint{Lo: 1}}
			t.Sync.Suppressed.Column = "blocked"
		}, "No", story.Off, "A row or a list said that no mail may go to the person, ever. Owlat has no contact of theirs", "owlat-sync feedback lift"},
		"wanted":          {state(ledger.MemberWanted), "Not yet", story.Waiting, "To be put on it", "next run"},
		"sent":            {state(ledger.MemberSent), "Not yet", story.Waiting, "answer is not known", "sends it again"},
		"leaving":         {state(ledger.MemberLeaving), "Not yet", story.Waiting, "A removal was sent", "next run"},
		"the row says no": {state(ledger.MemberOut), "No", story.Off, `column "newsletter" says no`, "from no to yes"},
		"left":            {state(ledger.MemberLeft), "No", story.Off, "when the row left the source", ""},
		"opted out, and lifted since": {func(t *explain.Tale) {
			state(ledger.MemberOptedOut)(t)
			t.History = []ledger.HistoryLine{{Key: "1", At: at.Add(time.Hour), Event: ledger.EventLifted}}
		}, "No", story.Off, "the person left, or owlat-sync had opted them out", "sign up again"},
		"asked to confirm, and on the topic now": {func(t *explain.Tale) {
			asked(true)(t)
			t.Entry.Memberships = append(t.Entry.Memberships, ledger.Membership{Topic: "tips", Consent: true, State: ledger.MemberAdded, At: at, Pending: at})
		}, "Not known here", story.Unknown, "Whether they have is not known here", "Look at the contact"},
		"opted out": {state(ledger.MemberOptedOut), "No", story.Off, "The person left it, as one of Owlat's webhooks told", "sign up again"},
		"skipped":   {state(ledger.MemberSkipped), "Not known here", story.Unknown, "existing: skip", `column "newsletter" going from no to yes`},
		"unknown":   {state(ledger.MemberUnknown), "Not known here", story.Unknown, "the row says no, but the contact was there before", `column "newsletter"`},
		"unsure":    {state(ledger.MemberUnsure), "Not known here", story.Unknown, "never answered", "topic add"},
		"another's": {func(t *explain.Tale) {
			t.Sibling, t.Entry.Memberships[0].State = explain.Sibling{Created: "web", Put: map[string]string{"news": "web"}}, ledger.MemberSkipped
		}, "Not known here", story.Unknown, `the sync "web" has put the contact on it`, ""},
		"existing: add": {func(t *explain.Tale) {
			t.Sync.Topics[0].Existing, t.Entry.Memberships[0].State = reconcile.ExistingAdd, ledger.MemberUnknown
		}, "Not known here", story.Unknown, "the row does not say yes", ""},
		"to confirm":   {member(func(m *ledger.Membership) { m.Pending = at }), "Not known here", story.Unknown, "asked the person to confirm (double opt-in), and they get nothing until they have. Whether they have is not known here", "within seven days"},
		"too late":     {member(func(m *ledger.Membership) { m.Pending = at.Add(-ledger.ConfirmWithin) }), "Not known here", story.Unknown, "has run out by now", "in Owlat"},
		"not mailed":   {member(func(m *ledger.Membership) { m.Unmailed = true }), "Not yet", story.Waiting, "sent no mail that asks for it again", "preference page"},
		"undecided":    {func(t *explain.Tale) { t.Entry.Memberships = nil }, "Not yet", story.Waiting, "not decided yet", "next run"},
		"no such sync": {func(t *explain.Tale) { t.Sync.Topics = nil; state(ledger.MemberOut)(t) }, "No", story.Off, "does not have this topic any more", ""},
		"one of two": {func(t *explain.Tale) {
			t.Entry.Memberships = append(t.Entry.Memberships, ledger.Membership{Topic: "tips", State: ledger.MemberOptedOut, At: at})
			t.Heard = []ledger.Feedback{{Topics: []ledger.FeedbackTopic{{ID: "tips", Name: "Tips"}}}}
		}, "Yes, from 1 of 2 topics", story.Off, "Topic “Tips”: The person left it", ""},
	} {
		v := story.Of(tale(test.change))
		if v.Word != test.word || v.Tone != test.tone || !strings.Contains(v.Says, test.says) || !strings.Contains(v.Do, test.do) || !strings.HasSuffix(v.Says, ".") {
			t.Errorf("%s: %+v", name, v)
		}
		if v.Do != "" && !strings.HasSuffix(v.Do, ".") {
			t.Errorf("%s: what to do is no sentence: %q", name, v.Do)
		}
	}
}

// asked has Owlat say now whether the contact is on the topic.
func asked(on bool) func(*explain.Tale) {
	return func(t *explain.Tale) {
		t.Members = &owlat.ContactPreferences{Topics: []owlat.TopicPreference{{ID: "news", Subscribed: on}}}
	}
}

// barred suppresses the person.
func barred(s ledger.Suppression) func(*explain.Tale) {
	s.At = at
	return func(t *explain.Tale) { t.Barred = &s }
}

// TestWhetherOwlatWasTold says what is true of a person to whom the user lets no mail go: told, and when, or why not.
func TestWhetherOwlatWasTold(t *testing.T) {
	t.Parallel()
	later := at.Add(time.Minute)
	secret := ways.Ways{Secret: true}
	never := ledger.Suppression{Reason: ledger.NeverMail, At: at}
	for name, test := range map[string]struct {
		is     ledger.Suppression
		ways   ways.Ways
		change func(*explain.Tale)
		says   string
	}{
		"told":            {ledger.Suppression{Reason: ledger.NeverMail, At: at, Sent: at, Told: later}, secret, nil, "Owlat was told, and has opted them out of everything."},
		"by a list":       {ledger.Suppression{Reason: ledger.Listed, At: at, Told: later}, ways.Ways{}, nil, "Somebody handed in a list"},
		"not yet":         {never, secret, nil, "Owlat is not told yet. The next run that reads all rows tells it."},
		"no secret":       {never, ways.Ways{}, nil, "Owlat was not told, because the configuration has no unsubscribe secret"},
		"no answer":       {ledger.Suppression{Reason: ledger.NeverMail, At: at, Sent: at}, secret, nil, "its answer is not known. The next run sends it again."},
		"listed, unheard": {ledger.Suppression{Reason: ledger.Listed, At: at, Sent: at}, secret, nil, "Hand the list in once more."},
		"no contact":      {never, secret, func(t *explain.Tale) { t.Entry.ContactID = "" }, "because no contact of theirs is known here"},
		"refused": {never, secret, func(t *explain.Tale) {
			t.Entry.Failure = &ledger.Failure{Category: ledger.CategoryNeverMail, Reason: "the secret is refused"}
		}, "Owlat is not told yet: the secret is refused."},
		"the row that says so": {never, secret, func(t *explain.Tale) { t.Sync.Suppressed.Column = "blocked" }, `The column "blocked" of users said that no mail may go to the person, ever: in row 1, or in another one`},
	} {
		row := tale(func(t *explain.Tale) {
			if test.change != nil {
				test.change(t)
			}
		})
		v := story.Suppressed(test.is, []*explain.Tale{row}, test.ways)
		if v.Word != "No" || !strings.Contains(v.Says, test.says) || !v.Told.Equal(test.is.Told) || test.is.Told.IsZero() != !strings.Contains(v.Says, "Owlat was told, and") {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// TestATopicOfWhomNoMailMayReach is not told as well.
func TestATopicOfWhomNoMailMayReach(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*explain.Tale)
		word   string
		says   string
	}{
		"bounced":      {barred(ledger.Suppression{Reason: ledger.Bounced}), "gets nothing", "Owlat sends them no campaigns now, because a mail to the address came back for good."},
		"complained":   {barred(ledger.Suppression{Reason: ledger.Complained}), "gets nothing", "because the person marked a mail as spam."},
		"still on":     {barred(ledger.Suppression{Reason: ledger.NeverMail}), "not yet", "A run had put them on it. Now no mail may go to the person."},
		"nothing told": {func(t *explain.Tale) { t.Ways = ways.Ways{} }, "put on it", "Whether they left since is not known here"},
		"by our word": {func(t *explain.Tale) {
			barred(ledger.Suppression{Reason: ledger.NeverMail, Sent: at, Told: at})(t)
			state(ledger.MemberOut)(t)
		}, "not on it", "Not on it, because no mail may go to the person."},
		"by our word, lifted since": {func(t *explain.Tale) {
			state(ledger.MemberOut)(t)
			t.History = []ledger.HistoryLine{{At: at, Event: ledger.EventOptedOut}}
		}, "not on it", "Not on it since they were opted out of everything"},
		"by the row's word before": {func(t *explain.Tale) {
			barred(ledger.Suppression{Reason: ledger.NeverMail})(t)
			member(func(m *ledger.Membership) { m.State, m.At = ledger.MemberOut, at.Add(-time.Hour) })(t)
		}, "not on it", `the row's column "newsletter" says no`},
		"by a list, after it was on": {func(t *explain.Tale) {
			barred(ledger.Suppression{Reason: ledger.Listed, Sent: at, Told: at})(t)
			state(ledger.MemberOptedOut)(t)
			t.History = []ledger.HistoryLine{{At: at.Add(-time.Hour), Run: 1, Event: "topic added", Note: "news"}}
			t.OptOuts = []ledger.OptOut{{Topic: "news", At: at}}
		}, "not on it", "Taken off it, because no mail may go to the person. A run had put them on it before."},
		"left before it bounced": {func(t *explain.Tale) {
			barred(ledger.Suppression{Reason: ledger.Bounced})(t)
			state(ledger.MemberOptedOut)(t)
			t.OptOuts = []ledger.OptOut{{Topic: "news", At: at}}
		}, "not on it", "The person left it"},
		"undecided": {func(t *explain.Tale) {
			barred(ledger.Suppression{Reason: ledger.Bounced})(t)
			t.Entry.Memberships = nil
		}, "not on it", "Not put on it, because a mail to the address came back for good."},
	} {
		row := tale(test.change)
		topic := story.Topics(row)[0]
		if row.Barred != nil && strings.Contains(topic.Do, "A run puts") {
			t.Errorf("%s: no run puts them on it: %+v", name, topic)
		}
		if topic.Word() != test.word || topic.Tone == story.Good || !strings.Contains(topic.Says, test.says) {
			t.Errorf("%s: %s: %+v", name, topic.Word(), topic)
		}
	}
}

// TestTogether: what is wrong with one row says more than that another is well, and one topic is enough for a yes.
func TestTogether(t *testing.T) {
	t.Parallel()
	well, off := tale(func(*explain.Tale) {}), tale(state(ledger.MemberOut))
	off.Sync.Name, off.Key = "web", "7"
	off.Entry.Memberships[0].Topic, off.Sync.Topics[0].ID = "tips", "tips"
	if v := story.Together([]*explain.Tale{well, off}); v.Word != "Yes, from 1 of 2 topics" || v.Tone != story.Off || !strings.HasPrefix(v.Says, "By row 7 of web: Topic “tips”") {
		t.Errorf("%+v", v)
	}
	if v := story.Together([]*explain.Tale{well}); v.Word != "Yes" || strings.Contains(v.Says, "By row") {
		t.Errorf("%+v", v)
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
	}, nil)
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
		"7 write-back “crm” could not be told of a bounce. It was given up; attempts: 12.refused",
		"6 write-back That the person left “News” was written into a source.",
		"6 write-back “crm” was told of an opt-out.",
		"4 Owlat The person left News. A webhook told so.",
		"3 source The row's consent to “News” went from no to yes.",
		"2 sync Put it on topic news (when newsletter).",
		"1 sync Created the contact.",
		"0 source The row was first read.",
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

// TestOurOwnOptOut, and its echo, are told as ours, with a webhook and without.
func TestOurOwnOptOut(t *testing.T) {
	t.Parallel()
	echo := ledger.Feedback{ID: 1, Event: owlat.WebhookTopicUnsubscribed, At: at, Received: at, ContactID: "k1", Topics: []ledger.FeedbackTopic{{ID: "news", Name: "News"}}}
	for name, change := range map[string]func(*explain.Tale){
		"by a row":     barred(ledger.Suppression{Reason: ledger.NeverMail, Sent: at, Told: at}),
		"lifted since": func(*explain.Tale) {},
		"of a list":    barred(ledger.Suppression{Reason: ledger.Listed, Sent: at, Told: at}),
		"by no webhook": func(t *explain.Tale) {
			barred(ledger.Suppression{Reason: ledger.NeverMail, Sent: at, Told: at})(t)
			t.Heard = nil
		},
	} {
		row := tale(func(t *explain.Tale) {
			state(ledger.MemberOut)(t)
			t.Heard = []ledger.Feedback{echo}
			t.History = []ledger.HistoryLine{{At: at, Run: 3, Event: ledger.EventOptedOut, Note: "no mail may go to the person"}}
			t.OptOuts = []ledger.OptOut{{ContactID: "k1", Topic: "news", At: at}}
			change(t)
		})
		var all []string
		for _, m := range story.Moments([]*explain.Tale{row}, nil, nil, row.Barred) {
			all = append(all, m.Says)
		}
		text := strings.Join(all, "\n")
		if strings.Contains(text, "The person left") || strings.Contains(text, "The row said no") || !strings.Contains(text, "because owlat-sync had opted the person out of everything.") ||
			!strings.Contains(text, "Opted the person out of everything in Owlat") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
	only := &ledger.Suppression{Reason: ledger.Listed, At: at, Sent: at, Told: at}
	moments := story.Moments(nil, []ledger.Feedback{echo}, nil, only)
	if len(moments) != 3 || strings.Contains(fmt.Sprint(moments), "The person left") {
		t.Errorf("without a row: %+v", moments)
	}
	gone := tale(func(t *explain.Tale) {
		state(ledger.MemberOptedOut)(t)
		t.Heard = []ledger.Feedback{echo}
	})
	if moments := fmt.Sprint(story.Moments([]*explain.Tale{gone}, nil, nil, nil)); !strings.Contains(moments, "The person left News. A webhook told so.") {
		t.Errorf("a person who left: %s", moments)
	}
}

// TestWhenARowLeftTheSource: the history says it, and not when the row was last changed.
func TestWhenARowLeftTheSource(t *testing.T) {
	t.Parallel()
	row := tale(func(t *explain.Tale) {
		state(ledger.MemberLeft)(t)
		t.Entry.Departed = "topics"
	})
	if v := story.Of(row); !v.At.IsZero() {
		t.Errorf("nothing tells when, and it says %v", v.At)
	}
	row.History = []ledger.HistoryLine{{At: at.Add(time.Hour), Run: 9, Event: ledger.EventRowLeft}}
	if v := story.Of(row); !v.At.Equal(at.Add(time.Hour)) {
		t.Errorf("it says %v", v.At)
	}
	if got := story.Moments([]*explain.Tale{row}, nil, nil, nil); got[0].Says != "Found that the row has left the source." || got[0].Run != 9 {
		t.Errorf("%+v", got[0])
	}
}

// TestAdviceByReason: rows that cannot be sent need different things.
func TestAdviceByReason(t *testing.T) {
	t.Parallel()
	seen := make(map[string]string)
	for _, reason := range []string{
		"the row has no key", owlatsync.ErrAddressEmpty.Error(), owlatsync.ErrAddressForm.Error(), owlatsync.ErrAddressTooLong.Error(), owlatsync.ErrAddressSeveral.Error(), owlatsync.ErrAddressMailto.Error(),
		owlatsync.ErrAddressNamed.Error(), owlatsync.ErrAddressInvisible.Error(), owlatsync.ErrAddressBlank.Error(), owlatsync.ErrAddressDot.Error(), "the first name is longer than Owlat's 200 characters", "column \"blocked\" is neither yes nor no",
	} {
		text := story.AdviceOn(reconcile.Trouble{What: "invalid", Category: ledger.CategorySource, Reason: reason})
		if other := seen[text]; other != "" || !strings.HasSuffix(text, ".") {
			t.Errorf("%q and %q have one advice: %q", reason, other, text)
		}
		seen[text] = reason
	}
	for name, instead := range map[string]*step.Instead{"the same address": {Key: "7"}, "the same key": {Key: "7", Same: true}, "other consents": {Key: "7", Differs: true}} {
		text := story.AdviceOn(reconcile.Trouble{What: "duplicate", Category: ledger.CategorySource, Reason: "x", Instead: instead})
		if other := seen[text]; other != "" {
			t.Errorf("%s and %s have one advice: %q", name, other, text)
		}
		seen[text] = name
	}
	if got := story.AdviceOn(reconcile.Trouble{What: "row", Category: ledger.CategoryTaken}); got != story.Advice(ledger.CategoryTaken) {
		t.Errorf("a row that fails: %q", got)
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
		{Name: "users", Topics: []config.Topic{{ID: "k57", When: "newsletter"}, {ID: "k58"}}}, {Name: "leads", Topics: []config.Topic{{ID: "k58", When: "wants_tips"}, {ID: "k60", Name: "Tips"}}},
	}
	for id, want := range map[string]string{"k57": "k57 (users, when newsletter)", "k58": "k58 (users, every row; leads, when wants_tips)", "k59": "k59", "k60": "Tips"} {
		says, _ := story.Told(ledger.Feedback{Event: owlat.WebhookTopicUnsubscribed, Topics: []ledger.FeedbackTopic{{ID: id}}}, syncs, false)
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
