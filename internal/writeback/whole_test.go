package writeback_test

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"owlatsync/internal/feedback"
	"owlatsync/internal/writeback"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// The whole way: a person follows the link of a mail, Owlat tells it, and the column in the database is no.
func TestFromTheLinkToTheDatabase(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, s server) {
		people(t, s)
		l, err := sqlite.Open(t.Context(), "sqlite", filepath.Join(t.TempDir(), "ledger.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		owlatServer := &owlattest.Server{NoLimit: true}
		defer owlatServer.Close()
		weekly, daily := owlatServer.AddTopic("weekly", false), owlatServer.AddTopic("daily", false)
		client, err := owlat.NewClient("https://owlat.example", owlatServer.AddKey(), owlat.WithTransport(owlatServer.Transport()))
		if err != nil {
			t.Fatal(err)
		}
		contact, err := client.Contacts.Create(t.Context(), owlat.CreateContactRequest{Email: "Ada@example.com"})
		if err != nil {
			t.Fatal(err)
		}
		for _, topic := range []string{weekly, daily} {
			if _, err := client.Topics.Add(t.Context(), topic, owlat.AddMemberRequest{ContactID: contact.ID}); err != nil {
				t.Fatal(err)
			}
		}
		unsub := target(t, s, "UPDATE users SET newsletter = 0, left_at = :at WHERE lower(email) = :email AND :topic = '"+weekly+"'")
		attempts := make(chan writeback.Attempt, 10)
		sender := writeback.New(l, []writeback.Target{unsub}, nil, func(a writeback.Attempt) { attempts <- a })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); sender.Run(ctx) }()
		defer func() { cancel(); <-ended }()
		receiver, err := feedback.NewReceiver(l, feedback.Options{
			Secrets: []string{"whsec_0123456789"}, MaxAge: time.Minute, Told: func(feedback.Taken) { sender.Wake() },
			Routes: []feedback.Route{{Target: unsub.Name(), On: []string{owlat.WebhookTopicUnsubscribed}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		listener := httptest.NewServer(receiver)
		defer listener.Close()
		if _, err := owlatServer.AddWebhook(listener.URL, "whsec_0123456789", owlat.WebhookTopicUnsubscribed); err != nil {
			t.Fatal(err)
		}
		if err := owlatServer.Unsubscribe("ada@example.com", daily); err != nil {
			t.Fatal(err)
		}
		if a := <-attempts; a.Err != nil || s.read(t, "SELECT sum(newsletter) FROM users") != "2" {
			t.Fatalf("leaving another topic: %+v", a)
		}
		if err := owlatServer.Unsubscribe("ada@example.com", ""); err != nil { // everything that is left
			t.Fatal(err)
		}
		if a := <-attempts; a.Err != nil || s.read(t, "SELECT newsletter FROM users WHERE id = 1") != "0" || s.read(t, "SELECT newsletter FROM users WHERE id = 2") != "1" {
			t.Fatalf("leaving the topic: %+v", a)
		}
		optOuts, err := l.OptOuts(t.Context(), []string{contact.ID})
		if err != nil || len(optOuts) != 2 {
			t.Fatalf("opt-outs %+v, %v", optOuts, err)
		}
		for _, o := range optOuts {
			if o.Written.IsZero() != (o.Topic == daily) {
				t.Errorf("written: %+v", o)
			}
		}
	})
}
