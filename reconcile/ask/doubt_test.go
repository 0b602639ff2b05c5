package ask

import (
	"fmt"
	"testing"

	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/owlat/owlattest"
)

// TestSettleTellsALedgerThatFailsOnce: what the ledger says of its error stands there once, not again in other words.
func TestSettleTellsALedgerThatFailsOnce(t *testing.T) {
	t.Parallel()
	client, server := owlattest.Start(t)
	store := memory.New()
	lock, err := store.Acquire(t.Context(), ledger.Claim{Purpose: "test"})
	if err != nil {
		t.Fatal(err)
	}
	contact, err := server.AddContact(owlattest.ContactState{Email: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	entry := &ledger.Entry{Key: "1", ContactID: contact, Email: "ada@example.com", Identity: "ada@example.com", Origin: ledger.OriginCreated, Doubt: true}
	if err := lock.Record(t.Context(), ledger.Record{Sync: "users", Entry: entry}); err != nil {
		t.Fatal(err)
	}
	if err := store.LoseLock(); err != nil {
		t.Fatal(err)
	}
	if _, err = store.Reopen().Acquire(t.Context(), ledger.Claim{Purpose: "another run"}); err != nil {
		t.Fatal(err)
	}
	a := Asker{Client: client, Ledger: store, Sync: "users"}
	_, err = a.Settle(t.Context(), func(r ledger.Record) error { return lock.Record(t.Context(), r) })
	if want := fmt.Sprint("record in ledger: ", ledger.ErrLockLost); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
