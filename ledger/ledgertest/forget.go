package ledgertest

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/ledger"
)

// forgotten returns the forgotten ones of the addresses, in alphabetical order.
func forgotten(t *testing.T, l Ledger, addresses ...string) []string {
	t.Helper()
	found, err := l.Forgotten(t.Context(), addresses)
	noError(t, err)
	for address, yes := range found {
		if !yes {
			t.Errorf("%s is told although it was not forgotten", address)
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func forgetPerson(t *testing.T, l Ledger, address string, rows int) {
	t.Helper()
	n, err := l.ForgetPerson(t.Context(), address)
	noError(t, err)
	same(t, "rows", n, rows)
}

func testForgetPerson(t *testing.T, open Open) {
	t.Run("all entries of the person", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		renamed, stale := entry("1"), entry("2")
		renamed.Email = "now@example.com"
		stale.ContactID, stale.Email, stale.Identity = renamed.ContactID, "stale@example.com", "stale@example.com"
		record(t, l, "users", renamed, entry("3"))
		record(t, l, "others", stale, entry("3"))
		left := func(contact string, second int) ledger.OptOut {
			return ledger.OptOut{ContactID: contact, Topic: "topic1", At: at(second)}
		}
		noError(t, l.NoteOptOuts(t.Context(), left("contact1", 5), left("contact3", 5)))
		forgetPerson(t, l, "row1@example.com", 2)
		same(t, "users", indexOf(t, l, "users"), wantIndex(entry("3")))
		same(t, "others", indexOf(t, l, "others"), wantIndex(entry("3")))
		same(t, "history", len(historyOf(t, l, "users", "1"))+len(historyOf(t, l, "others", "2")), 0)
		same(t, "history of somebody else", len(historyOf(t, l, "users", "3")), 1)
		same(t, "forgotten", forgotten(t, l, "row1@example.com", "now@example.com", "stale@example.com", "row3@example.com"),
			[]string{"now@example.com", "row1@example.com", "stale@example.com"})

		// Topics that a person left stay left.
		optOut := func(contact string) []ledger.OptOut {
			t.Helper()
			found, err := l.OptOuts(t.Context(), []string{contact, "unknown"})
			noError(t, err)
			return found
		}
		same(t, "opt-outs", optOut("contact1"), []ledger.OptOut{left("contact1", 5)})
		same(t, "opt-outs of somebody else", optOut("contact3"), []ledger.OptOut{left("contact3", 5)})
		noError(t, l.NoteOptOuts(t.Context(), left("contact1", 9)))
		same(t, "later opt-outs", optOut("contact1"), []ledger.OptOut{left("contact1", 9)})
		noError(t, l.NoteOptOuts(t.Context(), left("contact1", 2)))
		record(t, l, "users", entry("1"))
		forgetPerson(t, l, "row1@example.com", 1)
		same(t, "opt-outs of somebody forgotten twice", optOut("contact1"), []ledger.OptOut{left("contact1", 9)})
	})
	t.Run("somebody unknown", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		record(t, l, "users", entry("1"))
		same(t, "before", len(forgotten(t, l, "zoe@example.com", "row1@example.com")), 0)
		forgetPerson(t, l, " Zoe@Example.COM\n", 0)
		forgetPerson(t, l, "zoe@example.com", 0)
		same(t, "forgotten", forgotten(t, l, "row1@example.com", "zoe@example.com", "joe@example.com", ""), []string{"zoe@example.com"})
		same(t, "none asked for", len(forgotten(t, l)), 0)
		same(t, "entries", len(collect(t, l.All(t.Context(), "users"))), 1)
	})
	t.Run("many addresses", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		var addresses []string
		for _, e := range many(0, 1500) {
			addresses = append(addresses, e.Email)
		}
		for _, address := range []string{addresses[0], addresses[700], addresses[1499]} {
			forgetPerson(t, l, address, 0)
		}
		same(t, "forgotten", forgotten(t, l, addresses...), []string{"row0@example.com", "row1499@example.com", "row700@example.com"})
	})
	t.Run("not what is no address", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		for _, none := range []string{"", " ", "secret name"} {
			if _, err := l.ForgetPerson(t.Context(), none); err == nil || none != "" && strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: %v", none, err)
			}
		}
	})
	t.Run("not while a run holds the ledger", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		record(t, l, "users", entry("1"))
		k := hold(t, l)
		if _, err := l.ForgetPerson(t.Context(), "row1@example.com"); !errors.Is(err, ledger.ErrLocked) {
			t.Errorf("forgotten under a run: %v", err)
		}
		same(t, "forgotten", len(forgotten(t, l, "row1@example.com")), 0)
		same(t, "entries", len(entriesOf(t, l, "users", "1")), 1)
		noError(t, k.Release())
		forgetPerson(t, l, "row1@example.com", 1)
		hold(t, l)
	})
	t.Run("a person who comes back is recorded anew", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		record(t, l, "users", entry("1"))
		forgetPerson(t, l, "row1@example.com", 1)
		record(t, l, "users", entry("1"))
		same(t, "entry", entriesOf(t, l, "users", "1")["1"], entry("1"))
		same(t, "index", indexOf(t, l, "users"), wantIndex(entry("1")))
		same(t, "history", len(historyOf(t, l, "users", "1")), 1)
		same(t, "forgotten", forgotten(t, l, "row1@example.com"), []string{"row1@example.com"})
	})
}

