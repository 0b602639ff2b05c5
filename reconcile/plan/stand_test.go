package plan

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/step"
)

func TestStands(t *testing.T) {
	t.Parallel()
	const address = "ada@example.com"
	hour := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Hour) }
	print := ledger.Fingerprint{Hi: 3, Lo: 4}
	holder := func(sync string, change func(*ledger.Entry)) ledger.Holder {
		e := &ledger.Entry{Key: "9", ContactID: "c9", Email: address, Identity: "born@example.com", Fields: owlatsync.Texts{owlatsync.FirstName: "Ada", owlatsync.LastName: "King"}, Origin: ledger.OriginCreated,
			Fingerprint: print, FirstSeen: hour(-9), ChangedAt: hour(-8), Failure: &ledger.Failure{Attempts: 2},
			Memberships: []ledger.Membership{{Topic: "theirs", Consent: true, State: ledger.MemberAdded}}}
		if change != nil {
			change(e)
		}
		return ledger.Holder{Sync: sync, Entry: e}
	}
	met := &ledger.Entry{Key: "7", FirstSeen: hour(-5), Failure: &ledger.Failure{Attempts: 1},
		Memberships: []ledger.Membership{{Topic: "news", State: ledger.MemberOut}}}
	doubtful := &ledger.Entry{Key: "7", Intent: ledger.Intent{Create: hour(-1)}}
	adopted := func(change func(*ledger.Entry)) *ledger.Entry {
		e := &ledger.Entry{Key: "7", Email: address, Identity: address, Origin: ledger.OriginAdopted, FirstSeen: noon}
		change(e)
		return e
	}
	ofHolder := adopted(func(e *ledger.Entry) {
		e.ContactID, e.Identity, e.Fields[owlatsync.FirstName], e.Fields[owlatsync.LastName] = "c9", "born@example.com", "Ada", "King"
	})
	listed := owlat.Contact{ID: "c5", Email: "Ada@Example.com", FirstName: "Listed", LastName: "Name"}
	ofListed := adopted(func(e *ledger.Entry) {
		e.ContactID, e.Fields[owlatsync.FirstName], e.Fields[owlatsync.LastName] = "c5", "Listed", "Name"
	})
	rekeyed := holder("users", func(e *ledger.Entry) {
		e.Memberships = []ledger.Membership{{Topic: "news", State: ledger.MemberOut}, {Topic: "offers", Consent: true, State: ledger.MemberAdded}}
	}).Entry
	moved := *rekeyed
	moved.Key, moved.Fingerprint, moved.Failure = "7", ledger.Fingerprint{}, nil

	for _, tt := range []struct {
		name   string
		given  Candidates
		want   *ledger.Entry
		listed bool
	}{
		{"nobody is known", Candidates{}, nil, false},
		{"met before, nobody is known", Candidates{Entry: met}, nil, false},

		{"another sync has the contact", Candidates{Holders: []ledger.Holder{holder("customers", nil)}}, ofHolder, false},
		{"met before, another sync has the contact", Candidates{Entry: met, Holders: []ledger.Holder{holder("customers", nil)}},
			func() *ledger.Entry {
				e := *ofHolder
				e.FirstSeen, e.Failure, e.Memberships = met.FirstSeen, met.Failure, met.Memberships
				return &e
			}(), false},
		{"another sync's contact is gone", Candidates{Holders: []ledger.Holder{holder("customers", func(e *ledger.Entry) { e.Origin = ledger.OriginGone })}}, nil, false},
		{"another sync's contact is in doubt", Candidates{Holders: []ledger.Holder{holder("customers", func(e *ledger.Entry) { e.Doubt = true })}}, nil, false},
		{"another row of the sync has that contact", Candidates{Holders: []ledger.Holder{holder("customers", nil), holder("users", nil)}}, nil, false},
		{"another row of the sync has another contact with the address", Candidates{Holders: []ledger.Holder{
			holder("customers", nil), holder("users", func(e *ledger.Entry) { e.ContactID = "c8" })}}, ofHolder, false},
		{"a row of the sync alone has the address", Candidates{Holders: []ledger.Holder{holder("users", nil)}}, nil, false},
		{"the gone do not hide another's", Candidates{Holders: []ledger.Holder{
			holder("users", func(e *ledger.Entry) { e.Origin = ledger.OriginGone }), holder("customers", nil)}}, ofHolder, false},

		{"listed", Candidates{Listed: listed, IsListed: true}, ofListed, true},
		{"listed, and known better elsewhere", Candidates{Listed: listed, IsListed: true, Holders: []ledger.Holder{holder("customers", nil)}}, ofHolder, false},
		{"listed under an address with the same hash", Candidates{Listed: owlat.Contact{ID: "c5", Email: "bob@example.com"}, IsListed: true}, nil, false},
		{"not listed", Candidates{Listed: listed}, nil, false},

		{"a create in doubt", Candidates{Entry: doubtful, Listed: listed, IsListed: true, Holders: []ledger.Holder{holder("customers", nil)}}, nil, false},
		{"a new key", Candidates{Rekeyed: rekeyed}, &moved, false},
		{"a new key counts before all others", Candidates{Rekeyed: rekeyed, Entry: doubtful, Listed: listed, IsListed: true},
			func() *ledger.Entry { e := moved; e.Memberships = e.Memberships[1:]; return &e }(), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.given.Sync, tt.given.Now = "users", noon
			holders := slices.Clone(tt.given.Holders)
			there, isListed := Stands(tt.given, &step.Row{Key: "7", Email: address})
			if diff := cmp.Diff(tt.want, there); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if isListed != tt.listed {
				t.Errorf("listed %v", isListed)
			}
			if diff := cmp.Diff(holders, tt.given.Holders); diff != "" {
				t.Errorf("what was given has changed:\n%s", diff)
			}
		})
	}
}

