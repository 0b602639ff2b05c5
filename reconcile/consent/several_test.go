package consent_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/consent"
)

func TestAny(t *testing.T) {
	t.Parallel()
	words := []owlatsync.Consent{owlatsync.No, owlatsync.Unclear, owlatsync.Yes} // a later one counts before an earlier one
	for i, a := range words {
		for j, b := range words {
			given := []owlatsync.Consent{a}
			if got := consent.Any(given, []owlatsync.Consent{b}); got[0] != words[max(i, j)] || given[0] != a {
				t.Errorf("%s and %s give %s", a, b, got[0])
			}
		}
	}
	if diff := cmp.Diff([]owlatsync.Consent{owlatsync.Yes, owlatsync.No}, consent.Any([]owlatsync.Consent{owlatsync.Yes}, make([]owlatsync.Consent, 2))); diff != "" {
		t.Errorf("of different lengths (-want +got):\n%s", diff)
	}
}

func TestSpent(t *testing.T) {
	t.Parallel()
	topics := []string{"news", "offers"}
	for _, tt := range []struct {
		name     string
		says     bool
		state    ledger.MembershipState // of the sibling for news; empty: it does not have the topic
		optedOut bool
		spent    []string
	}{
		{name: "another topic", spent: []string{}},
		{name: "to be added", says: true, state: ledger.MemberWanted, spent: []string{}},
		{name: "left alone", says: true, state: ledger.MemberSkipped, spent: []string{}},
		{name: "without consent", state: ledger.MemberOut, spent: []string{}},
		{name: "its row is gone", says: true, state: ledger.MemberLeft, spent: topics[:1]},
		{name: "its row is gone, and perhaps still on it", says: true, state: ledger.MemberLeaving, spent: topics[:1]},
		{name: "withdrawn, and perhaps still on it", state: ledger.MemberLeaving, spent: []string{}},
		{name: "sent", says: true, state: ledger.MemberSent, spent: topics[:1]},
		{name: "added", says: true, state: ledger.MemberAdded, spent: topics[:1]},
		{name: "unsure", says: true, state: ledger.MemberUnsure, spent: topics[:1]},
		{name: "opted out", says: true, state: ledger.MemberOptedOut, spent: topics[:1]},
		{name: "an opt-out is known", optedOut: true, spent: topics},
	} {
		sibling := &ledger.Entry{Key: "1", ContactID: "c"}
		if tt.state != "" {
			sibling.Memberships = []ledger.Membership{{Topic: "news", Consent: tt.says, State: tt.state}}
		}
		var optOuts []ledger.OptOut
		if tt.optedOut {
			optOuts = []ledger.OptOut{{ContactID: "c", Topic: "another"}}
		}
		got := consent.Spent([]ledger.Holder{{Sync: "users", Entry: sibling}}, optOuts, topics)
		if diff := cmp.Diff(tt.spent, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
