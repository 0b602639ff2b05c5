package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

func TestCounts(t *testing.T) {
	t.Parallel()
	entry := func(key, email string, after time.Duration) *ledger.Entry {
		return &ledger.Entry{Key: key, ContactID: "c" + key, Email: email, Origin: ledger.OriginCreated, ChangedAt: noon.Add(after)}
	}
	const address = "ada@example.com"
	gone := func(key string, after time.Duration) rival { return rival{entry: entry(key, address, after)} }
	keeps := func(key, email string) rival { return rival{entry: entry(key, email, 0), there: true, keeps: true} }
	frees := func(key string) rival { return rival{entry: entry(key, address, 0), there: true} }
	for _, tt := range []struct {
		name    string
		rivals  []rival
		first   string
		winner  string // why the row does not count, a part of it; empty: it does
		rekeyed string // the key of the entry that is the row's
	}{
		{name: "alone"},
		{name: "the first of several", first: "7"},
		{name: "not the first", first: "3", winner: "the row with key 3 has the same address and counts, because it stands first"},
		{name: "the first has a private key", first: "x@example.com", winner: "another row has the same address and counts, because it stands first"},
		{name: "another row holds the contact", rivals: []rival{keeps("3", address)}, winner: "the row with key 3 has the same address and counts, because the contact is its own"},
		{name: "the holder counts before the first", rivals: []rival{keeps("3", address)}, first: "7", winner: "the contact is its own"},
		{name: "another sync renamed the holder's contact", rivals: []rival{keeps("3", "old@example.com")}, winner: "another sync gave it the address"},
		{name: "the holder frees the address", rivals: []rival{frees("3")}},
		{name: "the holder frees the address for another", rivals: []rival{frees("3")}, first: "4", winner: "row with key 4"},
		{name: "the holder left the source", rivals: []rival{gone("3", 0)}, rekeyed: "3"},
		{name: "the holder left, and another is first", rivals: []rival{gone("3", 0)}, first: "4", winner: "row with key 4"},
		{name: "one holder left and one stays", rivals: []rival{gone("3", 0), keeps("4", address)}, winner: "row with key 4"},
		{name: "several left", rivals: []rival{gone("3", 1), gone("4", 2), gone("5", 0)}, rekeyed: "4"},
		{name: "one left and one frees it", rivals: []rival{frees("3"), gone("4", 0)}, rekeyed: "4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			won, rekeyed := counts(&step.Row{Key: "7", Email: address}, tt.rivals, tt.first)
			if (won != nil) != (tt.winner != "") || won != nil && !strings.Contains(won.Reason(), tt.winner) {
				t.Errorf("winner %+v, want %q", won, tt.winner)
			}
			key := ""
			if rekeyed != nil {
				key = rekeyed.Key
			}
			if key != tt.rekeyed {
				t.Errorf("the row is that of %q under a new key, want %q", key, tt.rekeyed)
			}
		})
	}
}

func TestLastWith(t *testing.T) {
	t.Parallel()
	member := func(state ledger.MembershipState, consent bool) []ledger.Membership {
		return []ledger.Membership{{Topic: "news", Consent: consent, State: state}}
	}
	// The entries, from the one that certainly had the address earlier to the one that certainly had it last.
	inOrder := []*ledger.Entry{
		{Key: "gone", Origin: ledger.OriginGone, ChangedAt: noon},
		{Key: "gone later", Origin: ledger.OriginGone, ChangedAt: noon.Add(time.Hour)},
		{Key: "left its topics", Memberships: member(ledger.MemberLeft, true), ChangedAt: noon.Add(-time.Hour)},
		{Key: "may have left its topics", Memberships: member(ledger.MemberLeaving, true), ChangedAt: noon},
		{Key: "as it was", Memberships: member(ledger.MemberAdded, true), ChangedAt: noon.Add(-time.Hour)},
		{Key: "took a no", Memberships: member(ledger.MemberLeaving, false), ChangedAt: noon.Add(-time.Minute)},
		{Key: "without topics", ChangedAt: noon},
	}
	for i, a := range inOrder {
		if got := lastWith(nil, a); got != a {
			t.Errorf("%q alone is not the last", a.Key)
		}
		for j, b := range inOrder {
			want := inOrder[max(i, j)]
			if diff := cmp.Diff(want.Key, lastWith(a, b).Key); diff != "" {
				t.Errorf("of %q and %q (-want +got):\n%s", a.Key, b.Key, diff)
			}
		}
	}
}
