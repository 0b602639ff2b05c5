package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/step"
)

// left is the entry of a row that left the source, on two of the sync's topics and on one that is not configured.
func left(change func(*ledger.Entry)) *ledger.Entry {
	e := &ledger.Entry{
		Key: "7", ContactID: "c7", Email: "ada@example.com", Origin: ledger.OriginCreated, Fingerprint: ledger.Fingerprint{Hi: 1, Lo: 1}, ChangedAt: noon,
		Memberships: []ledger.Membership{
			{Topic: "news", Consent: true, State: ledger.MemberAdded}, {Topic: "offers", Consent: true, State: ledger.MemberAdded},
			{Topic: "elsewhere", Consent: true, State: ledger.MemberAdded},
		},
	}
	if change != nil {
		change(e)
	}
	return e
}

var newsAndOffers = []policy.Topic{{ID: "news"}, {ID: "offers"}}

func TestMissing(t *testing.T) {
	t.Parallel()
	other := ledger.Holder{Sync: "customers", Entry: &ledger.Entry{Key: "90", ContactID: "c7", Origin: ledger.OriginAdopted}}
	wanting := ledger.Holder{Sync: "customers", Entry: &ledger.Entry{Key: "91", ContactID: "c7", Origin: ledger.OriginAdopted,
		Memberships: []ledger.Membership{{Topic: "news", Consent: true, State: ledger.MemberAdded}}}}
	failure := func(f ledger.Failure) func(*ledger.Entry) { return func(e *ledger.Entry) { e.Failure = &f } }
	leaves := []string{"remove_topic news", "remove_topic offers"}
	deletes := []string{"delete ada@example.com"}
	for _, tt := range []struct {
		name   string
		policy policy.MissingPolicy
		entry  *ledger.Entry
		others []ledger.Holder
		want   []string
		reason string // a part of it; empty: none
		waits  bool   // something may follow later
	}{
		{"kept", policy.MissingKeep, left(nil), nil, nil, "", false},
		{"kept, by default", "", left(nil), nil, nil, "", false},
		{"leaves its topics", policy.MissingLeave, left(nil), nil, leaves, "", false},
		{"deleted", policy.MissingDelete, left(nil), nil, deletes, "", false},

		{"without a contact", policy.MissingDelete, left(func(e *ledger.Entry) { e.ContactID = "" }), nil, nil, "", false},
		{"its contact is gone", policy.MissingDelete, left(func(e *ledger.Entry) { e.Origin = ledger.OriginGone }), nil, nil, "", false},
		{"a delete whose answer was lost", policy.MissingDelete, left(func(e *ledger.Entry) { e.Origin = ledger.OriginDeleting }), nil, deletes, "", false},
		{"adopted, to be deleted", policy.MissingDelete, left(func(e *ledger.Entry) { e.Origin = ledger.OriginAdopted }), nil, leaves, "before the sync", false},
		{"adopted, on no topic", policy.MissingDelete, left(func(e *ledger.Entry) { e.Origin, e.Memberships = ledger.OriginAdopted, nil }), nil, nil, "", false},

		{"another sync has the contact", policy.MissingDelete, left(nil), []ledger.Holder{other}, leaves, `the row with key 90 of sync "customers"`, false},
		{"another sync wants it on a topic", policy.MissingDelete, left(nil), []ledger.Holder{other, wanting}, leaves[1:], `sync "customers"`, false},
		{"another sync wants it on a topic, none is deleted", policy.MissingLeave, left(nil), []ledger.Holder{wanting}, leaves[1:], "", false},

		{"kept, in doubt", policy.MissingKeep, left(func(e *ledger.Entry) { e.Doubt = true }), nil, nil, "", true},
		{"in doubt without a contact", policy.MissingLeave, left(func(e *ledger.Entry) { e.Doubt, e.ContactID = true, "" }), nil, nil, "", true},
		{"failed before, kept now", policy.MissingKeep, left(failure(ledger.Failure{Absence: true, Parked: true})), nil, nil, "", false},
		{"failed before, due again", policy.MissingLeave, left(failure(ledger.Failure{Absence: true, NextTry: noon})), nil, leaves, "", false},
		{"failed before, not due yet", policy.MissingLeave, left(failure(ledger.Failure{Absence: true, NextTry: noon.Add(1)})), nil, nil, "", true},
		{"failed before, given up", policy.MissingDelete, left(failure(ledger.Failure{Absence: true, Parked: true})), nil, nil, "", true},
		{"given up while the row was there", policy.MissingDelete, left(failure(ledger.Failure{Parked: true, NextTry: noon.Add(time.Hour)})), nil, deletes, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := *tt.entry
			before.Memberships = slices.Clone(tt.entry.Memberships)
			terms := &policy.Policies{Topics: newsAndOffers, OnMissing: tt.policy}
			s, departs := Missing(terms, tt.entry, tt.others, noon)
			if wants := s == nil && !tt.waits; departs != wants {
				t.Errorf("departs at once: %v, want %v", departs, wants)
			}
			if diff := cmp.Diff(&before, tt.entry); diff != "" {
				t.Errorf("the entry has changed:\n%s", diff)
			}
			if s == nil {
				if tt.want != nil {
					t.Errorf("no step, want %v", tt.want)
				}
				return
			}
			if diff := cmp.Diff(tt.want, short(s.Changes)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if s.Departs != terms.Departure() || !s.Missing || s.Phase != step.Remove || s.PhaseOf() != step.Remove || s.Outcome != owlatsync.Removed || s.Row.Key != "7" {
				t.Errorf("the step is %+v", s)
			}
			if (s.Reason != "") != (tt.reason != "") || !strings.Contains(s.Reason, tt.reason) {
				t.Errorf("reason %q, want %q in it", s.Reason, tt.reason)
			}
		})
	}
}

