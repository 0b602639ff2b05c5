package owlat_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// lane is a way to the server that can keep back what is sent, which arrives in one piece then, also what its sender has given up.
type lane struct {
	http.RoundTripper
	mu   sync.Mutex
	open chan struct{} // nil: nothing is kept back
}

func (l *lane) shut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = make(chan struct{})
}

func (l *lane) free() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.open)
	l.open = nil
}

// RoundTrip implements http.RoundTripper.
func (l *lane) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	open := l.open
	l.mu.Unlock()
	if open == nil {
		return l.RoundTripper.RoundTrip(r)
	}
	select {
	case <-open:
		return l.RoundTripper.RoundTrip(r)
	case <-r.Context().Done():
		go func() {
			<-open
			if res, err := l.RoundTripper.RoundTrip(r.WithContext(context.WithoutCancel(r.Context()))); err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
		}()
		return nil, r.Context().Err()
	}
}

// TestAWayThatKeepsRequestsBack keeps back what a busy client sends, for a while that its requests outlast or not. All that arrives in one
// piece then is within the bucket, with what follows it, and the client is at its pace again soon.
func TestAWayThatKeepsRequestsBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		held, rest time.Duration // how long requests are kept back, and nothing was sent before
	}{{time.Second, 0}, {5 * time.Second, 0}, {5 * time.Second, 10 * time.Second}, {20 * time.Second, 0}, {28 * time.Second, 10 * time.Second}, {50 * time.Second, 10 * time.Second}} {
		for _, limit := range []float64{10, 40} {
			synctest.Test(t, func(t *testing.T) {
				server := &owlattest.Server{BasePath: basePath, Rate: limit, Burst: int(limit * 1.5)}
				d := &deployment{Server: server}
				d.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: 20 * ms, Jitter: 20 * ms})
				way := &lane{RoundTripper: server.Transport()}
				client := connect(t, server.AddKey(), way)
				busy(t, client, 5*time.Second)
				time.Sleep(c.rest)
				done := make(chan struct{})
				before := server.Stats()
				way.shut()
				go func() { defer close(done); busy(t, client, c.held+20*time.Second) }()
				time.Sleep(c.held)
				if silence := client.Silence(); silence < c.held-500*ms || silence > c.held {
					t.Errorf("the silence has lasted %v, not about %v", silence, c.held)
				}
				way.free()
				<-done
				after := server.Stats()
				if silence := client.Silence(); silence != 0 {
					t.Errorf("there is a silence of %v without anything that awaits an answer", silence)
				}
				passed, want := after.Count("", "", http.StatusOK)-before.Count("", "", http.StatusOK), 0.9*20*limit
				if after.RateLimited > 0 || float64(passed) < want {
					t.Errorf("after %v of silence, after a rest of %v, at %v a second, %d requests were refused and %d passed, want none and %v", c.held, c.rest, limit, after.RateLimited, passed, want)
				}
			})
		}
	}
}

// TestSilence tells what is no silence: a rest, requests that were given up, and a failure long ago.
func TestSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &owlattest.Server{BasePath: basePath}
		way := &lane{RoundTripper: server.Transport()}
		client := connect(t, server.AddKey(), way)
		want := func(when string, least, most time.Duration) {
			t.Helper()
			if s := client.Silence(); s < least || s > most {
				t.Errorf("%s: a silence of %v, want %v to %v", when, s, least, most)
			}
		}
		ask := func(d time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			_, _ = client.Contacts.List(ctx, owlat.ListContactsRequest{})
		}
		ask(time.Second)
		time.Sleep(time.Hour)
		want("after a rest", 0, 0)
		way.shut()
		ask(3 * time.Second)
		want("given up", 0, 0)
		time.AfterFunc(95*time.Second, func() { want("three attempts", 80*time.Second, 95*time.Second) })
		_, err := client.Contacts.List(t.Context(), owlat.ListContactsRequest{})
		if err == nil {
			t.Error("an answer came through a way that is shut")
		}
		want("failed", 85*time.Second, 95*time.Second)
		time.Sleep(time.Hour)
		want("failed an hour ago", 85*time.Second, 95*time.Second)
		time.AfterFunc(2*time.Second, func() { want("asked again", 2*time.Second, 2*time.Second) })
		ask(3 * time.Second)
		way.free()
		ask(time.Second)
		want("answered", 0, 0)
	})
}
