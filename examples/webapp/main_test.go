package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// world is the application beside an Owlat of its own. The test runs in a bubble of testing/synctest, where no time passes while anybody works,
// so Owlat's limit of 10 requests a second costs none of yours.
type world struct {
	app   *app
	owlat *owlattest.Server
	topic string
	stop  func()
}

// start starts the application with the files in a folder. It reaches Owlat without sockets, which a bubble cannot wait for.
func start(t *testing.T, folder string, server *owlattest.Server, topic string) *world {
	t.Helper()
	client, err := owlat.NewClient("https://owlat.example", server.AddKey(), owlat.WithTransport(server.Transport()))
	if err != nil {
		t.Fatal(err)
	}
	users, err := openUsers(t.Context(), filepath.Join(folder, "webapp.db"))
	if err != nil {
		t.Fatal(err)
	}
	book, err := sqlite.Open(t.Context(), "sqlite", filepath.Join(folder, "owlat-sync.db"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := newFollower(users, book, client, topic, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	followed := make(chan struct{})
	go func() { defer close(followed); f.follow(ctx) }()
	return &world{
		app: &app{users, f.changed}, owlat: server, topic: topic,
		stop: func() {
			cancel()
			<-followed
			if err := users.Close(); err != nil {
				t.Error(err)
			}
			if err := book.Close(); err != nil {
				t.Error(err)
			}
		},
	}
}

// signUp signs up as a browser does, and returns how long the visitor waited.
func (w *world) signUp(t *testing.T, email string, newsletter bool) time.Duration {
	t.Helper()
	form := url.Values{"email": {email}, "first_name": {"Ada"}}
	if newsletter {
		form.Set("newsletter", "on")
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/signup", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, began := httptest.NewRecorder(), time.Now()
	w.app.ServeHTTP(answer, r)
	if answer.Code != http.StatusNoContent {
		t.Errorf("%s signed up: %d", email, answer.Code)
	}
	return time.Since(began)
}

func TestSignUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &owlattest.Server{}
		w := start(t, t.TempDir(), server, server.AddTopic("news", false))
		defer w.stop()

		w.signUp(t, "ada@example.com", true)
		w.signUp(t, "bob@example.com", false)
		w.signUp(t, "ada@example.com", false) // again
		time.Sleep(10 * time.Second)

		ada, _ := server.Contact("ada@example.com")
		bob, _ := server.Contact("bob@example.com")
		if len(ada.Topics) != 1 || ada.Topics[0] != w.topic || ada.FirstName != "Ada" || len(bob.Topics) != 0 {
			t.Errorf("Owlat has %+v and %+v", ada, bob)
		}
		if s := server.Stats(); server.Len() != 2 || s.Events != 2 {
			t.Errorf("%d contacts, %d events", server.Len(), s.Events)
		}
	})
}

// However many sign up at once, none of them waits, and Owlat is never asked for more than it allows.
func TestManySignUps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &owlattest.Server{}
		w := start(t, t.TempDir(), server, server.AddTopic("news", false))
		defer w.stop()

		const many = most + 100
		for i := range many {
			if waited := w.signUp(t, fmt.Sprintf("user%d@example.com", i), true); waited > 0 {
				t.Errorf("user %d waited %v", i, waited)
			}
		}
		time.Sleep(10 * time.Minute)
		if s := server.Stats(); server.Len() != many || s.Events != many || s.RateLimited > 0 {
			t.Errorf("%d contacts, %d events, %d refusals", server.Len(), s.Events, s.RateLimited)
		}
	})
}

// Owlat is away while somebody signs up, and the program ends before it is back.
func TestNobodyIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, folder := &owlattest.Server{}, t.TempDir()
		topic := server.AddTopic("news", false)
		w := start(t, folder, server, topic)
		if err := server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Status: http.StatusServiceUnavailable, Rate: 1}); err != nil {
			t.Fatal(err)
		}
		if waited := w.signUp(t, "ada@example.com", true); waited > 0 {
			t.Errorf("she waited %v for an Owlat that is away", waited)
		}
		time.Sleep(time.Minute)
		w.stop()
		if n := server.Len(); n != 0 {
			t.Fatalf("%d contacts, though Owlat is away", n)
		}

		server.ClearFaults()
		w = start(t, folder, server, topic)
		defer w.stop()
		time.Sleep(2 * everything)
		ada, _ := server.Contact("ada@example.com")
		if len(ada.Topics) != 1 || server.Stats().Events != 1 {
			t.Errorf("Owlat has %+v, and got %d events", ada, server.Stats().Events)
		}
	})
}
