package faults

import (
	"fmt"
	"testing"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// operation is one thing that a run does to Owlat, with the smallest change of a source that makes it do so. The row that
// it is about has the key "1".
type operation struct {
	name          string
	method, route string // of the request that faults hit
	before, after []owlatsync.Row
	missing       reconcile.MissingPolicy
	events        []reconcile.EventRule
	secret        bool // the run has the unsubscribe secret
	round         bool // the subject has left the topic, and a round looks for people who have, in place of a run
	comes         bool // of a round: nobody has left, but somebody has come into Owlat to whom no mail may go
}

// subject is the key of the row that an operation is about.
const subject = "1"

// subjectAddress is the address of its contact.
const subjectAddress = "ada@example.com"

// comerAddress is that of somebody who comes into Owlat although no mail may go to them.
const comerAddress = "eve@example.com"

// manyRows is the operation of which a run has many, and manyRead that with the unsubscribe secret.
const (
	manyRows = "many"
	manyRead = "many are read"
)

// row is a row with a name and a consent to the topic.
func row(key, email, first string, consent bool) owlatsync.Row {
	return owlatsync.Row{Key: key, Email: owlatsync.Some(email), Fields: owlatsync.Fields{owlatsync.FirstName: owlatsync.Some(first)}, Consents: []owlatsync.Consent{owlatsync.ConsentOf(consent)}}
}

func operations() []operation {
	bystander := row("0", "zoe@example.com", "Zoe", false)
	ada := row(subject, "ada@example.com", "Ada", false)
	member, renamed, updated := ada, ada, ada
	member.Consents = []owlatsync.Consent{owlatsync.Yes}
	renamed.Email = owlatsync.Some("ada@example.org")
	updated.Fields[owlatsync.FirstName] = owlatsync.Some("Augusta")
	never := member
	never.Suppressed = true
	both := func(r owlatsync.Row) []owlatsync.Row { return []owlatsync.Row{bystander, r} }
	onUpdate := []reconcile.EventRule{{Name: "user_updated", On: ledger.OnUpdated}}
	var several, many []owlatsync.Row
	for n := range 100 {
		many = append(many, row(fmt.Sprint(n), fmt.Sprintf("user%d@example.com", n), "U", false))
	}
	several = many[:6]
	alone := []owlatsync.Row{bystander}
	return []operation{
		{name: "create", method: "POST", route: owlattest.RouteContacts, before: alone, after: both(ada)},
		{name: "update", method: "PUT", route: owlattest.RouteContact, before: both(ada), after: both(updated)},
		{name: "rename", method: "PUT", route: owlattest.RouteContact, before: both(ada), after: both(renamed)},
		{name: "topic add", method: "POST", route: owlattest.RouteTopicContacts, before: both(ada), after: both(member)},
		{name: "topic add, with the secret", method: "POST", route: owlattest.RouteTopicContacts, before: both(ada), after: both(member), secret: true},
		{name: "members", method: "GET", route: owlattest.RoutePreferences, before: both(ada), after: both(member), secret: true},
		{name: "opt-out", method: "POST", route: owlattest.RouteUnsubscribe, before: both(member), after: both(never), secret: true},
		{name: "round, list", method: "GET", route: owlattest.RouteContacts, before: both(member), after: both(ada), secret: true, round: true},
		{name: "round, opt-out", method: "POST", route: owlattest.RouteUnsubscribe, before: both(ada), after: both(ada), secret: true, round: true, comes: true},
		{name: "round, members", method: "GET", route: owlattest.RoutePreferences, before: both(member), after: both(ada), secret: true, round: true},
		{name: "topic remove", method: "DELETE", route: owlattest.RouteTopicContact, before: both(member), after: both(ada)},
		{name: "delete", method: "DELETE", route: owlattest.RouteContact, before: both(ada), after: alone, missing: reconcile.MissingDelete},
		{name: "event", method: "POST", route: owlattest.RouteEvents, before: both(ada), after: both(updated), events: onUpdate},
		{name: "list", method: "GET", route: owlattest.RouteContacts, after: several},
		{name: "source read", before: both(member), after: []owlatsync.Row{bystander, row("2", "new@example.com", "New", true)}, missing: reconcile.MissingDelete},
		{name: manyRead, method: "GET", route: owlattest.RoutePreferences, before: many, after: consenting(many), secret: true},
		{name: manyRows, method: "PUT", route: owlattest.RouteContact, before: many, after: changed(many)},
	}
}

func changed(list []owlatsync.Row) []owlatsync.Row {
	out := make([]owlatsync.Row, len(list))
	for i, r := range list {
		r.Fields[owlatsync.FirstName] = owlatsync.Some("V")
		out[i] = r
	}
	return out
}

func consenting(list []owlatsync.Row) []owlatsync.Row {
	out := make([]owlatsync.Row, len(list))
	for i, r := range list {
		r.Consents = []owlatsync.Consent{owlatsync.Yes}
		out[i] = r
	}
	return out
}

func operationNamed(t *testing.T, name string) operation {
	t.Helper()
	for _, op := range operations() {
		if op.name == name {
			return op
		}
	}
	t.Fatalf("there is no operation %q", name)
	return operation{}
}
