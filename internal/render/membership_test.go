package render

import (
	"strings"
	"testing"

	"owlatsync/internal/config"
	"owlatsync/internal/explain"
	"owlatsync/ledger"
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
