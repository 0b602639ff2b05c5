package owlattest_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat/owlattest"
)

// answers is a transport that gives the statuses in turn, then 200; 0 is a network error.
type answers struct {
	statuses []int

	mu     sync.Mutex // two events are delivered at once
	at     []time.Duration
	bodies []string
	stamps []string
	begin  time.Time
}

func (a *answers) RoundTrip(req *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = append(a.at, time.Since(a.begin))
	body := new(strings.Builder)
	if err := req.Write(body); err != nil {
		return nil, err
	}
	_, text, _ := strings.Cut(body.String(), "\r\n\r\n")
	a.bodies = append(a.bodies, text)
	a.stamps = append(a.stamps, req.Header.Get("X-Timestamp"))
	status := http.StatusOK
	if n := len(a.at); n <= len(a.statuses) {
		status = a.statuses[n-1]
	}
	if status == 0 {
		return nil, errors.New("network unreachable")
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Location": {"http://elsewhere.example/"}}, Body: http.NoBody, Request: req}, nil
}

func TestWebhookAttempts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		statuses []int
		want     []time.Duration
	}{
		"accepted":        {nil, []time.Duration{0}},
		"204":             {[]int{204}, []time.Duration{0}},
		"error, accepted": {[]int{500}, []time.Duration{0, time.Minute}},
		"network, redirect, accepted": {
			[]int{0, 302}, []time.Duration{0, time.Minute, 6 * time.Minute},
		},
		"never": {[]int{404, 500, 503, 500}, []time.Duration{0, time.Minute, 6 * time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				hook := &answers{statuses: c.statuses, begin: time.Now()}
				s := &owlattest.Server{WebhookClient: &http.Client{Transport: hook}}
				if _, err := s.AddWebhook("http://hook.example/", "whsec_x", owlattest.WebhookContactCreated); err != nil {
					t.Fatal(err)
				}
				r := &rig{s, s.AddKey(), &http.Client{Transport: s.Transport()}, "http://owlat.example", true}
				r.made(t, `{"email":"Ada@example.com"}`)
				must(t, s.WaitWebhooks(t.Context()))
				if len(hook.at) != len(c.want) {
					t.Fatalf("attempts at %v, want %v", hook.at, c.want)
				}
				for i := range c.want {
					if hook.at[i] != c.want[i] || hook.bodies[i] != hook.bodies[0] || i > 0 && hook.stamps[i] == hook.stamps[0] {
						t.Errorf("attempt %d at %v, body %q, timestamp %s", i+1, hook.at[i], hook.bodies[i], hook.stamps[i])
					}
				}
				if d := s.Deliveries(); len(d) != len(c.want) || d[len(d)-1].Attempt != len(c.want) || d[0].Event != owlattest.WebhookContactCreated {
					t.Errorf("deliveries %+v", d)
				}
			})
		})
	}
}

func TestWebhookFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hook := &answers{statuses: []int{500, 500, 500, 500, 500, 500, 500, 500}}
		s := &owlattest.Server{WebhookClient: &http.Client{Transport: hook}}
		r := &rig{s, s.AddKey(), &http.Client{Transport: s.Transport()}, "http://owlat.example", true}
		given := owlattest.Given{Webhooks: map[string]owlattest.GivenWebhook{
			"a": {URL: "http://a.example/", Secret: "whsec_a", Events: []string{owlattest.WebhookEmailBounced, owlattest.WebhookEmailComplained}},
		}}
		_, err := s.Setup(given)
		must(t, err)
		r.s.Bounce("x@example.com", true, "mailbox gone")
		r.s.Complain("y@example.com")
		synctest.Wait()
		if len(hook.bodies) != 2 || !strings.Contains(strings.Join(hook.bodies, ""), `"bounceType":"hard","message":"mailbox gone"`) {
			t.Fatalf("bodies %q", hook.bodies)
		}
		// A reset ends what waits for its next attempt.
		_, err = s.Setup(given)
		must(t, err)
		must(t, s.WaitWebhooks(t.Context()))
		if len(hook.at) != 2 {
			t.Errorf("%d attempts after the reset", len(hook.at))
		}
		// So does Close, after which nothing is delivered any more.
		r.s.Bounce("x@example.com", false, "full")
		synctest.Wait()
		begin := time.Now()
		must(t, s.Close())
		r.s.Complain("x@example.com")
		must(t, s.WaitWebhooks(t.Context()))
		if len(hook.at) != 3 || time.Since(begin) != 0 {
			t.Errorf("%d attempts, closed after %v", len(hook.at), time.Since(begin))
		}
	})
}

func TestWaitWebhooksHonoursContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &owlattest.Server{WebhookClient: &http.Client{Transport: &answers{statuses: []int{500, 500, 500}}}}
		_, err := s.AddWebhook("http://hook.example/", "whsec_x", owlattest.WebhookEmailComplained)
		must(t, err)
		s.Complain("x@example.com")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.WaitWebhooks(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		must(t, s.Close())
	})
}

func TestWebhookOverSocketFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	var followed atomic.Bool
	url := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/elsewhere" {
			followed.Store(true)
		}
		http.Redirect(w, req, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	var s owlattest.Server
	_, err := s.AddWebhook(url, "whsec_x", owlattest.WebhookEmailComplained)
	must(t, err)
	s.Complain("x@example.com")
	for len(s.Deliveries()) == 0 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		_ = s.WaitWebhooks(ctx) // the second attempt is a minute away
		cancel()
	}
	must(t, s.Close())
	if d := s.Deliveries(); len(d) != 1 || d[0].Status != http.StatusTemporaryRedirect || followed.Load() {
		t.Errorf("deliveries %+v, followed %v", d, followed.Load())
	}
}

func TestAddWebhookRefuses(t *testing.T) {
	t.Parallel()
	var s owlattest.Server
	for _, c := range []struct{ url, event string }{
		{"ftp://example.com", owlattest.WebhookContactCreated}, {"example.com/x", owlattest.WebhookContactCreated},
		{"http://", owlattest.WebhookContactCreated}, {"http://example.com", "contact.exploded"},
	} {
		if _, err := s.AddWebhook(c.url, "whsec_x", c.event); err == nil {
			t.Errorf("%v was accepted", c)
		}
	}
}
