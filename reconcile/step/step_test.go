package step

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
)

var (
	create = owlatsync.Change{Kind: owlatsync.CreateContact, Field: "email", To: "a@example.com"}
	adopt  = owlatsync.Change{Kind: owlatsync.AdoptContact}
	rename = owlatsync.Change{Kind: owlatsync.RenameContact, Field: "email", From: "a@example.com", To: "b@example.com"}
	set    = owlatsync.Change{Kind: owlatsync.SetField, Field: "firstName", To: "Ada"}
	add    = owlatsync.Change{Kind: owlatsync.AddTopic, Topic: "news"}
	remove = owlatsync.Change{Kind: owlatsync.RemoveTopic, Topic: "offers"}
	del    = owlatsync.Change{Kind: owlatsync.DeleteContact, From: "a@example.com"}
)

// TestStep says where each kind of step belongs, what it costs and what it does to its contact.
func TestStep(t *testing.T) {
	t.Parallel()
	events := func(states ...ledger.EventState) (marks []ledger.EventMark) {
		for _, s := range states {
			marks = append(marks, ledger.EventMark{Name: "event " + string(s), On: ledger.OnUpdated, State: s})
		}
		return marks
	}
	for _, tt := range []struct {
		name                string
		step                Step
		phase               Phase
		requests            int
		early, leaves, sets bool
		due                 string
	}{
		{name: "nothing", phase: Settle},
		{name: "adopts", step: Step{Changes: []owlatsync.Change{adopt}}, phase: Settle},
		{name: "adopts and sets", step: Step{Changes: []owlatsync.Change{adopt, set}}, phase: Update, requests: 1, sets: true},
		{name: "sets two fields", step: Step{Changes: []owlatsync.Change{set, set}}, phase: Update, requests: 1, sets: true},
		{name: "adds", step: Step{Changes: []owlatsync.Change{add, add}}, phase: Update, requests: 2},
		{name: "removes", step: Step{Changes: []owlatsync.Change{remove}}, phase: Withdraw, requests: 1, leaves: true},
		{name: "removes, adds and sets", step: Step{Changes: []owlatsync.Change{set, add, remove}}, phase: Update, requests: 3, early: true, leaves: true, sets: true},
		{name: "withdraws and is not applied", step: Step{Only: true, Changes: []owlatsync.Change{remove}}, phase: Withdraw, requests: 1, leaves: true},
		{name: "renames", step: Step{Changes: []owlatsync.Change{rename, set}}, phase: Rename, requests: 1, sets: true},
		{name: "renames and removes", step: Step{Changes: []owlatsync.Change{rename, remove}}, phase: Rename, requests: 2, early: true, leaves: true, sets: true},
		{name: "creates", step: Step{Changes: []owlatsync.Change{create, set, add}}, phase: Create, requests: 2, sets: true},
		{name: "leaves with its row", step: Step{Missing: true, Changes: []owlatsync.Change{remove, remove}}, phase: Remove, requests: 2, leaves: true},
		{name: "is deleted with its row", step: Step{Missing: true, Changes: []owlatsync.Change{del}}, phase: Remove, requests: 1, leaves: true},
		{name: "has an event due", step: Step{Events: events(ledger.EventDue)}, phase: Update, requests: 1, due: "event due"},
		{name: "has an event to report", step: Step{Events: events(ledger.EventSent)}, phase: Update, requests: 1},
		{name: "has an event of which nobody knows", step: Step{Events: events(ledger.EventUnknown)}, phase: Settle},
		{name: "has all kinds of events", step: Step{Changes: []owlatsync.Change{create}, Events: events(ledger.EventDue, ledger.EventSent, ledger.EventUnknown)},
			phase: Create, requests: 3, due: "event due"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := tt.step
			s.Row, s.Phase = &Row{Key: "7", Email: "a@example.com"}, s.PhaseOf()
			if s.Phase != tt.phase || s.Requests() != tt.requests || s.WithdrawsEarly() != tt.early || s.Leaves() != tt.leaves || s.Sets() != tt.sets {
				t.Errorf("phase %d, %d requests, withdraws early %v, leaves %v, sets %v", s.Phase, s.Requests(), s.WithdrawsEarly(), s.Leaves(), s.Sets())
			}
			if d := s.Decision(); strings.Join(d.Events, " ") != tt.due || d.Requests != tt.requests || d.Key != "7" || d.Address() != "a@example.com" {
				t.Errorf("decision %+v", d)
			}
		})
	}
}

