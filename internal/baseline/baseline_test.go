package baseline_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"owlatsync/internal/baseline"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func users(n int) []baseline.User {
	all := make([]baseline.User, n)
	for i := range all {
		all[i] = baseline.User{Email: fmt.Sprintf("user%d@example.com", i), FirstName: "User", LastName: fmt.Sprint(i)}
	}
	return all
}

func script(t *testing.T, s *owlattest.Server) *baseline.Client {
	t.Helper()
	client, err := baseline.NewClient("https://owlat.example", s.AddKey(), owlat.WithTransport(s.Transport()))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// TestScriptOn300Users runs the script twice within Owlat's limits and shows what it costs.
func TestScriptOn300Users(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &owlattest.Server{RandomSeed: 1}
		if err := s.InjectFaults(owlattest.Fault{Kind: owlattest.Latency, Delay: 50 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		topic := s.AddTopic("Newsletter", false)
		client := script(t, s)

		first := baseline.Run(t.Context(), client, users(300), topic)
		t.Logf("first run:  %+v", first)
		if first.Created != first.Contacts.Done || first.Contacts.Done+first.Contacts.Lost != 300 || s.Len() != first.Created {
			t.Errorf("%d contacts from %+v", s.Len(), first)
		}
		members := 0
		for _, c := range s.Contacts() {
			members += len(c.Topics)
		}
		if first.Topic.Done != members || first.Topic.Done+first.Topic.Lost != 300 {
			t.Errorf("%d members from %+v", members, first.Topic)
		}
		if first.Topic.Lost < 200 {
			t.Errorf("the script lost %d of 300 topic adds; it is known to lose most of them", first.Topic.Lost)
		}
		if first.RateLimited() == 0 || first.Requests() != s.Stats().Total || first.RateLimited() != s.Stats().RateLimited {
			t.Errorf("it counts %d requests and %d 429s, the server %d and %d",
				first.Requests(), first.RateLimited(), s.Stats().Total, s.Stats().RateLimited)
		}

		second := baseline.Run(t.Context(), client, users(300), topic)
		t.Logf("second run: %+v", second)
		if second.Contacts.Requests < 600 || second.Contacts.Elapsed < 55*time.Second {
			t.Errorf("nothing had changed, and it sent %d requests in %v; it is known to send two for each user",
				second.Contacts.Requests, second.Contacts.Elapsed)
		}
		if second.Requests()+first.Requests() != s.Stats().Total {
			t.Errorf("the runs count %d and %d requests, the server %d", first.Requests(), second.Requests(), s.Stats().Total)
		}
	})
}

// TestScriptWithoutLimits shows that what it loses, it loses to the limits.
func TestScriptWithoutLimits(t *testing.T) {
	t.Parallel()
	s := &owlattest.Server{NoLimit: true}
	topic := s.AddTopic("Newsletter", false)
	client := script(t, s)
	for run, want := range []struct{ created, requests int }{{42, 84}, {0, 126}} {
		got := baseline.Run(t.Context(), client, users(42), topic)
		if got.Created != want.created || got.Requests() != want.requests || got.RateLimited() != 0 ||
			got.Contacts.Done != 42 || got.Contacts.Lost != 0 || got.Topic.Done != 42 || got.Topic.Lost != 0 {
			t.Errorf("run %d: %+v, want %+v", run+1, got, want)
		}
	}
	if s.Len() != 42 {
		t.Errorf("%d contacts, want 42", s.Len())
	}
}

// TestScriptResubscribes shows what the script does to people who left.
func TestScriptResubscribes(t *testing.T) {
	t.Parallel()
	s := &owlattest.Server{NoLimit: true}
	topic := s.AddTopic("Newsletter", false)
	client := script(t, s)
	baseline.Run(t.Context(), client, users(1), topic)
	if err := s.Unsubscribe("user0@example.com", ""); err != nil {
		t.Fatal(err)
	}
	baseline.Run(t.Context(), client, users(1), topic)
	if c, _ := s.Contact("user0@example.com"); c.Unsubscribed || len(c.Topics) != 1 {
		t.Errorf("got %+v; the script is known to put people back", c)
	}
}

func TestScriptEndsWithContext(t *testing.T) {
	t.Parallel()
	s := &owlattest.Server{}
	topic := s.AddTopic("Newsletter", false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := baseline.Run(ctx, script(t, s), users(12), topic)
	if got.Contacts.Lost != 12 || got.Topic.Lost != 12 || got.Requests() != 0 || s.Stats().Total != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	if client, err := baseline.NewClient("https://owlat.example", ""); err == nil || client != nil {
		t.Errorf("an empty key gave %v, %v", client, err)
	}
}
