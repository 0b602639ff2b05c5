package owlat_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// slow takes a while on the way to the server and back.
type slow struct {
	http.RoundTripper
	there, back time.Duration
}

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(s.there)
	res, err := s.RoundTripper.RoundTrip(r)
	time.Sleep(s.back)
	return res, err
}

// TestServerTime compares what a client knows of the server's clock with what it shows.
func TestServerTime(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 11 * time.Minute, -90*time.Second - 123*time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			server := &owlattest.Server{ClockAhead: ahead}
			client, err := owlat.NewClient("https://owlat.example", server.AddKey(),
				owlat.WithTransport(slow{server.Transport(), 20 * time.Millisecond, 30 * time.Millisecond}))
			if err != nil {
				t.Fatal(err)
			}
			right := func(what string, within time.Duration) {
				t.Helper()
				is := time.Now().Add(ahead)
				earliest, latest, known := client.ServerTime(time.Now())
				if !known || is.Before(earliest) || is.After(latest) || latest.Sub(earliest) > within {
					t.Errorf("%v ahead, %s: it is %v there, and the client thinks %v to %v (%v)", ahead, what, is, earliest, latest, known)
				}
			}
			if earliest, latest, known := client.ServerTime(time.Now()); known || !earliest.Equal(time.Now()) || !latest.Equal(earliest) {
				t.Errorf("without an answer: %v to %v, %v", earliest, latest, known)
			}
			if _, err := client.Health(t.Context()); err != nil {
				t.Fatal(err)
			}
			right("after a Date", 1050*time.Millisecond)
			time.Sleep(300 * time.Millisecond)
			if _, err := client.Contacts.Get(t.Context(), "nobody@example.com"); err == nil {
				t.Fatal("there is nobody")
			}
			right("after a refusal", 1050*time.Millisecond)
			c, err := client.Contacts.Create(t.Context(), owlat.CreateContactRequest{Email: "ada@example.com"})
			if err != nil {
				t.Fatal(err)
			}
			right("after a create", 51*time.Millisecond)
			time.Sleep(time.Hour)
			right("an hour later", 51*time.Millisecond)
			if _, err := client.Contacts.Update(t.Context(), c.ID, owlat.UpdateContactRequest{}); err != nil {
				t.Fatal(err)
			}
			right("after an update", 51*time.Millisecond)
			server.ClockAhead += 7 * time.Second // somebody sets it
			ahead += 7 * time.Second
			if _, err := client.Contacts.Update(t.Context(), c.ID, owlat.UpdateContactRequest{}); err != nil {
				t.Fatal(err)
			}
			right("after the clock was set", 51*time.Millisecond)
		})
	}
}

// TestRetryAfterADate waits as long as the server means, whatever this machine's clock says.
func TestRetryAfterADate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		client, err := owlat.NewClient("https://owlat.example", "lm_live_"+strings.Repeat("a", 40), owlat.WithRetries(1), owlat.WithTransport(answers(func(*http.Request) *http.Response {
			if tries++; tries == 2 {
				return answer(200, nil, `{"data":{"id":"c1"}}`)
			}
			theirs := time.Now().Add(-10 * time.Minute)
			return answer(503, map[string]string{
				"Date": theirs.UTC().Format(http.TimeFormat), "Retry-After": theirs.Add(20 * time.Second).UTC().Format(http.TimeFormat),
			}, "")
		})))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := client.Contacts.Get(context.Background(), "ada@example.com"); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited != 20*time.Second {
			t.Errorf("it waited %v", waited)
		}
	})
}

type answers func(*http.Request) *http.Response

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) { return a(r), nil }

func answer(status int, header map[string]string, body string) *http.Response {
	res := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	for name, value := range header {
		res.Header.Set(name, value)
	}
	return res
}
