package consent

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
)

// TestPlanIsTheTable plans one topic in every case that a row can bring about: what follows is what the line says, and what was
// given stays as it was.
func TestPlanIsTheTable(t *testing.T) {
	t.Parallel()
	met := 0
	for _, c := range everyCase() {
		if c.Holds.NeverMail && c.Says != No { // the planner makes every word a no then
			continue
		}
		if c.Holds.Unspent && c.Holds.NewContact || c.Holds.Unspent && !c.Holds.HasContact {
			continue // an unspent yes is that of a contact which was created before
		}
		met++
		topics := []policy.Topic{{ID: "news", When: c.Holds.HasColumn}}
		if c.Holds.AddExisting {
			topics[0].Existing = policy.ExistingAdd
		}
		given := []ledger.Membership{{Topic: "elsewhere", Consent: true, State: ledger.MemberAdded, At: noon}}
		if m := membershipOf(c.Has, noon.Add(-time.Hour), time.Time{}); m != nil {
			given = append(given, *m)
		}
		r := Row{Says: []owlatsync.Consent{c.Says}, Origin: ledger.OriginAdopted, HasContact: c.Holds.HasContact, New: c.Holds.NewContact, Suppressed: c.Holds.Suppressed, Never: c.Holds.NeverMail}
		if c.Holds.NeverMail {
			r.Says[0] = Yes
		}
		if c.Holds.WrittenBack {
			r.OptOuts = []ledger.OptOut{{ContactID: "c", Topic: "news", At: noon.Add(-time.Hour), Written: noon.Add(-time.Minute)}}
		}
		if c.Holds.Unspent {
			r.Origin = ledger.OriginCreated
			given = append(given, ledger.Membership{Topic: "mistyped", Consent: true, State: ledger.MemberWanted})
		}
		r.Memberships = slices.Clone(given)
		v := Plan(topics, r, noon)
		if diff := cmp.Diff(given, r.Memberships); diff != "" {
			t.Fatalf("%+v: what was given has changed:\n%s", c, diff)
		}
		line := Decide(c)
		var want []owlatsync.Change
		switch line.Does {
		case Add, AddAgain:
			want = []owlatsync.Change{{Kind: owlatsync.AddTopic, Topic: "news"}}
		case Remove:
			want = []owlatsync.Change{{Kind: owlatsync.RemoveTopic, Topic: "news"}}
		}
		if diff := cmp.Diff(want, v.Changes); diff != "" {
			t.Errorf("%+v: changes (-want +got):\n%s", c, diff)
		}
		if (v.Skipped == 1) != (line.Does == LeaveIt) {
			t.Errorf("%+v: %d skipped", c, v.Skipped)
		}
		m, before := find(v.Memberships, "news"), find(given, "news")
		becomes := line.Becomes
		if becomes == "" {
			becomes = before.State
		}
		if m == nil || m.State != becomes || line.Becomes != "" && m.Consent != (c.Says == Yes) {
			t.Errorf("%+v: the ledger has %+v, want %q", c, m, becomes)
		}
		if renewed := line.Does == Add && line.If == HasColumn; !m.Renewed.IsZero() != renewed {
			t.Errorf("%+v: the consent was renewed at %s", c, m.Renewed)
		}
		if changed := line.Says == Yes && line.Becomes != ""; before != nil && m.At.Equal(noon) != changed {
			t.Errorf("%+v: the membership is of %s", c, m.At)
		}
		if other := find(v.Memberships, "elsewhere"); other == nil || *other != given[0] {
			t.Errorf("%+v: a topic that is not configured became %+v", c, other)
		}
	}
	if met != 4*len(All)*(8+8+4)*4 {
		t.Errorf("%d cases", met)
	}
}

// TestWithdrawIsTheNo: of a row that cannot be applied, only its no to a topic counts, and only if it takes somebody off.
func TestWithdrawIsTheNo(t *testing.T) {
	t.Parallel()
	for _, c := range everyCase() {
		if c.Holds.Unspent || c.Holds.NeverMail {
			continue
		}
		topics := []policy.Topic{{ID: "news", When: c.Holds.HasColumn}, {ID: "not read", When: true, Existing: policy.ExistingAdd}}
		if c.Holds.AddExisting {
			topics[0].Existing = policy.ExistingAdd
		}
		r := Row{Says: []owlatsync.Consent{c.Says}, Origin: ledger.OriginAdopted, HasContact: c.Holds.HasContact, New: c.Holds.NewContact}
		if c.Holds.WrittenBack {
			r.OptOuts = []ledger.OptOut{{ContactID: "c", Topic: "news", At: noon.Add(-time.Minute), Written: noon}}
		}
		if m := membershipOf(c.Has, noon, time.Time{}); m != nil {
			r.Memberships = append(r.Memberships, *m)
		}
		v := Withdraw(topics, r, noon.Add(time.Hour))
		if removes := len(v.Changes) == 1 && v.Changes[0] == (owlatsync.Change{Kind: owlatsync.RemoveTopic, Topic: "news"}); removes != (c.Says == No && mayBeOn(c)) || len(v.Changes) > 1 {
			t.Errorf("%+v: changes %v", c, v.Changes)
		}
		if len(v.Changes) == 0 {
			if diff := cmp.Diff(r.Memberships, v.Memberships); diff != "" {
				t.Errorf("%+v: nothing is withdrawn, and what is recorded changed:\n%s", c, diff)
			}
		}
	}
}

