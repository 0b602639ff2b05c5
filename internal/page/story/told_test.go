package story_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/explain"
	"owlatsync/internal/page/story"
	"owlatsync/internal/ways"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// TestWhomNoRunPutsOn says so, and why, whatever the topic is like.
func TestWhomNoRunPutsOn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*explain.Tale)
		why    string
	}{
		"bounced":     {barred(ledger.Suppression{Reason: ledger.Bounced}), "a mail to the address came back for good"},
		"complained":  {barred(ledger.Suppression{Reason: ledger.Complained}), "the person marked a mail as spam"},
		"listed":      {barred(ledger.Suppression{Reason: ledger.Listed}), "no mail may go to the person"},
		"row is gone": {func(t *explain.Tale) { t.Entry.Departed = "topics" }, "the row is not in the source any more"},
	} {
		row := tale(func(t *explain.Tale) {
			state(ledger.MemberOut)(t)
			t.Entry.Memberships[0].At = at.Add(-time.Hour)
			test.change(t)
		})
		if topic := story.Topics(row)[0]; topic.Do != "No run puts them on it, because "+test.why+"." {
			t.Errorf("%s: %+v", name, topic)
		}
		row.Entry.Memberships = nil
		if topic := story.Topics(row)[0]; topic.Says != "Not put on it, because "+test.why+"." || topic.Do != "" {
			t.Errorf("%s, undecided: %+v", name, topic)
		}
	}
	gone := tale(func(t *explain.Tale) { t.Entry.Origin, t.Entry.Memberships = ledger.OriginGone, nil })
	if topic := story.Topics(gone)[0]; topic.On || topic.Tone != story.Off || topic.Says != "Not put on it, because the contact was deleted in Owlat." {
		t.Errorf("deleted in Owlat: %+v", topic)
	}
	gone.Sync.OnRemoteDelete = reconcile.RemoteDeleteRecreate
	if topic := story.Topics(gone)[0]; topic.Tone != story.Waiting {
		t.Errorf("created anew: %+v", topic)
	}
}

// TestWhenTheListTookEffect: the date is that of the opt-out, not that of the add.
func TestWhenTheListTookEffect(t *testing.T) {
	t.Parallel()
	row := tale(func(t *explain.Tale) {
		barred(ledger.Suppression{Reason: ledger.Listed, Sent: at.Add(time.Hour), Told: at.Add(time.Hour)})(t)
		state(ledger.MemberOptedOut)(t)
		t.OptOuts = []ledger.OptOut{{Topic: "news", At: at.Add(time.Hour)}}
	})
	if topic := story.Topics(row)[0]; !topic.At.Equal(at.Add(time.Hour)) {
		t.Errorf("%+v", topic)
	}
}

// TestARowThatFailsAgain: each reason stands with the time at which it was the reason.
func TestARowThatFailsAgain(t *testing.T) {
	t.Parallel()
	row := tale(func(t *explain.Tale) {
		t.Entry.Failure = &ledger.Failure{First: at.Add(time.Hour), Last: at.Add(2 * time.Hour), Attempts: 1, Reason: "refused"}
	})
	says := func() (all []string) {
		for _, m := range story.Moments([]*explain.Tale{row}, nil, nil, nil) {
			all = append(all, m.Says+m.More)
		}
		return all
	}
	if got := says(); !slices.Equal(got, []string{"The row failed again.refused", "The row began to fail.", "The row was first read."}) {
		t.Errorf("%q", got)
	}
	row.History = []ledger.HistoryLine{{At: at.Add(time.Hour), Event: "failed", Note: "no answer"}, {At: at.Add(2 * time.Hour), Event: "failed", Note: "refused"}}
	if got := says(); !slices.Equal(got, []string{"Failed: refused.", "Failed: no answer.", "The row began to fail.", "The row was first read."}) {
		t.Errorf("with the history: %q", got)
	}
}

// TestTheRowIsReadFirst although Owlat's clock is behind that of this machine.
func TestTheRowIsReadFirst(t *testing.T) {
	t.Parallel()
	row := tale(member(func(m *ledger.Membership) { m.State, m.Consent, m.At = ledger.MemberOut, false, at.Add(-time.Minute) }))
	moments := story.Moments([]*explain.Tale{row}, nil, nil, nil)
	if len(moments) != 2 || moments[1].Says != "The row was first read." || !strings.HasPrefix(moments[0].Says, "The row said no") {
		t.Errorf("%+v", moments)
	}
}

// TestLetGo says what is known: that a run took the contact off, and of a row that is back that this is no consent.
func TestLetGo(t *testing.T) {
	t.Parallel()
	row := tale(func(t *explain.Tale) { state(ledger.MemberLeft)(t); t.Entry.Departed = "topics" })
	says := func() string { return story.Topics(row)[0].Says }
	if got := says(); got != "Let go of when the row left the source: taken off, unless another row wanted the contact there." {
		t.Error(got)
	}
	row.History = []ledger.HistoryLine{{At: at, Run: 2, Event: "topic removed", Note: "news"}}
	if got := says(); got != "Taken off it, because the row left the source." {
		t.Error(got)
	}
	row.Entry.Departed = ""
	if got := says(); got != "Taken off it, because the row left the source. That the row is back is no new consent." {
		t.Error(got)
	}
}