// TestAwaited follows the event of an update: awaited while nobody knows whether the update took effect, then due or dropped.
func TestAwaited(t *testing.T) {
	t.Parallel()
	before := ledger.EventMark{Name: "moved", On: ledger.OnUpdated, State: ledger.EventDue}
	created := ledger.EventMark{Name: "signup", On: ledger.OnCreated, State: ledger.EventDue}
	changed := ledger.EventMark{Name: "changed", On: ledger.OnUpdated, State: ledger.EventDue}
	awaited := changed
	awaited.State = ledger.EventAwaited
	s := &Step{Events: []ledger.EventMark{before, created, changed}}
	marks := s.Awaited([]ledger.EventMark{before})
	if diff := cmp.Diff([]ledger.EventMark{before, created, awaited}, marks); diff != "" {
		t.Errorf("before the update (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]ledger.EventMark{before, created, changed}, s.Events); diff != "" {
		t.Errorf("the step has changed:\n%s", diff)
	}
	for updated, want := range map[bool][]ledger.EventMark{true: {before, created, changed}, false: {before, created}} {
		e := &ledger.Entry{Events: marks}
		SettleAwaited(e, updated)
		if diff := cmp.Diff(want, e.Events); diff != "" {
			t.Errorf("updated %v (-want +got):\n%s", updated, diff)
		}
	}
	if diff := cmp.Diff([]ledger.EventMark{before, created, awaited}, marks); diff != "" {
		t.Errorf("what was given has changed:\n%s", diff)
	}
}

// fill sets everything in a value that is kept, in place: what it points to and the elements of slices too. Other seeds set other values.
func fill(v reflect.Value, seed int) {
	seed++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 3, 1, 12, 0, seed, 0, time.UTC)))
		return
	case json.RawMessage:
		v.Set(reflect.ValueOf(json.RawMessage(fmt.Sprint(seed))))
		return
	}
	if v.Type() == reflect.TypeFor[owlatsync.Consent]() {
		v.SetUint(uint64(seed % 3))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Tag.Get("json") != "-" {
				fill(v.Field(i), 10*seed+i)
			}
		}
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		fill(v.Elem(), seed)
	case reflect.Slice:
		if v.IsNil() {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		}
		for i := range v.Len() {
			fill(v.Index(i), seed+i)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), seed+i)
		}
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value, seed)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf(fmt.Sprint("key ", seed)), value)
	case reflect.String:
		v.SetString(fmt.Sprint("text ", seed))
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(seed))
	case reflect.Uint64:
		v.SetUint(^uint64(seed)) // more than a number of JSON is safe for elsewhere
	default:
		panic(fmt.Sprint("what is a ", v.Type()))
	}
}

// TestAStepIsKeptWhole encodes a step in which everything is set, as plans that are kept do.
func TestAStepIsKeptWhole(t *testing.T) {
	t.Parallel()
	want := new(Step)
	fill(reflect.ValueOf(want), 0)
	body, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got := new(Step)
	if err := json.Unmarshal(body, got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want.Row.Email == "" || want.Met == nil || len(want.Entry.Memberships) != 2 {
		t.Errorf("not everything is set: %+v", want)
	}
}

// TestARowsCloneIsItsOwn changes everything in a row after it was cloned.
func TestARowsCloneIsItsOwn(t *testing.T) {
	t.Parallel()
	if (*Row)(nil).Clone() != nil {
		t.Error("no row has a clone")
	}
	row, want := new(Row), new(Row)
	fill(reflect.ValueOf(row), 0)
	fill(reflect.ValueOf(want), 0)
	c := row.Clone()
	fill(reflect.ValueOf(row), 1)
	want.Own = true
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("the clone (-want +got):\n%s", diff)
	}
	if cmp.Equal(row, want) {
		t.Error("the row has not changed")
	}
}