func TestOld(t *testing.T) {
	t.Parallel()
	for _, has := range All[1:] {
		given := []ledger.Membership{*membershipOf(has, noon, time.Time{})}
		given[0].Pending, given[0].Unmailed = noon, true
		m := Old(given)[0]
		if !m.Pending.IsZero() || m.Unmailed {
			t.Errorf("%s: the other contact is waited for: %+v", has, m)
		}
		old := RecordedOf(&m)
		if yes := slices.Contains([]Recorded{Wanted, Sent, Added, Unsure}, has); yes && old != LeftAlone || !yes && old != has {
			t.Errorf("%s becomes %s", has, old)
		}
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	news, offers := policy.Topic{ID: "news", When: true}, policy.Topic{ID: "offers"}
	for _, tt := range []struct {
		name   string
		topics []policy.Topic
		row    Row
		want   []string // states, in the order of the memberships
		adds   int
	}{
		{"no topics", nil, Row{New: true}, nil, 0},
		{"each topic its own answer", []policy.Topic{news, offers}, Row{Says: []owlatsync.Consent{owlatsync.No, owlatsync.Yes}, New: true}, []string{"news out", "offers wanted"}, 1},
		{"a source without the columns", []policy.Topic{news, offers}, Row{New: true}, []string{"news out", "offers wanted"}, 1},
		{"a deleted contact is not new", []policy.Topic{offers}, Row{New: true, Origin: ledger.OriginDeleted}, []string{"offers skipped"}, 0},
		{"a topic id was corrected before the add was sent", []policy.Topic{offers},
			Row{Origin: ledger.OriginCreated, HasContact: true, Memberships: []ledger.Membership{{Topic: "offres", Consent: true, State: ledger.MemberWanted}}},
			[]string{"offres skipped", "offers wanted"}, 1},
		{"a topic id was corrected after an add without an answer", []policy.Topic{offers},
			Row{Origin: ledger.OriginCreated, HasContact: true, Memberships: []ledger.Membership{{Topic: "offres", Consent: true, State: ledger.MemberSent}}},
			[]string{"offres unsure", "offers wanted"}, 1},
		{"another topic instead of one that the contact is on", []policy.Topic{offers},
			Row{Origin: ledger.OriginCreated, HasContact: true, Memberships: []ledger.Membership{{Topic: "old", Consent: true, State: ledger.MemberAdded}}},
			[]string{"old added", "offers skipped"}, 0},
		{"a yes of a contact that was there is spent", []policy.Topic{offers},
			Row{Origin: ledger.OriginAdopted, HasContact: true, Memberships: []ledger.Membership{{Topic: "offres", Consent: true, State: ledger.MemberWanted}}},
			[]string{"offres wanted", "offers skipped"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := Plan(tt.topics, tt.row, noon)
			var got []string
			for _, m := range v.Memberships {
				got = append(got, m.Topic+" "+string(m.State))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("memberships (-want +got):\n%s", diff)
			}
			if len(v.Changes) != tt.adds {
				t.Errorf("changes %v, want %d adds", v.Changes, tt.adds)
			}
		})
	}
}

// TestWhatFollowsFromAMembership says for everything recorded whether there is somebody to take off, whether the row's absence did,
// whether another sync's row wants the contact there, what is kept of a deleted contact, and what was acted on.
func TestWhatFollowsFromAMembership(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		has                     Recorded
		removable, gone, wanted bool
		afterDeletion           ledger.MembershipState
		dated                   bool // by the deletion
		acted                   bool
	}{
		{SaidNo, false, false, false, ledger.MemberOut, false, true},
		{NotKnown, false, false, false, ledger.MemberOut, false, true},
		{TakingOff, true, false, false, ledger.MemberOut, false, true},
		{LeavingGone, true, true, false, ledger.MemberLeft, true, true},
		{LeftGone, false, true, false, ledger.MemberLeft, false, true},
		{Wanted, true, false, true, ledger.MemberLeft, true, false},
		{Sent, true, false, true, ledger.MemberLeft, true, true},
		{Added, true, false, true, ledger.MemberLeft, true, true},
		{LeftAlone, true, false, true, ledger.MemberLeft, true, true},
		{OptedOut, true, false, false, ledger.MemberOptedOut, false, true},
		{Unsure, true, false, true, ledger.MemberLeft, true, true},
	} {
		t.Run(string(tt.has), func(t *testing.T) {
			t.Parallel()
			m := membershipOf(tt.has, noon, time.Time{})
			if got := Removable(m); got != tt.removable {
				t.Errorf("removable %v", got)
			}
			if got := GoneWithRow(*m); got != tt.gone {
				t.Errorf("gone with the row %v", got)
			}
			holder := ledger.Holder{Sync: "other", Entry: &ledger.Entry{Key: "1", Memberships: []ledger.Membership{*m}}}
			if got := WantedBy([]ledger.Holder{{Entry: &ledger.Entry{}}, holder}, "news"); got != tt.wanted {
				t.Errorf("wanted %v", got)
			}
			if WantedBy([]ledger.Holder{holder}, "offers") {
				t.Error("wanted on another topic")
			}
			given := []ledger.Membership{*m}
			want := *m
			if want.State = tt.afterDeletion; tt.dated {
				want.At = noon.Add(time.Hour)
			}
			if diff := cmp.Diff([]ledger.Membership{want}, AfterDeletion(given, noon.Add(time.Hour))); diff != "" {
				t.Errorf("after a deletion (-want +got):\n%s", diff)
			}
			if got := len(Acted(given)) == 1; got != tt.acted {
				t.Errorf("acted on %v", got)
			}
			if given[0] != *m {
				t.Errorf("what was given has become %+v", given[0])
			}
		})
	}
}

