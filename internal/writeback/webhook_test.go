package writeback_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/internal/hooksign"
	"owlatsync/internal/writeback"
)

// inProcess is a transport that asks a handler.
type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	done := make(chan struct{})
	go func() { defer close(done); p.ServeHTTP(answer, r) }()
	select {
	case <-done:
		return answer.Result(), nil
	case <-r.Context().Done():
		<-done
		return nil, r.Context().Err()
	}
}

func hook(t *testing.T, secret string, handle http.HandlerFunc) *writeback.Webhook {
	t.Helper()
	w, err := writeback.NewWebhook("hook", "https://me.example/in?token=hidden-word", secret, "owlat-sync/test", inProcess{handle})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func TestAWebhookIsSigned(t *testing.T) {
	t.Parallel()
	key := []byte("0123456789abcdef")
	for secret, key := range map[string][]byte{
		"whsec_" + base64.StdEncoding.EncodeToString(key): key,
		"whsec_not*base64": []byte("whsec_not*base64"),
		"any words":        []byte("any words"),
		"":                 nil,
	} {
		var got writeback.Message
		w := hook(t, secret, func(_ http.ResponseWriter, r *http.Request) {
			raw, _ := io.ReadAll(r.Body)
			if err := json.Unmarshal(raw, &got); err != nil {
				t.Error(err)
			}
			h := r.Header
			want := ""
			if key != nil {
				want = "v1," + hooksign.Sign(key, h.Get("Webhook-Id"), h.Get("Webhook-Timestamp"), raw)
			}
			if h.Get("Webhook-Signature") != want || h.Get("Webhook-Id") != "delivery_7" || h.Get("Content-Type") != "application/json" || h.Get("User-Agent") != "owlat-sync/test" || r.Method != "POST" {
				t.Errorf("%q: %v", secret, h)
			}
		})
		if r := w.Deliver(t.Context(), []writeback.Notice{{ID: 7, Event: "email.complained", Email: "ada@example.com", At: at}}); r[0].Err != nil || r[0].Wrote {
			t.Errorf("%+v", r)
		}
		if want := (writeback.Message{ID: 7, Event: "email.complained", Email: "ada@example.com", At: at}); got != want {
			t.Errorf("got %+v", got)
		}
	}
}

func TestWhatAWebhookAnswers(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]struct{ fails, down bool }{
		200: {}, 202: {}, 204: {},
		302: {true, true}, 308: {true, true}, 401: {true, true}, 404: {true, true}, 429: {true, true}, 502: {true, true}, 503: {true, true}, 504: {true, true},
		400: {true, false}, 409: {true, false}, 422: {true, false}, 500: {true, false},
	} {
		asked := 0
		w := hook(t, "", func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.Header().Set("Location", "https://elsewhere.example/")
			w.WriteHeader(status)
		})
		r := w.Deliver(t.Context(), []writeback.Notice{{ID: 1, Email: "ada@example.com"}})
		if (r[0].Err != nil) != want.fails || writeback.IsDown(r[0].Err) != want.down || asked != 1 {
			t.Errorf("%d: %v after %d requests", status, r[0].Err, asked)
		}
		if r[0].Err != nil && (!strings.Contains(r[0].Err.Error(), "me.example") || strings.Contains(r[0].Err.Error(), "hidden-word")) {
			t.Errorf("%d: %v", status, r[0].Err)
		}
	}
}

func TestAWebhookThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		w := hook(t, "", func(_ http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			<-r.Context().Done()
		})
		results := w.Deliver(t.Context(), make([]writeback.Notice, 50))
		for _, r := range results {
			if !writeback.IsDown(r.Err) || strings.Contains(r.Err.Error(), "hidden-word") {
				t.Fatal(r.Err)
			}
		}
		if n := asked.Load(); n > 16 {
			t.Errorf("%d requests to a target that is down", n)
		}
	})
	w, err := writeback.NewWebhook("hook", "http://127.0.0.1:1/hidden-word", "", "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if r := w.Deliver(t.Context(), []writeback.Notice{{ID: 1}}); !writeback.IsDown(r[0].Err) || strings.Contains(r[0].Err.Error(), "hidden-word") {
		t.Error(r[0].Err)
	}
}

// Several persons are told at once, but not too many.
func TestAWebhookInParallel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var now, most, all int
		w := hook(t, "", func(http.ResponseWriter, *http.Request) {
			mu.Lock()
			now, all = now+1, all+1
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
		})
		w.Deliver(t.Context(), make([]writeback.Notice, 40))
		if all != 40 || most > 8 {
			t.Errorf("%d requests, %d at once", all, most)
		}
	})
}

func TestURLsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"", "me.example/in", "ftp://me.example/", "https:///in", "http://[::1", "https://me.example:x/"} {
		if w, err := writeback.NewWebhook("hook", u, "", "", nil); err == nil || u != "" && strings.Contains(err.Error(), u) {
			t.Errorf("%q: %v, %v", u, w, err)
		}
	}
}