// TestWhatWouldBecomeOfARow that the source has in a form that can be sent.
func TestWhatWouldBecomeOfARow(t *testing.T) {
	t.Parallel()
	sync := &config.Sync{Suppressed: config.Suppressed{Column: "blocked"}}
	fails := tale(func(t *explain.Tale) { t.Entry.Failure = &ledger.Failure{Reason: "taken"} })
	parked := tale(func(t *explain.Tale) { t.Entry.Failure = &ledger.Failure{Reason: "taken", Parked: true} })
	stranger := tale(func(t *explain.Tale) {
		t.Entry, t.Sync.Suppressed.Column = &ledger.Entry{Key: "1", Fingerprint: ledger.Fingerprint{Lo: 1}}, "blocked"
	})
	gone := tale(func(t *explain.Tale) { t.Entry.Origin, t.Entry.ContactID = ledger.OriginGone, "" })
	for want, got := range map[string]string{
		`Runs put the person on no topic: the column "blocked" says that no mail may go to them, ever.`:  story.Becomes(nil, true, sync, true, nil),
		"Runs put the person on no topic, because a mail to the address came back for good.":             story.Becomes(nil, true, sync, false, &ledger.Suppression{Reason: ledger.Bounced}),
		"It has the form that Owlat takes, but it fails, and later runs try it again: taken.":            story.Becomes(fails, true, sync, false, nil),
		"It has the form that Owlat takes, but it fails and is not tried again until it changes: taken.": story.Becomes(parked, true, sync, false, nil),
		"It can be sent, and no run has taken it up yet: the next one does.":                             story.Becomes(nil, true, sync, false, nil),
		"It can be sent. Its own page tells how it stands.":                                              story.Becomes(nil, false, sync, false, nil),
		"It can be sent.": story.Becomes(tale(func(*explain.Tale) {}), true, sync, false, nil),
		"Runs make no contact of it: a row or a list said that no mail may go to the address. \"owlat-sync feedback lift\" ends that.": story.Becomes(stranger, true, sync, false, nil),
		"It has the form that Owlat takes, but no run sends it, because the contact was deleted in Owlat.":                             story.Becomes(gone, true, sync, false, nil),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestWhoCanTakeItBack: where Owlat was told nothing, nobody needs to.
func TestWhoCanTakeItBack(t *testing.T) {
	t.Parallel()
	never := ledger.Suppression{Reason: ledger.NeverMail, At: at}
	if v := story.Suppressed(never, nil, ways.Ways{}); strings.Contains(v.Do, "Only the person") || !strings.Contains(v.Do, "A look in the sources now names the row.") {
		t.Errorf("without a contact: %+v", v)
	}
	if v := story.Suppressed(never, []*explain.Tale{tale(func(*explain.Tale) {})}, ways.Ways{}); !strings.HasPrefix(v.Do, "Only the person") {
		t.Errorf("with one: %+v", v)
	}
}

// TestTopicsHaveNames that the configuration gives them.
func TestTopicsHaveNames(t *testing.T) {
	t.Parallel()
	row := tale(func(t *explain.Tale) {
		t.Sync.Topics[0].Name = "Weekly"
		state(ledger.MemberOut)(t)
		t.History = []ledger.HistoryLine{{At: at.Add(time.Hour), Run: 2, Event: "topic removed", Note: "news"}}
	})
	if topic := story.Topics(row)[0]; topic.Name != "Weekly" {
		t.Errorf("%+v", topic)
	}
	if v := story.Of(row); !strings.HasPrefix(v.Says, "Topic “Weekly”") {
		t.Errorf("%+v", v)
	}
	if got := story.Moments([]*explain.Tale{row}, nil, nil, nil)[0].Says; got != "Took it off topic “Weekly” (when newsletter)." {
		t.Error(got)
	}
}

// TestLifting names the true origin, and what lifting does then.
func TestLifting(t *testing.T) {
	t.Parallel()
	row := tale(func(t *explain.Tale) { t.Sync.Suppressed.Column = "blocked" })
	for reason, want := range map[ledger.SuppressionReason][]string{
		ledger.NeverMail:  {`The column "blocked" of users said`, "Correct the row first.", "Owlat is told nothing."},
		ledger.Listed:     {"Somebody handed in a list", "Owlat is told nothing."},
		ledger.Complained: {"marked a mail as spam", "Owlat has a block list of its own"},
		ledger.Bounced:    {"came back for good", "Owlat has a block list of its own"},
	} {
		why, follows := story.Lifting(ledger.Suppression{Reason: reason}, []*explain.Tale{row})
		text := why + " " + strings.Join(follows, " ")
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("%s: %q lacks %q", reason, text, part)
			}
		}
		if reason != ledger.Bounced && strings.Contains(text, "came back") {
			t.Errorf("%s is told as a bounce: %s", reason, text)
		}
	}
}

// TestSinceWhenNoMailMayGo: a row that said no before was off its topic for that reason until then.
func TestSinceWhenNoMailMayGo(t *testing.T) {
	t.Parallel()
	row := tale(func(t *explain.Tale) {
		state(ledger.MemberOut)(t)
		t.Entry.Memberships[0].At = at.Add(-30 * time.Second)
		t.Barred = &ledger.Suppression{Reason: ledger.Listed, At: at}
	})
	if topic := story.Topics(row)[0]; topic.Says != "Not on it, because no mail may go to the person." || !topic.At.Equal(at) {
		t.Errorf("%+v", topic)
	}
}
