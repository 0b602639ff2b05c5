package heard_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"owlatsync/internal/page/heard"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
)

var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// told takes in so many events, all of which are of one kind.
func told(t *testing.T, l *memory.Ledger, first, events int, event string) {
	t.Helper()
	for i := range events {
		f := ledger.Feedback{Event: event, ContactID: fmt.Sprint("k", first+i), Email: fmt.Sprintf("p%d@example.com", first+i), Received: at, At: at}
		n := first + i
		f.Hash[0], f.Hash[1], f.Hash[2] = byte(n), byte(n>>8), 1
		if _, err := l.TakeIn(t.Context(), ledger.News{Feedback: f}); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, l *memory.Ledger, query string, sees bool) heard.List {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	of := heard.Of{Rows: l, Address: "/feedback", Query: values}
	if sees {
		of.Person = func(word string) string { return "/people/" + word }
	}
	list, err := heard.Read(t.Context(), of)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestWhatMattersComesFirst among very many new contacts, and the page looks at no more than it can at once.
func TestWhatMattersComesFirst(t *testing.T) {
	t.Parallel()
	l := memory.New()
	told(t, l, 0, heard.Listed+10, "email.complained")
	told(t, l, 1000, 4100, "contact.created")
	list := read(t, l, "", true)
	if len(list.Lines) != 0 || list.Older == "" || !list.Kinds[0].Here {
		t.Fatalf("%d lines, then %q", len(list.Lines), list.Older)
	}
	seen := 0
	for next := list.Older; next != ""; next = list.Older {
		_, query, _ := strings.Cut(next, "?")
		list = read(t, l, query, true)
		seen += len(list.Lines)
		for _, line := range list.Lines {
			if line.Says != "The person marked a mail as spam." || line.Person != "/people/"+line.Email {
				t.Fatalf("%+v", line)
			}
		}
	}
	if seen != heard.Listed+10 {
		t.Errorf("%d are seen", seen)
	}
	if list := read(t, l, "event=all", false); len(list.Lines) != heard.Listed || list.Lines[0].Email != "" || list.Lines[0].Person != "" || list.Older == "" {
		t.Errorf("everything, for a viewer: %+v", list.Lines[0])
	}
}

// TestWhyAddressesGetNothing is told for each reason, also to who sees no addresses.
func TestWhyAddressesGetNothing(t *testing.T) {
	t.Parallel()
	l := memory.New()
	for i, reason := range []ledger.SuppressionReason{ledger.Bounced, ledger.Complained, ledger.NeverMail, ledger.NeverMail, ledger.Listed} {
		if err := l.Suppress(t.Context(), ledger.Suppression{Email: fmt.Sprintf("p%d@example.com", i), Reason: reason, At: at}); err != nil {
			t.Fatal(err)
		}
	}
	want := "[{bounced for good 1} {complained 1} {never mail, by a row 2} {opted out by a list 1}]"
	for _, sees := range []bool{true, false} {
		list := read(t, l, "suppressed=99", sees)
		if got := fmt.Sprint(list.Counts); got != want || (len(list.Suppressed) == 5) != sees {
			t.Errorf("%s, %d addresses", got, len(list.Suppressed))
		}
	}
}