// TestEcho: the no that follows a write-back of an opt-out is no new word, unless the person said yes since.
func TestEcho(t *testing.T) {
	t.Parallel()
	news := []policy.Topic{{ID: "news", When: true}}
	left := ledger.OptOut{ContactID: "c", Topic: "news", At: noon, Written: noon.Add(time.Second)}
	row := func(m ledger.Membership, o ledger.OptOut) Row {
		optOuts := []ledger.OptOut{o}
		return Row{Says: []owlatsync.Consent{No}, Origin: ledger.OriginCreated, HasContact: true, OptOuts: optOuts, Memberships: Heed([]ledger.Membership{m}, optOuts)}
	}
	added := ledger.Membership{Topic: "news", Consent: true, State: ledger.MemberAdded, At: noon.Add(-time.Hour)}
	again, elsewhere, unwritten := added, left, left
	again.Renewed, again.At = noon.Add(time.Hour), noon.Add(time.Hour)
	elsewhere.Topic, unwritten.Written = "other", time.Time{}
	for _, test := range []struct {
		name string
		row  Row
		asks bool
	}{
		{"the no is our own", row(added, left), false},
		{"the person said yes again, and then no", row(again, left), true},
		{"the person left another topic", row(added, elsewhere), true},
		{"no write-back wrote it", row(added, unwritten), true},
	} {
		v := Plan(news, test.row, noon.Add(2*time.Hour))
		if (len(v.Changes) == 1) != test.asks {
			t.Errorf("%s: %v", test.name, v.Changes)
		}
		if m := find(v.Memberships, "news"); !test.asks && (m.Consent || m.State != ledger.MemberOut) {
			t.Errorf("%s: the ledger has %+v", test.name, m)
		}
	}
}

// TestWithdrawOfNeverMail: who must get no mail leaves every topic, whatever the row says of them, unless Owlat was told already.
func TestWithdrawOfNeverMail(t *testing.T) {
	t.Parallel()
	topics := []policy.Topic{{ID: "news", When: true}, {ID: "all"}, {ID: "off", When: true}}
	r := Row{Says: []owlatsync.Consent{Yes}, Origin: ledger.OriginAdopted, HasContact: true, Never: true, Memberships: []ledger.Membership{
		{Topic: "news", Consent: true, State: ledger.MemberAdded}, {Topic: "off", State: ledger.MemberOut},
	}}
	if v := Withdraw(topics, r, noon); len(v.Changes) != 2 || v.Changes[0].Topic != "news" || v.Changes[1].Topic != "all" {
		t.Errorf("changes %v", v.Changes)
	}
	r.Told = true
	if v := Withdraw(topics, r, noon); len(v.Changes) > 0 {
		t.Errorf("told already: changes %v", v.Changes)
	}
}
