package sqlite

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

// traces returns the files of the ledger in which one of the texts stands, in whatever letter case.
func traces(t *testing.T, folder string, texts ...string) (found []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		content := bytes.ToLower(readFile(t, file))
		for _, text := range texts {
			if bytes.Contains(content, bytes.ToLower([]byte(text))) {
				found = append(found, filepath.Base(file)+" has "+text)
			}
		}
	}
	return found
}

// live leaves traces of a person all over the ledger's files: in tables, in what was deleted from them, and in the log.
func live(t *testing.T, l *Ledger, address, name, contact string) {
	t.Helper()
	person := func(changes int) *ledger.Entry {
		return &ledger.Entry{
			Key: "person", ContactID: contact, Email: address, Identity: address, Fields: owlatsync.Texts{owlatsync.FirstName: name, owlatsync.LastName: strings.Repeat("x", changes)},
			Failure: &ledger.Failure{Class: ledger.RetryLater, Reason: strings.Repeat("y", 300-changes)},
		}
	}
	if err := l.NoteOptOuts(t.Context(), ledger.OptOut{ContactID: contact, Topic: "topic1", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		f := ledger.Feedback{Event: "email.bounced", Received: time.Now(), Detail: "no " + strings.ToUpper(address)}
		f.Hash[0], f.Hash[1] = byte(i), byte(contact[len(contact)-1])
		d := ledger.Delivery{Target: "unsub"}
		news := ledger.News{Feedback: f, Deliveries: []ledger.Delivery{d}}
		if i%2 == 0 { // the others only name the person in a text
			news.Feedback.Email, news.Feedback.ContactID, news.Deliveries[0].Person = address, contact, address
			news.Suppressions = []ledger.Suppression{{Email: address, Reason: ledger.Bounced, At: time.Now()}}
			news.Known = map[string]string{address: contact}
		}
		if _, err := l.TakeIn(t.Context(), news); err != nil {
			t.Fatal(err)
		}
	}
	deliveries, err := l.Deliveries(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range deliveries {
		if err := l.Undelivered(t.Context(), d.ID, "refused for "+address, true, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	k := takeLock(t, l)
	for i := range 20 {
		records := []ledger.Record{{Sync: "users", Run: 1, Entry: person(i), Event: "updated", Note: "address " + address}}
		for n := range 40 {
			key := fmt.Sprintf("%d-%d", i, n)
			records = append(records, ledger.Record{Sync: "users", Run: 1, Event: "created", Entry: &ledger.Entry{Key: key, Email: key + "@example.com"}})
		}
		if err := k.Record(t.Context(), records...); err != nil {
			t.Fatal(err)
		}
		run, err := k.BeginRun(t.Context(), ledger.Run{
			Sync: "users", Part: owlatsync.Part{Only: []string{address, "person"}}, Guards: []owlatsync.Hit{{Reason: "of " + address}},
		})
		if err != nil {
			t.Fatal(err)
		}
		items := make([]ledger.PlanItem, 40)
		for n := range items {
			items[n] = ledger.PlanItem{Phase: n % 3, Key: "person", Body: fmt.Appendf(nil, `{"email":%q,"first":%q}`, address, name)}
		}
		if err := k.KeepPlan(t.Context(), run, items); err != nil {
			t.Fatal(err)
		}
		status := []ledger.Status{ledger.StatusOK, ledger.StatusHeld}[i%2]
		ended := ledger.Run{ID: run, Status: status, Message: "such as " + address, Part: owlatsync.Part{Only: []string{address, "person"}},
			Guards: []owlatsync.Hit{{Reason: "of " + address}}}
		if err := k.EndRun(t.Context(), ledger.Ending{Run: ended, Bookmark: &ledger.Bookmark{Again: []string{address}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestAForgottenPersonIsInNoFile(t *testing.T) {
	t.Parallel()
	const address, name, contact = "grace@example.com", "Gracenomia", "k57graceful"
	folder := t.TempDir()
	l := openIn(t, folder)
	live(t, l, address, name, contact)
	if found := traces(t, folder, address, name, contact); len(found) < 3 {
		t.Fatalf("before: %v", found)
	}
	mustHold(t, l, "person") // with connections that stay
	rows, err := l.ForgetPerson(t.Context(), address)
	if err != nil || rows != 1 {
		t.Fatalf("forgot %d rows: %v", rows, err)
	}
	if found := traces(t, folder, address, name, contact); len(found) > 0 {
		t.Errorf("while open: %v", found)
	}
	mustHold(t, l, "0-0", "19-39")
	put(t, l, "after") // the ledger goes on
	mustHold(t, l, "0-0", "after")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if found := traces(t, folder, address, name, contact); len(found) > 0 {
		t.Errorf("after closing: %v", found)
	}
	l = openIn(t, folder)
	defer l.Close()
	if told, err := l.Feedbacks(t.Context(), "", "", 0, 0); err != nil || len(told) != 10 || told[0].Detail != "no "+ledger.ForgottenText {
		t.Errorf("of what was told about others is left %+v: %v", told, err)
	}
	if dead, err := l.Deliveries(t.Context(), "", 0); err != nil || len(dead) != 10 || dead[0].Error != "refused for "+ledger.ForgottenText {
		t.Errorf("of what is to be told about others is left %+v: %v", dead, err)
	}
	if forgotten, err := l.Forgotten(t.Context(), []string{address}); err != nil || !forgotten[address] {
		t.Errorf("forgotten %v: %v", forgotten, err)
	}
}

// TestForgettingIsCompletedLater has a stream keep the log from being emptied.
func TestForgettingIsCompletedLater(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *Ledger) {
		live(t, l, "grace@example.com", "Gracenomia", "k57graceful")
		for _, err := range l.Index(t.Context(), "users") {
			if err != nil {
				t.Fatal(err)
			}
			rows, err := l.ForgetPerson(t.Context(), "grace@example.com")
			if rows != 1 || !errors.Is(err, ledger.ErrBusy) || !strings.Contains(err.Error(), "call it again") {
				t.Errorf("while it is read: %d rows, %v", rows, err)
			}
			break
		}
		put(t, l, "after")
		if rows, err := l.ForgetPerson(t.Context(), "grace@example.com"); err != nil || rows != 0 {
			t.Errorf("again: %d rows, %v", rows, err)
		}
		if found := traces(t, filepath.Dir(l.f.Name()), "grace@example.com", "Gracenomia"); len(found) > 0 {
			t.Errorf("afterwards: %v", found)
		}
		mustHold(t, l, "0-0", "after")
	})
}

func TestHashesOfForgottenPersonsAreKeyed(t *testing.T) {
	t.Parallel()
	secrets := make(map[string]bool)
	hashes := make(map[string]bool)
	for range 2 {
		l := openFresh(t)
		for range 2 {
			if _, err := l.ForgetPerson(t.Context(), "grace@example.com"); err != nil {
				t.Fatal(err)
			}
		}
		var secret string
		var hash []byte
		if err := l.f.Readers.QueryRow("SELECT (SELECT value FROM meta WHERE name = ?1), hash FROM forgotten", forgetSecret).Scan(&secret, &hash); err != nil {
			t.Fatal(err)
		}
		key, err := hex.DecodeString(secret)
		if err != nil || len(key) != 32 || !bytes.Equal(hash, ledger.HashAddress(key, "grace@example.com")) {
			t.Errorf("hash %x under %q: %v", hash, secret, err)
		}
		secrets[secret], hashes[string(hash)] = true, true
	}
	if len(secrets) != 2 || len(hashes) != 2 {
		t.Errorf("%d secrets and %d hashes of 2 ledgers", len(secrets), len(hashes))
	}
}

func TestADamagedSecretIsToldAsDamage(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	l := openIn(t, folder)
	if _, err := l.ForgetPerson(t.Context(), "grace@example.com"); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	execFile(t, filepath.Join(folder, "ledger.db"), "UPDATE meta SET value = 'short' WHERE name = '"+forgetSecret+"'")
	l = openIn(t, folder)
	defer l.Close()
	if _, err := l.Forgotten(t.Context(), []string{"grace@example.com"}); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("looked up: %v", err)
	}
	if _, err := l.ForgetPerson(t.Context(), "ada@example.com"); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("forgot: %v", err)
	}
}
