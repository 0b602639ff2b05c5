package reconcile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/transfer"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// forget has the ledger forget a person.
func (w *world) forget(email string) {
	w.t.Helper()
	if _, err := w.ledger.ForgetPerson(context.Background(), email); err != nil {
		w.t.Fatal(err)
	}
}

// members returns how many topics the contact is on, none if there is no such contact.
func (w *world) members(email string) int {
	c, _ := w.server.Contact(email)
	return len(c.Topics)
}

// TestAForgottenPersonIsNoNewContact forgets people in every state and looks at what the sync makes of rows that stay.
func TestAForgottenPersonIsNoNewContact(t *testing.T) {
	t.Parallel()
	erase := func(w *world) { w.call("DELETE", "/contacts/a@example.com", "") }
	softDelete := func(w *world) {
		if err := w.server.SoftDelete("a@example.com"); err != nil {
			w.t.Fatal(err)
		}
	}
	leave := func(w *world) {
		if err := w.server.Unsubscribe("a@example.com", ""); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name     string
		existing reconcile.Existing
		synced   bool // before the person is forgotten
		meantime func(w *world)
		outcome  owlatsync.Outcome
		members  int
	}{
		{"the contact stays", "", true, nil, owlatsync.Adopted, 1},
		{"the contact has left the topic", "", true, leave, owlatsync.Adopted, 0},
		{"the contact was erased too", "", true, erase, owlatsync.Created, 0},
		{"the contact was deleted in the dashboard", "", true, softDelete, owlatsync.Created, 0},
		{"never synced", "", false, nil, owlatsync.Created, 0},
		{"never synced, and the contact is there", "", false, func(w *world) { w.call("POST", "/contacts", `{"email":"a@example.com"}`) }, owlatsync.Adopted, 0},
		{"the contact stays, and existing ones are added", reconcile.ExistingAdd, true, nil, owlatsync.Adopted, 1},
		{"the contact was erased too, and existing ones are added", reconcile.ExistingAdd, true, erase, owlatsync.Created, 1},
	} {
		for _, when := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, when %v", tt.name, when), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, reconcile.Topic{ID: "news", When: when, Existing: tt.existing})
				row, other := user("1", "A@example.com", "A", true), user("2", "b@example.com", "B", true)
				if tt.synced {
					w.run(row, other)
				} else {
					w.run(other)
				}
				before := w.server.Len()
				w.forget("a@example.com")
				if w.server.Len() != before {
					t.Error("forgetting changed Owlat")
				}
				if tt.meantime != nil {
					tt.meantime(w)
				}
				w.run(row, other)
				if d := w.done("1"); d.Outcome != tt.outcome {
					t.Errorf("told %+v, want %s", d, tt.outcome)
				}
				if got := w.members("a@example.com"); got != tt.members || w.members("b@example.com") != 1 {
					t.Errorf("on %d topics, want %d; the other on %d", got, tt.members, w.members("b@example.com"))
				}
				requests := w.requests()
				expect(t, w.run(row, other), "unchanged 2")
				w.sent(requests)

				// Somebody new is still welcome, and the person's own new consent counts.
				third := user("3", "c@example.com", "C", true)
				w.run(user("1", "a@example.com", "A", false), other, third)
				if w.members("a@example.com") != 0 || w.members("c@example.com") != 1 {
					t.Errorf("after a no: on %d topics, somebody new on %d", w.members("a@example.com"), w.members("c@example.com"))
				}
				w.run(row, other, third)
				want := 0
				if when || tt.existing == reconcile.ExistingAdd {
					want = 1
				}
				if got := w.members("a@example.com"); got != want {
					t.Errorf("after a new yes on %d topics, want %d", got, want)
				}
			})
		}
	}
}

// TestWhoLeftAndWasForgottenIsNotPutBack has a topic that existing contacts are added to.
func TestWhoLeftAndWasForgottenIsNotPutBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true, Existing: reconcile.ExistingAdd})
	w.run(people(2, "P", true)...)
	for _, address := range []string{"p1@example.com", "p2@example.com"} {
		left := owlat.WebhookTopicUnsubscribedPayload{ContactID: w.contact(address).ID, UnsubscribedAt: time.Now().Add(-2 * time.Second), Topics: []owlat.WebhookRemovedTopic{{ID: w.sync.Topics[0].ID}}}
		if err := reconcile.Unsubscribed(t.Context(), w.ledger, left); err != nil {
			t.Fatal(err)
		}
		if err := w.server.Unsubscribe(address, w.sync.Topics[0].ID); err != nil {
			t.Fatal(err)
		}
		w.forget(address)
	}
	expect(t, w.run(people(2, "P", true)...), "adopted 2")
	if n := w.members("p1@example.com") + w.members("p2@example.com"); n != 0 {
		t.Errorf("%d were put back", n)
	}
	w.run(people(2, "P", false)...)
	w.run(people(2, "P", true)...)
	if n := w.members("p1@example.com") + w.members("p2@example.com"); n != 2 {
		t.Errorf("after a new consent %d are on the topic", n)
	}
}

func TestANoThatWasForgottenIsNoConsentLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.run(user("1", "a@example.com", "A", false))
	w.forget("a@example.com")
	w.run(user("1", "a@example.com", "A", true)) // what it was before is not known any more
	if n := w.members("a@example.com"); n != 0 {
		t.Errorf("on %d topics", n)
	}
	w.run(user("1", "a@example.com", "A", false))
	w.run(user("1", "a@example.com", "A", true))
	if n := w.members("a@example.com"); n != 1 {
		t.Errorf("after a no and a yes on %d topics", n)
	}
}

// TestAForgottenPersonIsNoNewContactAfterFailures lets the creation go wrong in every way before it succeeds.
func TestAForgottenPersonIsNoNewContactAfterFailures(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]owlattest.Fault{
		"an error":                       {Kind: owlattest.StatusError, Status: 500, Method: "POST"},
		"an answer lost, without effect": {Kind: owlattest.ResetBefore, Method: "POST"},
		"an answer lost, with effect":    {Kind: owlattest.ResetAfter, Method: "POST"},
		"all answers lost, with effect":  {Kind: owlattest.ResetAfter},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, reconcile.Topic{ID: "news", When: true})
				defer w.ledger.Close()
				w.run(user("2", "b@example.com", "B", true))
				w.forget("a@example.com")
				if err := w.server.InjectFaults(fault); err != nil {
					t.Fatal(err)
				}
				w.run(user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true))
				w.server.ClearFaults()
				w.run(user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true))
				if c := w.contact("a@example.com"); len(c.Topics) != 0 {
					t.Errorf("Owlat holds %+v", c)
				}
				before := w.requests()
				expect(t, w.run(user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true)), "unchanged 2")
				w.sent(before)
			})
		})
	}
}

func TestAMovedLedgerRemembersWhomItForgot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.run(people(3, "P", true)...)
	w.forget("p2@example.com")
	w.call("DELETE", "/contacts/p2@example.com", "")
	var export bytes.Buffer
	if err := transfer.Export(t.Context(), w.ledger, &export); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(export.Bytes(), []byte("p2@example.com")) {
		t.Error("the export holds the address")
	}
	w.loseLedger()
	if err := transfer.Import(t.Context(), w.ledger, &export); err != nil {
		t.Fatal(err)
	}
	expect(t, w.run(people(3, "P", true)...), "created 1, unchanged 2")
	if n := w.members("p2@example.com"); n != 0 {
		t.Errorf("on %d topics", n)
	}
}

func TestAHeldPlanThatLostAForgottenPersonIsNotApproved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news"})
	w.sync.Guards = reconcile.Guards{}
	list := people(3, "P", true)
	_, err := w.try(t.Context(), runOptions{}, rows{list: list})
	var held *reconcile.HeldError
	if !errors.As(err, &held) {
		t.Fatalf("error %v", err)
	}
	w.forget("p2@example.com")
	_, err = w.try(t.Context(), runOptions{Approve: held.Run}, rows{list: list})
	var moved *reconcile.MovedError
	if !errors.As(err, &moved) || moved.Rows != 1 || moved.Keys[0] != "the row with key 2" || w.server.Len() != 0 {
		t.Errorf("error %v, %d contacts", err, w.server.Len())
	}
	// Without the person, the plan is what it was.
	without := []owlatsync.Row{list[0], list[2]}
	if _, err := w.try(t.Context(), runOptions{Approve: held.Run}, rows{list: without}); err != nil {
		t.Error(err)
	}
	if w.server.Len() != 2 {
		t.Errorf("%d contacts", w.server.Len())
	}
}

// TestAForgottenPersonIsNoNewContactAfterAKill has a run die after it created the contact anew.
func TestAForgottenPersonIsNoNewContactAfterAKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.run(user("2", "b@example.com", "B", true))
	w.forget("a@example.com")
	w.call("POST", "/contacts", `{"email":"a@example.com","firstName":"A"}`)
	now := time.Now()
	w.record(ledger.Record{Sync: "users", Entry: &ledger.Entry{
		Key: "1", ContactID: w.contact("a@example.com").ID, Email: "a@example.com", Identity: "a@example.com", Fields: owlatsync.Texts{owlatsync.FirstName: "A"},
		Origin: ledger.OriginCreated, Intent: ledger.Intent{Create: now}, FirstSeen: now,
	}})
	expect(t, w.run(user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true)), "created 1, unchanged 1")
	if n := w.members("a@example.com"); n != 0 {
		t.Errorf("on %d topics", n)
	}
}
