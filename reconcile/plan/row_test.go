package plan

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/step"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func name(s string) *string { return &s }

// short writes changes as one line each, in the order in which they are sent.
func short(changes []owlatsync.Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s", c.Kind, strings.Trim(c.Field+" "+c.From+">"+c.To+" "+c.Topic, " >"))))
	}
	return out
}

func TestPlanRow(t *testing.T) {
	t.Parallel()
	print := ledger.Fingerprint{Hi: 1, Lo: 2}
	known := func(change func(*ledger.Entry)) *ledger.Entry {
		e := &ledger.Entry{Key: "7", ContactID: "c7", Email: "ada@example.com", Fields: owlatsync.Texts{owlatsync.FirstName: "Ada", owlatsync.LastName: "Lovelace"},
			Origin: ledger.OriginCreated, Fingerprint: ledger.Fingerprint{Hi: 9, Lo: 9}, ChangedAt: noon}
		if change != nil {
			change(e)
		}
		return e
	}
	row := func(change func(*step.Row)) *step.Row {
		d := &step.Row{Key: "7", Email: "ada@example.com", Fields: step.Wanted{owlatsync.FirstName: name("Ada"), owlatsync.LastName: name("Lovelace")}, Fingerprint: print}
		if change != nil {
			change(d)
		}
		return d
	}
	for _, tt := range []struct {
		name     string
		row      *step.Row
		entry    *ledger.Entry
		outcome  owlatsync.Outcome
		changes  []string
		phase    step.Phase
		requests int
	}{
		{"new", row(nil), nil, owlatsync.Created,
			[]string{"create email >ada@example.com", "set firstName >Ada", "set lastName >Lovelace"}, step.Create, 1},
		{"new without names", row(func(d *step.Row) { d.Fields[owlatsync.FirstName], d.Fields[owlatsync.LastName] = nil, name("") }), nil, owlatsync.Created,
			[]string{"create email >ada@example.com"}, step.Create, 1},
		{"equal after a change of settings", row(nil), known(nil), owlatsync.Unchanged, nil, step.Settle, 0},
		{"one name", row(func(d *step.Row) { d.Fields[owlatsync.FirstName] = name("Augusta") }), known(nil), owlatsync.Updated,
			[]string{"set firstName Ada>Augusta"}, step.Update, 1},
		{"both names are one request", row(func(d *step.Row) { d.Fields[owlatsync.FirstName], d.Fields[owlatsync.LastName] = name("A"), name("L") }), known(nil), owlatsync.Updated,
			[]string{"set firstName Ada>A", "set lastName Lovelace>L"}, step.Update, 1},
		{"NULL kept", row(func(d *step.Row) { d.Fields[owlatsync.FirstName] = nil }), known(nil), owlatsync.Unchanged, nil, step.Settle, 0},
		{"NULL cleared", row(func(d *step.Row) { d.Fields[owlatsync.FirstName] = name("") }), known(nil), owlatsync.Updated,
			[]string{"set firstName Ada"}, step.Update, 1},
		{"rename with a name is one request", row(func(d *step.Row) { d.Email, d.Fields[owlatsync.FirstName] = "al@example.com", name("A") }), known(nil), owlatsync.Renamed,
			[]string{"rename email ada@example.com>al@example.com", "set firstName Ada>A"}, step.Rename, 1},
		{"adopted equal", row(nil), known(func(e *ledger.Entry) {
			e.Origin, e.Fingerprint, e.ChangedAt = ledger.OriginAdopted, ledger.Fingerprint{}, time.Time{}
		}),
			owlatsync.Adopted, []string{"adopt"}, step.Settle, 0},
		{"adopted differing", row(func(d *step.Row) { d.Fields[owlatsync.LastName] = name("King") }),
			known(func(e *ledger.Entry) {
				e.Origin, e.Fingerprint, e.ChangedAt = ledger.OriginAdopted, ledger.Fingerprint{}, time.Time{}
			}),
			owlatsync.Adopted, []string{"adopt", "set lastName Lovelace>King"}, step.Update, 1},
		{"deleted in Owlat", row(nil), known(func(e *ledger.Entry) { e.Origin = ledger.OriginGone }), owlatsync.Skipped, nil, step.Settle, 0},
		{"waiting for its next try", row(nil), known(func(e *ledger.Entry) {
			e.Failure = &ledger.Failure{Attempts: 3, Fingerprint: print, NextTry: noon.Add(time.Second)}
		}), owlatsync.Failed, nil, step.Settle, 0},
		{"parked", row(nil), known(func(e *ledger.Entry) { e.Failure = &ledger.Failure{Fingerprint: print, Parked: true} }), owlatsync.Failed, nil, step.Settle, 0},
		{"parked, but the row has changed", row(func(d *step.Row) { d.Fields[owlatsync.FirstName] = name("A") }), known(func(e *ledger.Entry) { e.Failure = &ledger.Failure{Parked: true} }),
			owlatsync.Updated, []string{"set firstName Ada>A"}, step.Update, 1},
		{"due again", row(nil), known(func(e *ledger.Entry) { e.Failure = &ledger.Failure{Attempts: 3, Fingerprint: print, NextTry: noon} }),
			owlatsync.Unchanged, nil, step.Settle, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			it := Row(&policy.Policies{}, tt.row, Known{Entry: tt.entry}, noon)
			if it.Outcome != tt.outcome {
				t.Errorf("outcome %s, want %s", it.Outcome, tt.outcome)
			}
			if diff := cmp.Diff(tt.changes, short(it.Changes)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if it.PhaseOf() != tt.phase || it.Requests() != tt.requests {
				t.Errorf("phase %d with %d requests, want %d with %d", it.PhaseOf(), it.Requests(), tt.phase, tt.requests)
			}
		})
	}
}

