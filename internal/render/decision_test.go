package render

import (
	"testing"

	"owlatsync"
	"owlatsync/reconcile"
)

func TestDecisionLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		decision reconcile.Decision
		want     string
	}{
		{reconcile.Decision{Key: "7", Position: "row 9", Outcome: owlatsync.Created, Changes: []owlatsync.Change{
			{Kind: owlatsync.CreateContact, Field: "email", To: "a@example.com"},
			{Kind: owlatsync.SetField, Field: "firstName", To: "Ann"},
			{Kind: owlatsync.AddTopic, Topic: "k57"},
		}}, `  create     7           a@example.com, firstName "Ann", add to topic k57`},
		{reconcile.Decision{Key: "7", Outcome: owlatsync.Created, MayExist: true, Changes: []owlatsync.Change{
			{Kind: owlatsync.CreateContact, Field: "email", To: "a@example.com"},
		}}, `  create, or adopt if it exists  7           a@example.com`},
		{reconcile.Decision{Key: "7", Outcome: owlatsync.Updated, Changes: []owlatsync.Change{
			{Kind: owlatsync.SetField, Field: "lastName", From: "Lee\x1b[2J", To: ""},
			{Kind: owlatsync.RemoveTopic, Topic: "k57"},
		}}, `  update     7           lastName "Lee\x1b[2J" -> "", remove from topic k57`},
		{reconcile.Decision{Key: "7", Outcome: owlatsync.Renamed, Changes: []owlatsync.Change{
			{Kind: owlatsync.RenameContact, Field: "email", From: "a@example.com", To: "b@example.com"},
		}}, `  rename     7           address a@example.com -> b@example.com`},
		{reconcile.Decision{Key: "7", Outcome: owlatsync.Adopted, Changes: []owlatsync.Change{{Kind: owlatsync.AdoptContact}}, Reason: "seen"},
			`  adopt      7           the contact exists; seen`},
		{reconcile.Decision{Key: "7", Outcome: owlatsync.Removed, Changes: []owlatsync.Change{{Kind: owlatsync.DeleteContact}}},
			`  remove     7           delete the contact`},
		{reconcile.Decision{Key: "7", Outcome: owlatsync.Updated, Changes: []owlatsync.Change{{Kind: owlatsync.AddTopic, Topic: "k59"}, {Kind: owlatsync.RemoveTopic, Topic: "k58"}}},
			`  update     7           add to topic k59 (Offers), remove from topic k58 ("News\u202e")`},
		{reconcile.Decision{Position: "row 3", Outcome: owlatsync.Invalid, Reason: "the key is NULL"}, `  invalid    row 3       the key is NULL`},
		{reconcile.Decision{Key: "a\nb", Outcome: owlatsync.Skipped, Reason: "why"}, `  skip       "a\nb"      why`},
	} {
		if got := decisionLine(test.decision, topicNames{{ID: "k58", Name: "News\u202e"}, {ID: "k59", Name: "Offers"}, {ID: "k57"}}); got != test.want {
			t.Errorf("got  %q\nwant %q", got, test.want)
		}
	}
}
