package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/bar"
)

// TestAStrangerStaysOne: nobody who must get no mail is created, by their own row, by that of another sync with the address, or once the column goes
// back. Only a suppression that is lifted by hand makes a new row of it.
func TestAStrangerStaysOne(t *testing.T) {
	t.Parallel()
	for _, secret := range []bool{true, false} {
		w := newNever(t, secret, reconcile.Topic{ID: "news", When: true, Existing: reconcile.ExistingAdd})
		mine, other := w.sync, w.sync
		other.Name, other.Suppressed = "others", false
		other.Events = []reconcile.EventRule{{Name: "made", On: ledger.OnCreated}}
		w.run(neverMail(user("1", "a@example.com", "A", true)))
		for _, of := range []struct {
			sync reconcile.Sync
			row  owlatsync.Row
		}{
			{other, user("9", "a@example.com", "A", true)}, {other, user("9", "a@example.com", "New", true)}, {mine, user("1", "a@example.com", "A", true)},
			{mine, user("1", "a@example.com", "New", true)},
		} {
			w.sync = of.sync
			for again := range 2 {
				before := w.requests()
				expect(t, w.run(of.row), "skipped 1")
				if d := w.done(of.row.Key); d.Category != ledger.CategoryNeverMail || !strings.Contains(d.Reason, "feedback lift") {
					t.Errorf("told %+v", d)
				}
				if again > 0 {
					w.sent(before)
				}
			}
		}
		if all := w.server.Contacts(); len(all) > 0 || w.server.Stats().Events > 0 {
			t.Fatalf("secret %v: %+v", secret, all)
		}
		w.sync = mine
		if was, err := bar.Lift(t.Context(), w.ledger, "a@example.com"); !was || err != nil {
			t.Fatal(was, err)
		}
		expect(t, w.run(user("1", "a@example.com", "New", true)), "created 1")
		w.sync = other
		w.run(user("9", "a@example.com", "A", true))
		if out, topics := w.optedOut("a@example.com"); out || topics != 1 {
			t.Errorf("opted out %v, on %d topics", out, topics)
		}
	}
}

// TestAStrangerWhoComesIntoOwlat has somebody else make the contact, and put it on a topic, after a run has found none. A webhook tells of it, and the next
// run opts it out, once, of whichever sync. Rounds that list contacts find those of whom no webhook tells.
func TestAStrangerWhoComesIntoOwlat(t *testing.T) {
	t.Parallel()
	for _, byAnother := range []bool{false, true} {
		w := newNever(t, true, reconcile.Topic{ID: "news", When: true, Existing: reconcile.ExistingAdd})
		other := w.sync
		other.Name, other.Suppressed = "others", false
		list := []owlatsync.Row{user("0", "z@example.com", "Z", true), neverMail(user("1", "a@example.com", "A", true))}
		w.run(list...)
		id := w.people("a@example.com")
		w.join(id, w.sync.Topics[0].ID)
		if _, err := w.ledger.TakeIn(t.Context(), ledger.News{
			Feedback: ledger.Feedback{Event: owlat.WebhookContactCreated, ContactID: id, Email: "a@example.com", At: time.Now(), Received: time.Now()},
			Known:    map[string]string{"a@example.com": id},
		}); err != nil {
			t.Fatal(err)
		}
		if byAnother {
			w.sync, list = other, []owlatsync.Row{user("9", "a@example.com", "A", true)}
		}
		w.run(list...)
		w.wantOut(id)
		before := w.requests()
		w.run(list...)
		w.sent(before)
		if w.linksSent() != 1 || t.Failed() {
			t.Fatalf("by another sync %v: %d opt-outs were sent", byAnother, w.linksSent())
		}
	}
}

// TestNobodyIsCreatedWhoIsListed: a list handed in before a run, or while it goes on, holds for people who are not in Owlat.
func TestNobodyIsCreatedWhoIsListed(t *testing.T) {
	t.Parallel()
	w := newNever(t, true, reconcile.Topic{ID: "news", When: true})
	w.workers = 1
	list := func(address string) {
		if err := w.ledger.Suppress(t.Context(), ledger.Suppression{Email: address, Reason: ledger.Listed, At: time.Now()}); err != nil {
			t.Error(err)
		}
	}
	list("p0@example.com")
	w.server.OnAnswer = func(r owlattest.Request, _ int) {
		if r.Route == owlattest.RouteContacts && r.Method == "POST" {
			list("p3@example.com")
		}
	}
	var people []owlatsync.Row
	for i := range 4 {
		people = append(people, user(fmt.Sprint(i), fmt.Sprintf("p%d@example.com", i), "P", true))
	}
	expect(t, w.run(people...), "created 2, skipped 2")
	for _, address := range []string{"p0@example.com", "p3@example.com"} {
		if _, there := w.server.Contact(address); there {
			t.Errorf("%s was created", address)
		}
		found, err := w.ledger.Suppressions(t.Context(), []string{address})
		if err != nil || found[address].Reason != ledger.Listed {
			t.Errorf("%+v, %v", found, err)
		}
	}
	before := w.requests()
	expect(t, w.run(people...), "unchanged 2, skipped 2")
	w.sent(before)
}

// TestOptOutWhileAnAddIsUnderWay: the add reaches Owlat after the opt-out, and ends it. The run opts the person out once more.
func TestOptOutWhileAnAddIsUnderWay(t *testing.T) {
	t.Parallel()
	for _, refused := range []bool{false, true} {
		w := newNever(t, true, reconcile.Topic{ID: "all"}, reconcile.Topic{ID: "news", When: true})
		w.workers = 1
		w.run(user("1", "a@example.com", "A", true, false), user("2", "b@example.com", "B", true, false))
		client, err := owlat.NewClient("https://owlat.example/base", w.key, append(w.options, owlat.WithTransport(w.server.Transport()))...)
		if err != nil {
			t.Fatal(err)
		}
		bars, barred := &bar.Bars{Ledger: w.ledger, Links: client}, false
		w.server.OnRequest = func(r owlattest.Request) {
			if r.Route != owlattest.RouteTopicContacts || barred || !strings.Contains(string(r.Body), w.contact("a@example.com").ID) {
				return
			}
			barred = true
			if became, err := bars.Bar(t.Context(), client, "a@example.com"); err != nil || became != bar.Now {
				t.Errorf("%s, %v", became, err)
			}
			if refused {
				w.server.SetUnsubscribeSecret("another one")
			}
		}
		report, err := w.try(t.Context(), runOptions{}, rows{list: []owlatsync.Row{user("1", "a@example.com", "A", true, true), user("2", "b@example.com", "B", true, true)}})
		if err != nil || !barred {
			t.Fatal(err, barred)
		}
		if len(w.contact("b@example.com").Topics) != 2 {
			t.Error("somebody else was not put on the topic")
		}
		if refused {
			if d := w.done("1"); d.Category != ledger.CategoryNeverMail || !strings.Contains(d.Reason, "signs with another secret") || !strings.Contains(d.Reason, "owlat-sync optout") {
				t.Errorf("told %+v", d)
			}
			continue
		}
		w.wantOut("a@example.com")
		if report.Memberships.OptedOut != 1 {
			t.Errorf("%+v", report)
		}
		before := w.requests()
		w.run(user("1", "a@example.com", "New", true, true), user("2", "b@example.com", "B", true, true))
		w.sent(before, "PUT /contacts/{contact} 1")
		w.wantOut("a@example.com")
	}
}