// Every way in which a consent can meet what the ledger knows of a membership.
func TestPlanMemberships(t *testing.T) {
	t.Parallel()
	const topic = "topic1"
	sent := func(ago time.Duration) *ledger.Membership {
		return &ledger.Membership{Topic: topic, Consent: true, State: ledger.MemberSent, At: noon.Add(-ago)}
	}
	at := func(consent bool, s ledger.MembershipState) *ledger.Membership {
		return &ledger.Membership{Topic: topic, Consent: consent, State: s, At: noon.Add(-time.Hour)}
	}
	for _, tt := range []struct {
		name     string
		isNew    bool
		before   *ledger.Membership
		consents bool
		always   bool // no consent column
		existing policy.Existing
		changes  []string
		state    ledger.MembershipState
		skipped  int
	}{
		{name: "new contact, yes", isNew: true, consents: true, changes: []string{"add_topic topic1"}, state: ledger.MemberWanted},
		{name: "new contact, no", isNew: true, state: ledger.MemberOut},
		{name: "existing contact, yes, skip", consents: true, state: ledger.MemberSkipped, skipped: 1},
		{name: "existing contact, yes, add", consents: true, existing: policy.ExistingAdd, changes: []string{"add_topic topic1"}, state: ledger.MemberWanted},
		{name: "existing contact, no, add", existing: policy.ExistingAdd, state: ledger.MemberOut},
		{name: "member stays", before: at(true, ledger.MemberAdded), consents: true, state: ledger.MemberAdded},
		{name: "member withdraws", before: at(true, ledger.MemberAdded), changes: []string{"remove_topic topic1"}, state: ledger.MemberAdded},
		{name: "skipped withdraws before the contact is made anew", isNew: true, before: at(true, ledger.MemberSkipped), state: ledger.MemberOut},
		{name: "skipped withdraws", before: at(true, ledger.MemberSkipped), changes: []string{"remove_topic topic1"}, state: ledger.MemberSkipped},
		{name: "no becomes yes", before: at(false, ledger.MemberOut), consents: true, changes: []string{"add_topic topic1"}, state: ledger.MemberWanted},
		{name: "no stays no", before: at(false, ledger.MemberOut), state: ledger.MemberOut},
		{name: "skipped, now add", before: at(true, ledger.MemberSkipped), consents: true, existing: policy.ExistingAdd, changes: []string{"add_topic topic1"}, state: ledger.MemberWanted},
		{name: "skipped stays", before: at(true, ledger.MemberSkipped), consents: true, state: ledger.MemberSkipped},
		{name: "wanted is tried again", before: at(true, ledger.MemberWanted), consents: true, changes: []string{"add_topic topic1"}, state: ledger.MemberWanted},
		{name: "wanted withdraws before it was sent", before: at(true, ledger.MemberWanted), state: ledger.MemberOut},
		{name: "sent", before: sent(time.Second), consents: true, changes: []string{"add_topic topic1"}, state: ledger.MemberSent},
		{name: "sent, then withdrawn", before: sent(time.Hour), changes: []string{"remove_topic topic1"}, state: ledger.MemberSent},
		{name: "unsure stays", before: at(true, ledger.MemberUnsure), consents: true, state: ledger.MemberUnsure},
		{name: "unsure withdraws", before: at(true, ledger.MemberUnsure), changes: []string{"remove_topic topic1"}, state: ledger.MemberUnsure},
		{name: "the consent column went, skip", before: at(false, ledger.MemberOut), consents: true, always: true, state: ledger.MemberSkipped, skipped: 1},
		{name: "the consent column went, add", before: at(false, ledger.MemberOut), consents: true, always: true, existing: policy.ExistingAdd,
			changes: []string{"add_topic topic1"}, state: ledger.MemberWanted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := &ledger.Entry{Key: "7", ContactID: "c7", Email: "a@example.com", Origin: ledger.OriginCreated, ChangedAt: noon}
			if tt.isNew {
				e.ContactID = ""
			}
			if tt.before != nil {
				e.Memberships = []ledger.Membership{*tt.before, {Topic: "elsewhere", Consent: true, State: ledger.MemberAdded}}
			}
			d := &step.Row{Key: "7", Email: "a@example.com", Consents: []owlatsync.Consent{owlatsync.ConsentOf(tt.consents)}}
			it := Row(&policy.Policies{Topics: []policy.Topic{{ID: topic, When: !tt.always, Existing: tt.existing}}}, d, Known{Entry: e}, noon)
			var changes []owlatsync.Change
			for _, c := range it.Changes {
				if c.Topic != "" {
					changes = append(changes, c)
				}
			}
			if diff := cmp.Diff(tt.changes, short(changes)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if m := it.Entry.Membership(topic); m.State != tt.state || it.Skipped != tt.skipped {
				t.Errorf("state %s, %d skipped; want %s, %d", m.State, it.Skipped, tt.state, tt.skipped)
			}
			if tt.before != nil && it.Entry.Membership("elsewhere") == nil {
				t.Error("a topic that is not configured was forgotten")
			}
		})
	}
}

// BenchmarkPlanRow plans a row with another name and a consent that is new.
func BenchmarkPlanRow(b *testing.B) {
	s := &policy.Policies{Sync: "users", Topics: []policy.Topic{{ID: "news", When: true}}}
	d := &step.Row{Key: "7", Email: "ada@example.com", Fields: step.Wanted{owlatsync.FirstName: name("Augusta"), owlatsync.LastName: name("Lovelace")}, Consents: []owlatsync.Consent{owlatsync.Yes}}
	known := ledger.Entry{Key: "7", ContactID: "c7", Email: d.Email, Fields: owlatsync.Texts{owlatsync.FirstName: "Ada", owlatsync.LastName: "Lovelace"}, Origin: ledger.OriginCreated, ChangedAt: noon,
		Memberships: []ledger.Membership{{Topic: "news", State: ledger.MemberOut, At: noon}}}
	b.ReportAllocs()
	for b.Loop() {
		e := known
		if it := Row(s, d, Known{Entry: &e}, noon); it.Requests() != 2 {
			b.Fatalf("planned %v", short(it.Changes))
		}
	}
}
