package reconcile_test

import (
	"testing"

	"owlatsync"
	"owlatsync/reconcile"
)

// TestAnUnclearConsentAddsAndRemovesNobody plays what a column says one after the other, and who is on the topic then.
func TestAnUnclearConsentAddsAndRemovesNobody(t *testing.T) {
	t.Parallel()
	const yes, no, unclear = owlatsync.Yes, owlatsync.No, owlatsync.Unclear
	for _, tt := range []struct {
		name  string
		there bool // the contact was in Owlat before
		says  []owlatsync.Consent
		on    []bool
	}{
		{"a status that is not confirmed yet", false, []owlatsync.Consent{unclear, unclear, yes}, []bool{false, false, true}},
		{"a contact that was there", true, []owlatsync.Consent{unclear, yes}, []bool{false, true}},
		{"a member", false, []owlatsync.Consent{yes, unclear, unclear, yes}, []bool{true, true, true, true}},
		{"a member who withdraws after all", false, []owlatsync.Consent{yes, unclear, no, unclear}, []bool{true, true, false, false}},
		{"a no", false, []owlatsync.Consent{no, unclear, yes, no}, []bool{false, false, true, false}},
		{"a yes left alone", true, []owlatsync.Consent{yes, unclear, yes}, []bool{false, false, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			if tt.there {
				w.server.Seed(1, "ada")
			}
			for i, says := range tt.says {
				row := user("1", "ada1@seed.example", "Ada")
				row.Consents = []owlatsync.Consent{says}
				report := w.run(row)
				if want := map[bool]int{true: 1}[says == unclear]; report.Memberships.Unclear != want {
					t.Errorf("run %d counts %d unclear consents, want %d", i+1, report.Memberships.Unclear, want)
				}
				c, _ := w.server.Contact("ada1@seed.example")
				if on := len(c.Topics) == 1; on != tt.on[i] {
					t.Errorf("after run %d the contact is on the topic: %v, want %v", i+1, on, tt.on[i])
				}
				if again := w.run(row); again.Requests.Total != 0 {
					t.Errorf("the same row once more costs %d requests", again.Requests.Total)
				}
			}
		})
	}
}
