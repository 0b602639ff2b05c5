package topics_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"owlatsync/internal/topics"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

func deployment(t *testing.T, scopes ...string) (*owlattest.Server, *owlat.Client) {
	t.Helper()
	s := &owlattest.Server{NoLimit: true, UnsubscribeSecret: "secret of links"}
	client, err := owlat.NewClient("https://owlat.example", s.AddKey(scopes...), owlat.WithTransport(s.Transport()), owlat.WithUnsubscribeSecret("secret of links"))
	if err != nil {
		t.Fatal(err)
	}
	return s, client
}

func TestFind(t *testing.T) {
	t.Parallel()
	s, client := deployment(t)
	ids := make(map[string]string)
	for _, name := range []string{"Newsletter", "News", "Offers", "offers", "Twice", "Twice", "Weekly\x1b[31m"} {
		ids[name] += "," + s.AddTopic(name, false)
	}
	if _, err := s.AddContact(owlattest.ContactState{Email: "ada@example.com"}); err != nil {
		t.Fatal(err)
	}
	book, err := topics.Read(t.Context(), client, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"Newsletter": "Newsletter", "newsLETTER": "Newsletter", "News": "News", "Offers": "Offers", "offers": "offers"} {
		id, err := book.Find(name)
		if called, known := book.Name(id); err != nil || ids[want] != ","+id || called != want || !known {
			t.Errorf("%s is %q, %v", name, id, err)
		}
	}
	for name, says := range map[string]string{
		"Twice": "2 topics in Owlat are called \"Twice\", with the ids ", "OFFERS": "2 topics", "Newsleter": "no topic called \"Newsleter\" is in Owlat; the nearest are Newsletter (",
		"": "no topic called", "weekly 31m": `"Weekly\x1b[31m" (`,
	} {
		id, err := book.Find(name)
		if err == nil || id != "" || !strings.Contains(err.Error(), says) || strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("%q is %q, %v; want %q", name, id, err, says)
		}
	}
	if _, known := book.Name("no id of any"); known {
		t.Error("a topic is known that is not there")
	}
	if _, err := (topics.Book{}).Find("News"); err == nil || !strings.Contains(err.Error(), "no topic at all") {
		t.Errorf("in an empty book: %v", err)
	}
}

// TestRead asks by whomever there is.
func TestRead(t *testing.T) {
	t.Parallel()
	_, client := deployment(t)
	if _, err := topics.Read(t.Context(), client, nil); !errors.Is(err, topics.ErrNobody) {
		t.Errorf("without contacts: %v", err)
	}
	s, blind := deployment(t, owlattest.ScopeContactsWrite)
	s.AddTopic("news", false)
	ada, err := s.AddContact(owlattest.ContactState{Email: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	bob, err := s.AddContact(owlattest.ContactState{Email: "bob@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if err := blind.Contacts.Delete(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		other func(context.Context) (string, error)
		want  error
	}{
		"nobody asked":  {nil, owlat.ErrForbidden},
		"none known":    {func(context.Context) (string, error) { return "", nil }, owlat.ErrForbidden},
		"the ledger's":  {func(context.Context) (string, error) { return ada, nil }, nil},
		"one that left": {func(context.Context) (string, error) { return bob, nil }, owlat.ErrNotFound},
	} {
		got, err := topics.Read(t.Context(), blind, test.other)
		if !errors.Is(err, test.want) || err == nil && len(got.Topics()) != 1 {
			t.Errorf("%s: %v, %v", name, got.Topics(), err)
		}
	}
}