// TestUnderNewKey says which memberships a row keeps that has another key now.
func TestUnderNewKey(t *testing.T) {
	t.Parallel()
	old := &ledger.Entry{Key: "3", ContactID: "c3", Fingerprint: ledger.Fingerprint{Lo: 1}, Doubt: true, Failure: &ledger.Failure{}, Memberships: []ledger.Membership{
		{Topic: "no", State: ledger.MemberOut}, {Topic: "yes", Consent: true, State: ledger.MemberAdded}, {Topic: "leaving", State: ledger.MemberLeaving},
	}}
	own := func(consents ...string) *ledger.Entry {
		e := &ledger.Entry{Key: "7", Memberships: []ledger.Membership{{Topic: "no", State: ledger.MemberOut}}}
		for _, topic := range consents {
			e.Memberships = []ledger.Membership{{Topic: topic, Consent: true, State: ledger.MemberWanted}}
		}
		return e
	}
	for _, tt := range []struct {
		name string
		own  *ledger.Entry
		want []string
	}{
		{"it was never met", nil, []string{"no", "yes", "leaving"}},
		{"it stood beside with a no as well", own(), []string{"no", "yes", "leaving"}},
		{"it stood beside with a yes", own("no"), []string{"yes", "leaving"}},
		{"it stood beside, not asked about the topic", own("yes"), []string{"yes", "leaving"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := slices.Clone(old.Memberships)
			e := underNewKey("7", old, tt.own)
			var got []string
			for _, m := range e.Memberships {
				got = append(got, m.Topic)
			}
			if diff := cmp.Diff(tt.want, got) + cmp.Diff(before, old.Memberships); diff != "" {
				t.Errorf("memberships (-want +got):\n%s", diff)
			}
			if e.Key != "7" || e.ContactID != "c3" || !e.Fingerprint.IsZero() || e.Doubt || e.Failure != nil || old.Key != "3" || !old.Doubt {
				t.Errorf("the entry is %+v, that of the old key %+v", e, old)
			}
		})
	}
}