// testTraces looks for traces of a person, and for missing data of others.
func testTraces(t *testing.T, open Open) {
	const address = "o'hara&co@example.com"
	folder := t.TempDir()
	l := open(t, folder)
	with := func(key string, change func(e *ledger.Entry)) *ledger.Entry {
		e := entry(key)
		change(e)
		return e
	}
	theirs := []ledger.Holder{
		{Sync: "users", Entry: with("1", func(e *ledger.Entry) { e.Email, e.Identity, e.ContactID = address, address, "contact-o" })},
		{Sync: "users", Entry: with("2", func(e *ledger.Entry) { e.Identity = address })},
		{Sync: "orders", Entry: with("7", func(e *ledger.Entry) {
			e.Email, e.Identity, e.ContactID = "early@example.com", "first@example.com", "contact-o"
		})},
		{Sync: "plain", Entry: &ledger.Entry{Key: address, Failure: &ledger.Failure{Class: ledger.GiveUp, Parked: true}}},
		{Sync: "plain", Entry: &ledger.Entry{Key: "O'Hara&Co@Example.com"}},
		{Sync: "plain", Entry: with("user:"+address, func(e *ledger.Entry) { e.Email = "" })},
		{Sync: "pairs", Entry: &ledger.Entry{Key: owlatsync.JoinKey("7/8", address)}},
		{Sync: "pairs", Entry: &ledger.Entry{Key: owlatsync.JoinKey(address, "9")}},
	}
	others := []ledger.Holder{
		{Sync: "users", Entry: with("3", func(e *ledger.Entry) { e.Email, e.Identity = "x."+address, "x."+address })},
		{Sync: "users", Entry: with("4", func(e *ledger.Entry) { e.Email, e.Identity = address+".example", "x/"+address })},
		{Sync: "users", Entry: with("5", func(e *ledger.Entry) {
			e.Failure = &ledger.Failure{Class: ledger.RetryLater, Reason: "it belongs to the contact contact-o of row O'Hara&Co@example.com"}
		})},
		{Sync: "plain", Entry: with("x/"+address, func(e *ledger.Entry) { e.Email = "x/" + address })},
		{Sync: "plain", Entry: &ledger.Entry{Key: "x-" + address, ChangedAt: at(1)}},
		{Sync: "plain", Entry: &ledger.Entry{Key: address + ".example", ChangedAt: at(1)}},
	}
	k := hold(t, l)
	for _, h := range slices.Concat(theirs, others) {
		noError(t, k.Record(t.Context(), ledger.Record{Sync: h.Sync, Run: 1, Entry: h.Entry, Event: "created"}))
	}
	noError(t, k.Record(t.Context(), ledger.Record{Sync: "users", Run: 1, Entry: entry("6"), Event: "kept", Note: "was row O'HARA&co@example.com, now 6"}))
	// The ledger only remembers these rows.
	recordUnder(t, k, "plain", entry("6"), &ledger.Entry{Key: "it/" + address})
	noError(t, k.Remove(t.Context(), "plain", []string{"it/" + address, "6"}))

	held := begin(t, k, "users")
	hit := owlatsync.Hit{Guard: owlatsync.GuardRemovals, Reason: "such as of " + address}
	end(t, k, ledger.Run{ID: held, Started: at(0), Status: ledger.StatusHeld, Message: "such as row " + address, Guards: []owlatsync.Hit{hit},
		Part: owlatsync.Part{Only: []string{"1", "3", address, "7"}}})
	plan := func(key, body string) ledger.PlanItem {
		return ledger.PlanItem{Phase: 1, Key: key, Body: []byte(body)}
	}
	keep(t, k, held, plan("1", "{}"), plan("9", `{"email":"O'HARA&co@example.com"}`), plan("10", `{"email":"o'hara\u0026co@example.com"}`),
		plan(address, "{}"), plan("3", `{"email":"row3@example.com"}`), plan("7", "{}"))
	noError(t, k.Release())

	forgetPerson(t, l, "O'Hara&Co@Example.com ", len(theirs))
	noError(t, l.Close())
	l = reopen(t, open, folder)
	for _, h := range theirs {
		same(t, h.Sync+" "+h.Entry.Key, len(entriesOf(t, l, h.Sync, h.Entry.Key)), 0)
		same(t, "history of "+h.Sync+" "+h.Entry.Key, len(historyOf(t, l, h.Sync, h.Entry.Key)), 0)
	}
	for _, h := range others {
		if h.Entry.Failure != nil {
			h.Entry.Failure.Reason = "it belongs to the contact (forgotten) of row (forgotten)"
		}
		same(t, h.Sync+" "+h.Entry.Key, entriesOf(t, l, h.Sync, h.Entry.Key)[h.Entry.Key], h.Entry)
		same(t, "history of "+h.Sync+" "+h.Entry.Key, len(historyOf(t, l, h.Sync, h.Entry.Key)), 1)
	}
	for sync, count := range map[string]int{"users": 4, "orders": 0, "plain": 3, "pairs": 0} {
		same(t, "index of "+sync, len(indexOf(t, l, sync)), count)
		same(t, "entries of "+sync, len(collect(t, l.All(t.Context(), sync))), count)
		standing, err := l.Standing(t.Context(), sync)
		noError(t, err)
		same(t, "standing of "+sync, standing.Entries, count)
	}
	holders, err := l.Holders(t.Context(), []string{address, "early@example.com", "first@example.com", "row2@example.com"})
	noError(t, err)
	same(t, "holders", len(holders), 0)
	same(t, "history of a row whose note named the person", told(t, historyOf(t, l, "users", "6")),
		[]ledger.HistoryLine{{Sync: "users", Key: "6", Run: 1, Event: "kept", Note: "was row (forgotten), now 6"}})
	same(t, "history of a key that is the person's address", len(historyOf(t, l, "plain", "it/"+address)), 0)
	same(t, "history of a row that is gone", len(historyOf(t, l, "plain", "6")), 1)
	same(t, "plan", collect(t, l.Plan(t.Context(), held)), []ledger.PlanItem{plan("3", `{"email":"row3@example.com"}`), plan("7", "{}")})
	runs, err := l.Runs(t.Context(), "users", 1)
	noError(t, err)
	same(t, "message of the run", runs[0].Message, "such as row (forgotten)")
	same(t, "guards of the run", runs[0].Guards, []owlatsync.Hit{{Guard: owlatsync.GuardRemovals, Reason: "such as of (forgotten)"}})
	same(t, "part of the run", runs[0].Part, owlatsync.Part{Only: []string{ledger.ForgottenText, "3", ledger.ForgottenText, "7"}})
	same(t, "forgotten", forgotten(t, l, address, "early@example.com", "first@example.com", "row2@example.com", "row3@example.com", "x."+address),
		[]string{"early@example.com", "first@example.com", address, "row2@example.com"})
}
