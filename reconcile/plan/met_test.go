package plan

import (
	"owlatsync"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/step"
)

// TestMet plans a row whose contact is to be created, and says what becomes of it if the contact turns out to have been there.
func TestMet(t *testing.T) {
	t.Parallel()
	news := policy.Topic{ID: "news", When: true}
	asked := policy.Topic{ID: "news", When: true, Existing: policy.ExistingAdd}
	events := []policy.EventRule{{Name: "signup", On: ledger.OnCreated}, {Name: "welcome", On: ledger.OnAppears}}
	said := func(consent bool, state ledger.MembershipState) *ledger.Entry {
		return &ledger.Entry{Key: "7", Memberships: []ledger.Membership{{Topic: "news", Consent: consent, State: state}}}
	}
	for _, tt := range []struct {
		name     string
		topics   []policy.Topic
		events   []policy.EventRule
		known    Known
		consents bool
		planned  []string // changes of topics if the contact is created
		met      []string // and if it was there
		state    ledger.MembershipState
		skipped  int
		due      []string // names of events if it was there
		none     bool
	}{
		{name: "nothing depends on it", none: true},
		{name: "its topics are left alone", topics: []policy.Topic{news}, consents: true,
			planned: []string{"add_topic news"}, state: ledger.MemberSkipped, skipped: 1},
		{name: "existing: add", topics: []policy.Topic{asked}, consents: true,
			planned: []string{"add_topic news"}, met: []string{"add_topic news"}, state: ledger.MemberWanted},
		{name: "a no", topics: []policy.Topic{asked}, state: ledger.MemberOut},
		{name: "a no that has become a yes", topics: []policy.Topic{news}, known: Known{Entry: said(false, ledger.MemberOut)}, consents: true,
			planned: []string{"add_topic news"}, state: ledger.MemberSkipped, skipped: 1},
		{name: "a yes that becomes a no, of a contact that is no more", topics: []policy.Topic{news}, known: Known{Entry: said(true, ledger.MemberLeft), Again: true},
			met: nil, state: ledger.MemberOut},
		{name: "a person who left", topics: []policy.Topic{asked}, known: Known{Entry: said(true, ledger.MemberOptedOut)}, consents: true, state: ledger.MemberOptedOut},
		{name: "it appears", events: events, due: []string{"welcome"}},
		{name: "it was met before", events: events, known: Known{Again: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &policy.Policies{Topics: tt.topics, Events: tt.events}
			var given ledger.Entry
			if tt.known.Entry != nil {
				given = *tt.known.Entry
				given.Memberships = slices.Clone(given.Memberships)
			}
			s := Row(p, &step.Row{Key: "7", Email: "a@example.com", Consents: []owlatsync.Consent{owlatsync.ConsentOf(tt.consents)}}, tt.known, noon)
			if tt.known.Entry != nil {
				if diff := cmp.Diff(&given, tt.known.Entry); diff != "" {
					t.Errorf("the entry has changed:\n%s", diff)
				}
			}
			if (s.Met == nil) != tt.none {
				t.Fatalf("met %+v", s.Met)
			}
			if s.Met == nil {
				return
			}
			var planned []string
			for _, c := range s.Changes {
				if c.Topic != "" {
					planned = append(planned, short(s.Changes[len(s.Changes)-1:])...)
				}
			}
			if diff := cmp.Diff(tt.planned, planned) + cmp.Diff(tt.met, short(s.Met.Changes)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if tt.topics != nil {
				if m := s.Met.Memberships[0]; len(s.Met.Memberships) != 1 || m.State != tt.state || s.Met.Skipped != tt.skipped {
					t.Errorf("memberships %+v, %d skipped, want %s, %d", s.Met.Memberships, s.Met.Skipped, tt.state, tt.skipped)
				}
			}
			var due []string
			for _, m := range s.Met.Events {
				due = append(due, m.Name)
			}
			var said []string
			for _, m := range s.Met.Messages {
				said = append(said, m.Name)
			}
			if diff := cmp.Diff(tt.due, due) + cmp.Diff(tt.due, said); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
	if s := Row(&policy.Policies{Topics: []policy.Topic{news}}, &step.Row{Key: "7", Email: "a@example.com"},
		Known{Entry: &ledger.Entry{Key: "7", ContactID: "c7", Email: "a@example.com", ChangedAt: noon.Add(-time.Hour)}}, noon); s.Met != nil {
		t.Errorf("a row with a contact has %+v", s.Met)
	}
}
