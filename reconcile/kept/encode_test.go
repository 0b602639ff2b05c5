package kept

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

// TestForm decodes what was encoded, whatever the step does, and refuses what is cut off or goes on.
func TestForm(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		d       step.Decision
		address string
	}{
		{step.Decision{Key: "1", Outcome: owlatsync.Created, Changes: []owlatsync.Change{
			{Kind: owlatsync.CreateContact, Field: "email", To: "ada@example.com"}, {Kind: owlatsync.SetField, Field: "firstName", To: "Ada"}, {Kind: owlatsync.AddTopic, Topic: "news"},
		}, Events: []string{"created", ""}}, "ada@example.com"},
		{step.Decision{Key: "2", Outcome: owlatsync.Renamed, Changes: []owlatsync.Change{{Kind: owlatsync.RenameContact, Field: "email", From: "a@example.com", To: "b@example.com"}}}, "b@example.com"},
		{step.Decision{Key: "3", Outcome: owlatsync.Removed, Reason: "gone\x00", Changes: []owlatsync.Change{{Kind: owlatsync.DeleteContact, From: "c@example.com"}}}, "c@example.com"},
		{step.Decision{Key: "4", Outcome: owlatsync.Adopted, Changes: []owlatsync.Change{{Kind: owlatsync.AdoptContact}, {Kind: owlatsync.RemoveTopic, Topic: "news"}}}, ""},
		{step.Decision{Outcome: owlatsync.Failed}, "d@example.com"},
	} {
		item := ledger.PlanItem{Key: tt.d.Key, Body: encode(make([]byte, 8), tt.d, tt.address)}
		got, err := decode(item)
		if err != nil || got.Address() != tt.address || !cmp.Equal(got, tt.d, cmpopts.IgnoreUnexported(step.Decision{})) {
			t.Errorf("%+v, %q, %v; want %+v, %q", got, got.Address(), err, tt.d, tt.address)
		}
		for n := range item.Body {
			if _, err := decode(ledger.PlanItem{Body: item.Body[:n]}); !errors.Is(err, ledger.ErrCorrupt) {
				t.Errorf("%d of %d bytes: %v", n, len(item.Body), err)
			}
		}
		if _, err := decode(ledger.PlanItem{Body: append(item.Body, 0)}); !errors.Is(err, ledger.ErrCorrupt) {
			t.Errorf("a byte too many: %v", err)
		}
		for i := range item.Body[8:] {
			broken := append([]byte{}, item.Body...)
			broken[8+i] = 0xff
			_, _ = decode(ledger.PlanItem{Body: broken}) // it never panics
		}
	}
}