// TestMissingMemberships says for everything that can be recorded whether the row's absence takes the contact off.
func TestMissingMemberships(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		state   ledger.MembershipState
		consent bool
		removed bool
	}{
		{"", false, false}, // not recorded
		{ledger.MemberOut, false, false},
		{ledger.MemberLeaving, false, true},
		{ledger.MemberLeaving, true, true},
		{ledger.MemberLeft, true, false},
		{ledger.MemberWanted, true, true},
		{ledger.MemberSent, true, true},
		{ledger.MemberAdded, true, true},
		{ledger.MemberSkipped, true, true},
		{ledger.MemberOptedOut, true, true}, // they may have come back
		{ledger.MemberUnknown, false, false},
		{ledger.MemberUnsure, true, true},
	} {
		for _, p := range []policy.MissingPolicy{policy.MissingLeave, policy.MissingDelete} {
			t.Run(fmt.Sprintf("%s %s %v", p, tt.state, tt.consent), func(t *testing.T) {
				t.Parallel()
				e := left(func(e *ledger.Entry) { e.Origin, e.Memberships = ledger.OriginAdopted, nil })
				if tt.state != "" {
					e.Memberships = []ledger.Membership{{Topic: "news", Consent: tt.consent, State: tt.state}}
				}
				if s, _ := Missing(&policy.Policies{Topics: newsAndOffers, OnMissing: p}, e, nil, noon); (s != nil) != tt.removed {
					t.Errorf("step %+v", s)
				}
			})
		}
	}
}

// TestMissingDeletesOnlyItsOwn tries every policy with every origin, with and without others that have the contact.
func TestMissingDeletesOnlyItsOwn(t *testing.T) {
	t.Parallel()
	deleted, tried := 0, 0
	for _, p := range []policy.MissingPolicy{"", policy.MissingKeep, policy.MissingLeave, policy.MissingDelete} {
		for _, origin := range []ledger.Origin{
			ledger.OriginNone, ledger.OriginCreated, ledger.OriginAdopted, ledger.OriginGone, ledger.OriginDeleted, ledger.OriginDeleting,
		} {
			for _, others := range [][]ledger.Holder{nil, {{Sync: "users", Entry: &ledger.Entry{Key: "8"}}}} {
				for _, contact := range []string{"", "c7"} {
					e := left(func(e *ledger.Entry) { e.Origin, e.ContactID = origin, contact })
					s, _ := Missing(&policy.Policies{Topics: newsAndOffers, OnMissing: p}, e, others, noon)
					tried++
					if s == nil || !strings.HasPrefix(short(s.Changes)[0], "delete") {
						continue
					}
					deleted++
					if own := origin == ledger.OriginCreated || origin == ledger.OriginDeleting; !own || p != policy.MissingDelete || others != nil || contact == "" {
						t.Errorf("on_missing %q deletes a contact that is %q, of %d others", p, origin, len(others))
					}
					if len(s.Changes) != 1 {
						t.Errorf("a contact that is deleted also gets %v", short(s.Changes))
					}
				}
			}
		}
	}
	if tried != 4*6*2*2 || deleted != 2 {
		t.Errorf("%d cases, %d deletes", tried, deleted)
	}
}
