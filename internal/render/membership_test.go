package render

import (
	"strings"
	"testing"

	"owlatsync/internal/config"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// TestWhatIsKnownOfAMembership: nobody is said to be off a topic of whom that is not known.
func TestWhatIsKnownOfAMembership(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		state    ledger.MembershipState
		existing reconcile.Existing
		want     string
	}{
		{ledger.MemberOut, reconcile.ExistingSkip, "not on it since"},
		{ledger.MemberUnknown, reconcile.ExistingSkip, "not known whether on it: the row says no"},
		{ledger.MemberUnknown, reconcile.ExistingAdd, "not known whether on it: the row does not say yes"},
		{ledger.MemberOptedOut, reconcile.ExistingSkip, "whether they came back by themselves is not known"},
	} {
		sync := config.Sync{Topics: []config.Topic{{ID: "news", When: "news", Existing: tt.existing}}}
		if got := membershipWords(sync, &ledger.Entry{}, &ledger.Membership{Topic: "news", State: tt.state}); !strings.Contains(got, tt.want) {
			t.Errorf("%s, %s: %q", tt.state, tt.existing, got)
		}
	}
}
