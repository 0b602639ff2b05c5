package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
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
		e := &ledger.Entry{Key: "7", ContactID: "c7", Email: "ada@example.com", FirstName: "Ada", LastName: "Lovelace",
			Origin: ledger.OriginCreated, Fingerprint: ledger.Fingerprint{Hi: 9, Lo: 9}, ChangedAt: noon}
		if change != nil {
			change(e)
		}
		return e
	}
	row := func(change func(*desired)) *desired {
		d := &desired{Key: "7", Email: "ada@example.com", FirstName: name("Ada"), LastName: name("Lovelace"), Fingerprint: print}
		if change != nil {
			change(d)
		}
		return d
	}
	for _, tt := range []struct {
		name     string
		row      *desired
		entry    *ledger.Entry
		outcome  owlatsync.Outcome
		changes  []string
		phase    int
		requests int
	}{
		{"new", row(nil), nil, owlatsync.Created,
			[]string{"create email >ada@example.com", "set firstName >Ada", "set lastName >Lovelace"}, phaseCreate, 1},
		{"new without names", row(func(d *desired) { d.FirstName, d.LastName = nil, name("") }), nil, owlatsync.Created,
			[]string{"create email >ada@example.com"}, phaseCreate, 1},
		{"equal after a change of settings", row(nil), known(nil), owlatsync.Unchanged, nil, phaseSettle, 0},
		{"one name", row(func(d *desired) { d.FirstName = name("Augusta") }), known(nil), owlatsync.Updated,
			[]string{"set firstName Ada>Augusta"}, phaseUpdate, 1},
		{"both names are one request", row(func(d *desired) { d.FirstName, d.LastName = name("A"), name("L") }), known(nil), owlatsync.Updated,
			[]string{"set firstName Ada>A", "set lastName Lovelace>L"}, phaseUpdate, 1},
		{"NULL kept", row(func(d *desired) { d.FirstName = nil }), known(nil), owlatsync.Unchanged, nil, phaseSettle, 0},
		{"NULL cleared", row(func(d *desired) { d.FirstName = name("") }), known(nil), owlatsync.Updated,
			[]string{"set firstName Ada"}, phaseUpdate, 1},
		{"rename with a name is one request", row(func(d *desired) { d.Email, d.FirstName = "al@example.com", name("A") }), known(nil), owlatsync.Renamed,
			[]string{"rename email ada@example.com>al@example.com", "set firstName Ada>A"}, phaseRename, 1},
		{"adopted equal", row(nil), known(func(e *ledger.Entry) {
			e.Origin, e.Fingerprint, e.ChangedAt = ledger.OriginAdopted, ledger.Fingerprint{}, time.Time{}
		}),
			owlatsync.Adopted, []string{"adopt"}, phaseSettle, 0},
		{"adopted differing", row(func(d *desired) { d.LastName = name("King") }),
			known(func(e *ledger.Entry) {
				e.Origin, e.Fingerprint, e.ChangedAt = ledger.OriginAdopted, ledger.Fingerprint{}, time.Time{}
			}),
			owlatsync.Adopted, []string{"adopt", "set lastName Lovelace>King"}, phaseUpdate, 1},
		{"deleted in Owlat", row(nil), known(func(e *ledger.Entry) { e.Origin = ledger.OriginGone }), owlatsync.Skipped, nil, phaseSettle, 0},
		{"waiting for its next try", row(nil), known(func(e *ledger.Entry) {
			e.Failure = &ledger.Failure{Attempts: 3, Fingerprint: print, NextTry: noon.Add(time.Second)}
		}), owlatsync.Failed, nil, phaseSettle, 0},
		{"parked", row(nil), known(func(e *ledger.Entry) { e.Failure = &ledger.Failure{Fingerprint: print, Parked: true} }), owlatsync.Failed, nil, phaseSettle, 0},
		{"parked, but the row has changed", row(func(d *desired) { d.FirstName = name("A") }), known(func(e *ledger.Entry) { e.Failure = &ledger.Failure{Parked: true} }),
			owlatsync.Updated, []string{"set firstName Ada>A"}, phaseUpdate, 1},
		{"due again", row(nil), known(func(e *ledger.Entry) { e.Failure = &ledger.Failure{Attempts: 3, Fingerprint: print, NextTry: noon} }),
			owlatsync.Unchanged, nil, phaseSettle, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			it := planRow(&Sync{}, tt.row, tt.entry, noon)
			if it.Outcome != tt.outcome {
				t.Errorf("outcome %s, want %s", it.Outcome, tt.outcome)
			}
			if diff := cmp.Diff(tt.changes, short(it.Changes)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if it.phase() != tt.phase || it.requests() != tt.requests {
				t.Errorf("phase %d with %d requests, want %d with %d", it.phase(), it.requests(), tt.phase, tt.requests)
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
		existing Existing
		changes  []string
		state    ledger.MembershipState
		skipped  int
	}{
		{name: "new contact, yes", isNew: true, consents: true, changes: []string{"add_topic topic1"}, state: ledger.MemberWanted},
		{name: "new contact, no", isNew: true, state: ledger.MemberOut},
		{name: "existing contact, yes, skip", consents: true, state: ledger.MemberSkipped, skipped: 1},
		{name: "existing contact, yes, add", consents: true, existing: ExistingAdd, changes: []string{"add_topic topic1"}, state: ledger.MemberWanted},
		{name: "existing contact, no, add", existing: ExistingAdd, state: ledger.MemberOut},
		{name: "member stays", before: at(true, ledger.MemberAdded), consents: true, state: ledger.MemberAdded},
		{name: "member withdraws", before: at(true, ledger.MemberAdded), changes: []string{"remove_topic topic1"}, state: ledger.MemberAdded},
		{name: "skipped withdraws before the contact is made anew", isNew: true, before: at(true, ledger.MemberSkipped), state: ledger.MemberOut},
		{name: "skipped withdraws", before: at(true, ledger.MemberSkipped), changes: []string{"remove_topic topic1"}, state: ledger.MemberSkipped},
		{name: "no becomes yes", before: at(false, ledger.MemberOut), consents: true, changes: []string{"add_topic topic1"}, state: ledger.MemberWanted},
		{name: "no stays no", before: at(false, ledger.MemberOut), state: ledger.MemberOut},
		{name: "skipped, now add", before: at(true, ledger.MemberSkipped), consents: true, existing: ExistingAdd, changes: []string{"add_topic topic1"}, state: ledger.MemberWanted},
		{name: "skipped stays", before: at(true, ledger.MemberSkipped), consents: true, state: ledger.MemberSkipped},
		{name: "wanted is tried again", before: at(true, ledger.MemberWanted), consents: true, changes: []string{"add_topic topic1"}, state: ledger.MemberWanted},
		{name: "wanted withdraws before it was sent", before: at(true, ledger.MemberWanted), state: ledger.MemberOut},
		{name: "sent", before: sent(time.Second), consents: true, state: ledger.MemberUnsure},
		{name: "sent, then withdrawn", before: sent(time.Hour), changes: []string{"remove_topic topic1"}, state: ledger.MemberSent},
		{name: "unsure stays", before: at(true, ledger.MemberUnsure), consents: true, state: ledger.MemberUnsure},
		{name: "unsure withdraws", before: at(true, ledger.MemberUnsure), changes: []string{"remove_topic topic1"}, state: ledger.MemberUnsure},
		{name: "the consent column went, skip", before: at(false, ledger.MemberOut), consents: true, always: true, state: ledger.MemberSkipped, skipped: 1},
		{name: "the consent column went, add", before: at(false, ledger.MemberOut), consents: true, always: true, existing: ExistingAdd,
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
			d := &desired{Key: "7", Email: "a@example.com", Consents: []bool{tt.consents}}
			it := planRow(&Sync{Topics: []Topic{{ID: topic, When: !tt.always, Existing: tt.existing}}}, d, e, noon)
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
			if it.Unsure != (tt.state == ledger.MemberUnsure && tt.before.State == ledger.MemberSent) || it.Unsure && (it.Outcome != owlatsync.Failed || it.Reason == "") {
				t.Errorf("unsure %v with outcome %s, reason %q", it.Unsure, it.Outcome, it.Reason)
			}
			if tt.before != nil && it.Entry.Membership("elsewhere") == nil {
				t.Error("a topic that is not configured was forgotten")
			}
		})
	}
}

func TestReaderNormalisesAndRefuses(t *testing.T) {
	t.Parallel()
	set := owlatsync.Some
	owls := strings.Repeat("🦉", 101) // 202 UTF-16 units
	for _, tt := range []struct {
		name    string
		row     owlatsync.Row
		sync    Sync
		invalid string
		want    desired
	}{
		{"trimmed and lower-cased", owlatsync.Row{Key: "1", Email: set(" Ada@Example.com "), FirstName: set(" Ada\t"), LastName: owlatsync.Field{State: owlatsync.Null}},
			Sync{}, "", desired{Key: "1", Email: "ada@example.com", FirstName: name("Ada")}},
		{"NULL clears", owlatsync.Row{Key: "1", Email: set("a@example.com"), LastName: owlatsync.Field{State: owlatsync.Null}},
			Sync{Nulls: NullsClear}, "", desired{Key: "1", Email: "a@example.com", LastName: name("")}},
		{"the address is the key", owlatsync.Row{Email: set("A@example.com")}, Sync{KeyIsAddress: true}, "", desired{Key: "a@example.com", Email: "a@example.com"}},
		{"no key", owlatsync.Row{Email: set("a@example.com")}, Sync{}, "the row has no key", desired{}},
		{"no address", owlatsync.Row{Key: "1", Email: owlatsync.Field{State: owlatsync.Null}}, Sync{}, "the address is empty", desired{}},
		{"blank address", owlatsync.Row{Key: "1", Email: set("  ")}, Sync{}, "the address is empty", desired{}},
		{"bad address", owlatsync.Row{Key: "1", Email: set("ada@example")}, Sync{}, "the address is not of a form that Owlat accepts", desired{}},
		{"defect", owlatsync.Row{Key: "1", Defect: `column "email" is not UTF-8`}, Sync{}, `column "email" is not UTF-8`, desired{}},
		{"first name too long", owlatsync.Row{Key: "1", Email: set("a@example.com"), FirstName: set(owls)}, Sync{}, "the first name is longer than Owlat's 200 characters", desired{}},
		{"last name too long", owlatsync.Row{Key: "1", Email: set("a@example.com"), LastName: set(owls)}, Sync{}, "the last name is longer than Owlat's 200 characters", desired{}},
		{"name just short enough", owlatsync.Row{Key: "1", Email: set("a@example.com"), FirstName: set(owls[4:] + "  ")}, Sync{}, "",
			desired{Key: "1", Email: "a@example.com", FirstName: name(owls[4:])}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, _, invalid := newReader(&tt.sync).read(&tt.row)
			if invalid != tt.invalid {
				t.Fatalf("invalid because %q, want %q", invalid, tt.invalid)
			}
			if invalid != "" {
				return
			}
			got := *d
			if got.Fingerprint.IsZero() {
				t.Error("a valid row without a fingerprint")
			}
			got.Fingerprint = ledger.Fingerprint{}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFingerprintTellsRowsAndSettingsApart(t *testing.T) {
	t.Parallel()
	base := func() owlatsync.Row {
		return owlatsync.Row{Key: "1", Email: owlatsync.Some("ab@example.com"), FirstName: owlatsync.Some("c"), LastName: owlatsync.Some(""), Consents: []bool{true, false}}
	}
	topics := []Topic{{ID: "t1"}, {ID: "t2"}}
	seen := make(map[ledger.Fingerprint]string)
	check := func(what string, s Sync, change func(*owlatsync.Row)) {
		row := base()
		change(&row)
		d, _, invalid := newReader(&s).read(&row)
		if invalid != "" {
			t.Fatalf("%s: %s", what, invalid)
		}
		if other, twice := seen[d.Fingerprint]; twice {
			t.Errorf("%s has the fingerprint of %s", what, other)
		}
		seen[d.Fingerprint] = what
	}
	s := Sync{Topics: topics}
	check("the row", s, func(*owlatsync.Row) {})
	check("another key", s, func(r *owlatsync.Row) { r.Key = "2" })
	check("another address", s, func(r *owlatsync.Row) { r.Email.Value = "b@example.com" })
	check("another name", s, func(r *owlatsync.Row) { r.FirstName.Value = "d" })
	check("names moved", s, func(r *owlatsync.Row) { r.FirstName.Value, r.LastName.Value = "", "c" })
	check("an unmapped name", s, func(r *owlatsync.Row) { r.LastName = owlatsync.Field{} })
	check("consents swapped", s, func(r *owlatsync.Row) { r.Consents = []bool{false, true} })
	check("another topic", Sync{Topics: []Topic{{ID: "t1"}, {ID: "t3"}}}, func(*owlatsync.Row) {})
	check("existing added", Sync{Topics: []Topic{{ID: "t1", Existing: ExistingAdd}, {ID: "t2"}}}, func(*owlatsync.Row) {})

	padded := base()
	padded.Email.Value, padded.FirstName.Value = " AB@Example.com ", "c "
	d, _, _ := newReader(&s).read(&padded)
	if seen[d.Fingerprint] != "the row" {
		t.Error("letter case and blanks around values change the fingerprint")
	}
}

func TestRenameLevels(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		renames []string // "from>to"
		want    string   // level of each, x: none
	}{
		{"alone", []string{"a>z"}, "0"},
		{"chain, last first", []string{"a>b", "b>c", "c>d"}, "2 1 0"},
		{"chain, first first", []string{"c>d", "b>c", "a>b"}, "0 1 2"},
		{"swap", []string{"a>b", "b>a"}, "x x"},
		{"ring of three", []string{"a>b", "b>c", "c>a"}, "x x x"},
		{"leading into a ring", []string{"q>a", "a>b", "b>a", "r>q"}, "x x x x"},
		{"a ring and a chain", []string{"a>b", "b>a", "m>n", "n>o"}, "x x 1 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &planner{
				sync: &Sync{}, reading: &reading{}, emit: func(Progress) {}, spool: &spool{most: 1 << 20},
				chain: make(map[uint64]*link), ended: make(map[owlatsync.Outcome]int),
				summary: owlatsync.Summary{Outcomes: make(map[owlatsync.Outcome]int)},
			}
			for _, r := range tt.renames {
				from, to, _ := strings.Cut(r, ">")
				it := &item{
					Row: &desired{Key: r, Email: to}, Entry: &ledger.Entry{Email: from},
					Changes: []owlatsync.Change{{Kind: owlatsync.RenameContact}},
				}
				it.Awaits = slices.ContainsFunc(tt.renames, func(other string) bool { return strings.HasPrefix(other, to+">") })
				if err := p.planRename(t.Context(), it); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.orderRenames(t.Context()); err != nil {
				t.Fatal(err)
			}
			levels := make(map[string]string)
			for st, err := range p.spool.allSteps(t.Context(), phaseRename) {
				if err != nil {
					t.Fatal(err)
				}
				levels[st.Row.Key] = fmt.Sprint(st.order)
			}
			for st, err := range p.spool.allRefused(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				levels[st.Row.Key] = "x"
			}
			var got []string
			for _, r := range tt.renames {
				got = append(got, levels[r])
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("levels %s, want %s", strings.Join(got, " "), tt.want)
			}
		})
	}
}

func TestFailuresWaitLongerEachTimeAndArePutAside(t *testing.T) {
	t.Parallel()
	later := &rowError{class: ledger.RetryLater, category: "internal", reason: "r"}
	print := ledger.Fingerprint{Hi: 1, Lo: 1}
	var f *ledger.Failure
	var waits []time.Duration
	for range maxAttempts {
		f = fail(f, print, later, 500, noon)
		waits = append(waits, f.NextTry.Sub(noon))
	}
	want := []time.Duration{0, 1, 2, 4, 8, 16, 32, 64}
	for i := range want {
		want[i] *= time.Minute
	}
	if diff := cmp.Diff(want, waits); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
	if !f.Parked || f.Attempts != maxAttempts {
		t.Errorf("after %d attempts parked is %v", f.Attempts, f.Parked)
	}
	if again := fail(f, ledger.Fingerprint{Hi: 2, Lo: 2}, later, 500, noon); again.Attempts != 1 || again.Parked {
		t.Errorf("a changed row counts on: %d attempts, parked %v", again.Attempts, again.Parked)
	}
	if refused := fail(nil, print, &rowError{class: ledger.GiveUp}, 422, noon); !refused.Parked {
		t.Error("a row that would be refused again is tried again")
	}
}

// BenchmarkPlanRow plans a row with another name and a consent that is new.
func BenchmarkPlanRow(b *testing.B) {
	s := &Sync{Name: "users", Topics: []Topic{{ID: "news", When: true}}}
	d := &desired{Key: "7", Email: "ada@example.com", FirstName: name("Augusta"), LastName: name("Lovelace"), Consents: []bool{true}}
	known := ledger.Entry{Key: "7", ContactID: "c7", Email: d.Email, FirstName: "Ada", LastName: "Lovelace", Origin: ledger.OriginCreated, ChangedAt: noon,
		Memberships: []ledger.Membership{{Topic: "news", State: ledger.MemberOut, At: noon}}}
	b.ReportAllocs()
	for b.Loop() {
		e := known
		if it := planRow(s, d, &e, noon); it.requests() != 2 {
			b.Fatalf("planned %v", short(it.Changes))
		}
	}
}
