package plan

import (
	"strings"
	"testing"

	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
)

func TestStays(t *testing.T) {
	t.Parallel()
	other := []ledger.Holder{{Sync: "orders", Entry: &ledger.Entry{Key: "o7", ContactID: "c2"}}}
	created := []ledger.Holder{{Sync: "orders", Entry: &ledger.Entry{Key: "o7", ContactID: "c2", Origin: ledger.OriginCreated}}}
	entry := func(origin ledger.Origin, f *ledger.Failure) *ledger.Entry {
		return &ledger.Entry{Key: "2", ContactID: "c2", Email: "b@example.com", Origin: origin, Failure: f}
	}
	for _, tt := range []struct {
		name   string
		policy policy.MissingPolicy
		entry  *ledger.Entry
		stays  Stays
		says   string // a part of the reason; empty: the contact is deleted
	}{
		{"created by this sync", policy.MissingDelete, entry(ledger.OriginCreated, nil), Stays{Deletes: true}, ""},
		{"an earlier delete had no effect", policy.MissingDelete, entry(ledger.OriginDeleting, nil), Stays{Deletes: true}, ""},
		{"kept", "", entry(ledger.OriginCreated, nil), Stays{}, "because on_missing does not delete it: delete that contact in Owlat"},
		{"taken off topics", policy.MissingLeave, entry(ledger.OriginCreated, nil), Stays{Deletes: true}, "on_missing does not delete it"},
		{"there before", policy.MissingDelete, entry(ledger.OriginAdopted, nil), Stays{}, "the contact was in Owlat before the sync, so it is not deleted"},
		{"created by another sync", policy.MissingDelete, entry(ledger.OriginAdopted, nil), Stays{Others: created}, `created by sync "orders", so it is not deleted`},
		{"shared", policy.MissingDelete, entry(ledger.OriginCreated, nil), Stays{Others: other}, `the row with key o7 of sync "orders" has it too`},
		{"not deletable for now", policy.MissingDelete, entry(ledger.OriginCreated, &ledger.Failure{Absence: true}), Stays{}, "deleting it failed and is tried again later"},
		{"tried again", policy.MissingDelete, entry(ledger.OriginCreated, &ledger.Failure{Absence: true}), Stays{Deletes: true}, ""},
		{"in doubt", policy.MissingDelete, entry(ledger.OriginDeleting, nil), Stays{Deletes: true, Unsettled: true}, "not known whether an earlier request deleted it"},
		{"keyless rows", policy.MissingDelete, entry(ledger.OriginCreated, nil), Stays{Deletes: true, Keyless: true}, "rows of the source have no key"},
		{"a part", policy.MissingDelete, entry(ledger.OriginCreated, nil), Stays{Deletes: true, Partial: true}, "without --only and --limit"},
		{"changes", policy.MissingDelete, entry(ledger.OriginCreated, nil), Stays{Deletes: true, OfChanges: true}, "the next run reads all rows"},
	} {
		why := tt.stays.Why(&policy.Policies{Sync: "users", OnMissing: tt.policy}, tt.entry)
		if (why == "") != (tt.says == "") || !strings.Contains(why, tt.says) {
			t.Errorf("%s: %q, want %q", tt.name, why, tt.says)
		}
		if why != "" && !strings.HasPrefix(why, "the row with key 2 has left the source, and its contact c2 still has it") || strings.Contains(why, "@") {
			t.Errorf("%s: %q does not name the row, or names an address", tt.name, why)
		}
	}
}
