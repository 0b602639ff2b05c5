package person_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/page/person"
	"owlatsync/internal/ways"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
)

var (
	at    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	syncs = []config.Sync{{Name: "users", Key: []string{"id"}}, {Name: "web"}}
)

// book returns a ledger with rows: "sync key address contact", where - is nothing.
func book(t *testing.T, rows ...string) *memory.Ledger {
	t.Helper()
	l := memory.New()
	lock, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "test"})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range rows {
		f := strings.Fields(strings.ReplaceAll(text, "-", ""))
		f = append(f, "", "")
		e := &ledger.Entry{Key: f[1], Email: f[2], ContactID: f[3], FirstSeen: at}
		if err := lock.Record(t.Context(), ledger.Record{Sync: f[0], Entry: e, Event: "created"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	return l
}

// found says which rows and choices were found.
func found(p *person.Person) string {
	var rows []string
	for _, t := range p.Tales {
		rows = append(rows, t.Sync.Name+" "+t.Key)
	}
	for _, t := range p.Choices {
		rows = append(rows, "or "+t.Sync.Name+" "+t.Key)
	}
	slices.Sort(rows)
	return strings.Join(rows, ", ")
}

func TestFinding(t *testing.T) {
	t.Parallel()
	l := book(t, "users 1 ada@example.com k1", "web ada@example.com ada@example.com k1", "gone 5 ada@example.com k1", "users 2 bob@example.com k2", "web 2 other@example.com k3", "users 3", "web 3", "users 4")
	for word, want := range map[string]string{
		"1": "gone 5, users 1, web ada@example.com", "ADA@example.com": "gone 5, users 1, web ada@example.com", "k1": "gone 5, users 1, web ada@example.com",
		"2": "or users 2, or web 2", "3": "or users 3, or web 3", "4": "users 4", "5": "", "nobody@example.com": "", "k": "",
	} {
		p, err := person.Find(t.Context(), l, syncs, ways.Ways{}, person.Subject{Word: word})
		if err != nil || found(p) != want {
			t.Errorf("%s: %q, want %q, %v", word, found(p), want, err)
		}
	}
	p, err := person.Find(t.Context(), l, syncs, ways.Ways{}, person.Subject{Sync: "web", Key: "2"})
	if err != nil || found(p) != "web 2" || p.Address != "other@example.com" {
		t.Errorf("a row by its name: %q of %s, %v", found(p), p.Address, err)
	}
}

// TestNeverMailIsOfTheContact: a mark of the contact, or of its former address, shows whatever the address is by now, and however the person was searched for.
func TestNeverMailIsOfTheContact(t *testing.T) {
	t.Parallel()
	l := book(t, "users 1 new@example.com k1", "users 2 bob@example.com k2", "web 3 - k3")
	for _, s := range []ledger.Suppression{
		{Email: "old@example.com", Reason: ledger.NeverMail, At: at}, {Email: "k1", Reason: ledger.NeverMail, At: at, Told: at}, {Email: "k3", Reason: ledger.Listed, At: at},
		{Email: "k9unknown", Reason: ledger.Listed, At: at},
	} {
		if err := l.Suppress(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	for word, want := range map[string]ledger.SuppressionReason{
		"new@example.com": ledger.NeverMail, "1": ledger.NeverMail, "k1": ledger.NeverMail, "old@example.com": ledger.NeverMail, "3": ledger.Listed, "k9unknown": ledger.Listed,
		"bob@example.com": "", "2": "", "k2": "",
	} {
		p, err := person.Find(t.Context(), l, syncs, ways.Ways{}, person.Subject{Word: word})
		if err != nil || (p.Barred == nil) != (want == "") || p.Barred != nil && (p.Barred.Reason != want || !p.Known()) {
			t.Errorf("%s: barred %+v, want %q, %v", word, p.Barred, want, err)
			continue
		}
		if (word == "new@example.com" || word == "k1") && !strings.Contains(p.Answer().Says, "opted them out of everything") {
			t.Errorf("%s: %s", word, p.Answer().Says)
		}
	}
}

func TestWhoIsMeantInASource(t *testing.T) {
	t.Parallel()
	l := book(t, "users 1 ada@example.com k1", "web ada@example.com ada@example.com k1")
	row := func(key, email string) *owlatsync.Row { return &owlatsync.Row{Key: key, Email: owlatsync.Some(email)} }
	for _, test := range []struct {
		word string
		sync int
		row  *owlatsync.Row
		want string
	}{
		{"1", 0, row("1", "new@example.com"), "1 true"}, {"1", 0, row("7", " ADA@example.com"), "7 true"}, {"1", 0, row("7", "bob@example.com"), "7 false"},
		{"1", 1, row("", "Ada@example.com"), "ada@example.com true"}, {"Nonsense", 0, row("9", "NONSENSE "), "9 true"}, {"Nonsense", 0, row("9", ""), "9 false"}, {"9", 0, row("9", ""), "9 true"},
	} {
		p, err := person.Find(t.Context(), l, syncs, ways.Ways{}, person.Subject{Word: test.word})
		if err != nil {
			t.Fatal(err)
		}
		key, ok := p.Matcher(syncs[test.sync]).Means(test.row)
		if got := fmt.Sprintf("%s %v", key, ok); got != test.want {
			t.Errorf("%s: %q, want %q", test.word, got, test.want)
		}
	}
}

func sealer(t *testing.T, secret string) person.Sealer {
	t.Helper()
	s, err := person.NewSealer([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSealsFollowASecret that others share, and change with it within seconds; a page without one has its own.
func TestSealsFollowASecret(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		secret, fails := []byte("first"), error(nil)
		read := func(context.Context) ([]byte, error) { return secret, fails }
		who := person.Subject{Word: "ada@example.com"}
		node, restarted := person.NewSeals(read), person.NewSeals(read)
		of := func(s *person.Seals) person.Sealer {
			t.Helper()
			one, err := s.Sealer(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return one
		}
		id := of(node).Seal("acme", who)
		if got, ok := of(restarted).Open("acme", id); !ok || got != who {
			t.Errorf("after a restart: %+v, %v", got, ok)
		}
		if _, ok := sealer(t, "first").Open("acme", id); !ok {
			t.Error("the keys do not follow from the secret alone")
		}
		secret = []byte("after somebody was forgotten")
		time.Sleep(3 * time.Second)
		if _, ok := of(node).Open("acme", id); ok {
			t.Error("an old id is opened by the new secret")
		}
		time.Sleep(3 * time.Second)
		fails = errors.New("no database")
		if _, err := node.Sealer(t.Context()); !errors.Is(err, fails) {
			t.Errorf("without the secret: %v", err)
		}
		own, other := of(person.NewSeals(nil)), of(person.NewSeals(nil))
		if _, ok := other.Open("acme", own.Seal("acme", who)); ok {
			t.Error("two pages without a secret know each other's ids")
		}
	})
}

func TestSeals(t *testing.T) {
	t.Parallel()
	s, other := sealer(t, "one"), sealer(t, "other")
	who := person.Subject{Sync: "users", Key: "ada@example.com"}
	id := s.Seal("acme", who)
	if got, ok := s.Open("acme", id); !ok || got != who || s.Seal("acme", who) != id {
		t.Errorf("%+v, %v", got, ok)
	}
	if strings.Contains(id, "ada") || strings.ContainsAny(id, "/?#%@=+ ") {
		t.Errorf("the id is %s", id)
	}
	for name, open := range map[string]func() (person.Subject, bool){
		"another deployment": func() (person.Subject, bool) { return s.Open("bolt", id) }, "another sealer": func() (person.Subject, bool) { return other.Open("acme", id) },
		"a changed id": func() (person.Subject, bool) { return s.Open("acme", "A"+id[1:]+"A") }, "nothing": func() (person.Subject, bool) { return s.Open("acme", "") }, "no base64": func() (person.Subject, bool) { return s.Open("acme", "<>") },
	} {
		if got, ok := open(); ok || got != (person.Subject{}) {
			t.Errorf("%s opens %+v", name, got)
		}
	}
}