// TestSize adds up the texts of a row.
func TestSize(t *testing.T) {
	t.Parallel()
	row := &Row{Key: "7", Email: "a@example.com", Consents: []owlatsync.Consent{owlatsync.Yes}, Properties: map[string]json.RawMessage{"plan": json.RawMessage(`"gold"`)}}
	if n := row.Size(); n != len("7a@example.com")+1+len(`plan"gold"`) {
		t.Errorf("it takes %d bytes", n)
	}
}

// TestKeysHideAddresses shows keys that hold an address in other writing, and keys that look like them and hold none.
func TestKeysHideAddresses(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"ada.k%40example.com", "ada.k%2540example.com", "ada%u0040example.com", "17/ada.k%40example.com", "%61%64%61%40%65.example",
		"ada&#64;example.com", "ada&#064;example.com", "ada&#x40;example.com", "ada&amp;#x40;example.com", "ada&commat;example.com",
		`ada\u0040example.com`, `ada\\u0040example.com`, `ada\x40example.com`, `ada\u{40}example.com`, `ada\100example.com`, "ada=40example.com", "ada=40example=2ecom",
		"ada＠example.com", "ada﹫example.com", "ada[at]example.com", "ada (AT) example.com", "ada at example.com", "ada_at_example.com", "ada at example dot com",
		"6164612e6b406578616d706c652e636f6d", "6164612E6B406578616D706C652E636F6D", "YWRhLmtAZXhhbXBsZS5jb20=", "YWRhLmtAZXhhbXBsZS5jb20", "7/YWRhLmtAZXhhbXBsZS5jb20=",
		"mail:6164612e6b406578616d706c652e636f6d", "YWRhPz8/P0BleGFtcGxlLmNvbQ==",
	} {
		if d := (Decision{Key: key}); d.PublicKey() != "" || RowName(key) != "another row" {
			t.Errorf("the key %q is shown", key)
		}
	}
	for _, key := range []string{
		"7", "4711", "40", "id=40", "id=401.5", "100%", "a%4", "a&#65;b", `a\/b`, "7/8", "meet at noon", "look_at_me", "[atlas]", "u0040", "0040",
		"018f3c1e-7b5a-7c40-9d40-3f0a9b1c2d40", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "k57newsletter0000000000000000000", "c2VjcmV0LXNlY3JldA==",
	} {
		if d := (Decision{Key: key}); d.PublicKey() != key {
			t.Errorf("the key %q is hidden", key)
		}
	}
}

// TestDecisionsHideAddresses looks for what logs get of a row.
func TestDecisionsHideAddresses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ key, address, public, name string }{
		{"7", "a@example.com", "7", "the row with key 7"},
		{"a@example.com", "a@example.com", "", "another row"},
		{"7/a@example.com", " A@Example.com ", "", "another row"},
		{"7", "", "7", "the row with key 7"},
	} {
		d := NewDecision(tt.key, owlatsync.Position{}, tt.address, owlatsync.Failed, "why")
		if d.PublicKey() != tt.public || RowName(tt.key) != tt.name || d.Address() != tt.address {
			t.Errorf("row %q is called %q and %q", tt.key, d.PublicKey(), RowName(tt.key))
		}
		hash := NewDecision("", owlatsync.Position{}, "a@example.com", owlatsync.Failed, "").AddressHash()
		if got := d.AddressHash(); len(hash) != 8 || tt.address == "" && got != "" || tt.address != "" && got != hash {
			t.Errorf("the hash of %q is %q, want %q", tt.address, got, hash)
		}
	}
}
