package home

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"owlatsync"
	"owlatsync/internal/turns"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

// TestAnInquiryIsMadeWithTheBudgetOfTheHome: a home that ends makes none any more, as it would if the inquiry had a client of its own.
func TestAnInquiryIsMadeWithTheBudgetOfTheHome(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	home := h.move("allow")
	home.Do(t.Context(), turns.Request{Sync: "users", Why: turns.Asked})
	ids := contactsOf(t, h)
	if len(ids) != 2 {
		t.Fatalf("there are %q", ids)
	}
	q := h.d.Inquiry()
	before := h.server.Stats().Total
	if c, err := q.Contact(t.Context(), ids[0]); err != nil || c.ID != ids[0] || h.server.Stats().Total != before+1 {
		t.Errorf("%+v, %v after %d requests", c, err, h.server.Stats().Total-before)
	}
	if _, err := q.Contact(t.Context(), "nobody@example.com"); !errors.Is(err, owlat.ErrNotFound) {
		t.Error(err)
	}
	home.finish(t.Context())
	before = h.server.Stats().Total
	if _, err := q.Contact(t.Context(), ids[0]); err == nil || h.server.Stats().Total != before {
		t.Errorf("a home that ends was passed by: %v", err)
	}
}

// TestMembersAreReadWithTheSecret, without the key and past the home: that takes nothing of its budget.
func TestMembersAreReadWithTheSecret(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.server.SetUnsubscribeSecret("the-secret-of-links")
	topic := h.server.AddTopic("Newsletter", false)
	home := h.move("allow")
	home.Do(t.Context(), turns.Request{Sync: "users", Why: turns.Asked})
	id := contactsOf(t, h)[0]
	q := h.d.Inquiry()
	if got, err := q.Members(t.Context(), id); got != nil || err != nil || h.server.Stats().Links.Total != 0 {
		t.Errorf("without a secret: %+v, %v", got, err)
	}
	h.d.Config().Owlat.UnsubscribeSecret = "the-secret-of-links"
	home.finish(t.Context())
	before := h.server.Stats().Total
	got, err := q.Members(t.Context(), id)
	if err != nil || h.server.Stats().Total != before {
		t.Fatalf("%v after %d requests to the API", err, h.server.Stats().Total-before)
	}
	if on, known := got.Subscribed(topic); on || !known || got.Topics[0].Name != "Newsletter" {
		t.Errorf("%+v", got)
	}
}

// contactsOf returns the contacts of the rows.
func contactsOf(t *testing.T, h *hall) (contacts []string) {
	t.Helper()
	for e, err := range h.d.Ledger().All(t.Context(), "users") {
		if err != nil {
			t.Fatal(err)
		}
		contacts = append(contacts, e.ContactID)
	}
	return contacts
}

// TestAnInquiryReadsASource, and asks Owlat nothing.
func TestAnInquiryReadsASource(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	if err := os.WriteFile(filepath.Join(h.dir, "users.csv"), []byte("id,email\n1,ann@example.com\n2,nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	q := h.d.Inquiry()
	syncs := q.Configured()
	if len(syncs) != 1 || syncs[0].Name != "users" {
		t.Fatalf("%+v", syncs)
	}
	before := h.server.Stats().Total
	var seen, wrong []string
	err := q.Read(t.Context(), syncs[0], func(r *owlatsync.Row) { seen = append(seen, r.Email.Value) }, func(t reconcile.Trouble) error { wrong = append(wrong, t.Position); return nil })
	if err != nil || !slices.Equal(seen, []string{"ann@example.com", "nonsense"}) || !slices.Equal(wrong, []string{"line 3"}) {
		t.Errorf("%q, %q, %v", seen, wrong, err)
	}
	if h.server.Stats().Total != before {
		t.Error("Owlat was asked")
	}
}
