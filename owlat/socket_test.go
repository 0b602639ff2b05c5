package owlat_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// overSocket returns a client of the SDK's own transport for the handler, and the number of connections it has opened.
func overSocket(t *testing.T, key string, h http.Handler, opts ...owlat.Option) (*owlat.Client, *atomic.Int32) {
	t.Helper()
	opened := new(atomic.Int32)
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	client, err := owlat.NewClient(server.URL+basePath, key, append([]owlat.Option{owlat.WithoutLimiter(), owlat.WithRetries(0)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		server.Close()
	})
	return client, opened
}

func TestWholeFlowOverASocket(t *testing.T) {
	t.Parallel()
	s := &owlattest.Server{BasePath: basePath, NoLimit: true}
	topic := s.AddTopic("Newsletter", false)
	client, opened := overSocket(t, s.AddKey(), s)
	for _, address := range awkwardAddresses {
		made, err := client.Contacts.Upsert(t.Context(), owlat.CreateContactRequest{Email: address})
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if got, err := client.Contacts.Get(t.Context(), address); err != nil || got.ID != made.ID {
			t.Errorf("%s: got %+v, %v", address, got, err)
		}
		if _, err := client.Topics.Add(t.Context(), topic, owlat.AddMemberRequest{Email: address}); err != nil {
			t.Errorf("%s: %v", address, err)
		}
		if removed, err := client.Topics.Remove(t.Context(), topic, address); err != nil || !removed {
			t.Errorf("%s: removed %v, %v", address, removed, err)
		}
		if _, err := client.Contacts.Create(t.Context(), owlat.CreateContactRequest{Email: address}); !errors.Is(err, owlat.ErrConflict) {
			t.Errorf("%s: %v", address, err)
		}
		if err := client.Contacts.Delete(t.Context(), address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	// A few more than one, because net/http gives a connection up when the machine is too busy to hand it back at once.
	if n, calls := opened.Load(), s.Stats().Total; n > int32(calls/10) {
		t.Errorf("%d connections for %d calls one after the other", n, calls)
	}
}

func TestConcurrentCallsKeepTheirConnections(t *testing.T) {
	t.Parallel()
	s := &owlattest.Server{BasePath: basePath, NoLimit: true}
	client, opened := overSocket(t, s.AddKey(), s)
	contacts, _ := users(400)
	for i, r := range client.Contacts.UpsertBatch(t.Context(), contacts, owlat.WithConcurrency(16)) {
		if r.Err != nil {
			t.Errorf("%d: %v", i, r.Err)
		}
	}
	if n := opened.Load(); n > 32 {
		t.Errorf("%d connections for 16 calls at once", n)
	}
}

func TestNothingWasSentWithoutAConnection(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	plain := httptest.NewUnstartedServer(http.NotFoundHandler())
	plain.Config.ErrorLog = log.New(io.Discard, "", 0)
	plain.StartTLS()
	t.Cleanup(plain.Close)
	for name, base := range map[string]string{
		"nobody listens":        "http://" + closed,
		"untrusted certificate": plain.URL,
	} {
		client, err := owlat.NewClient(base, anyKey, owlat.WithRetries(0), owlat.WithTimeout(5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Contacts.Create(t.Context(), owlat.CreateContactRequest{Email: "ada@example.com"})
		var broken *owlat.TransportError
		if !errors.As(err, &broken) || broken.Sent || owlat.OutcomeUnknown(err) {
			t.Errorf("%s: got %v, unknown %v", name, err, owlat.OutcomeUnknown(err))
		}
	}
}

func TestConnectionThatBreaksAfterSending(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"closed without an answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"cut off in the body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"data":`)
		},
		"no HTTP": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, "220 mail.example ESMTP\r\n")
				_ = conn.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := overSocket(t, anyKey, handler)
			_, err := client.Contacts.Create(t.Context(), owlat.CreateContactRequest{Email: "ada@example.com"})
			var broken *owlat.TransportError
			if !errors.As(err, &broken) || !owlat.OutcomeUnknown(err) {
				t.Errorf("got %v, unknown %v", err, owlat.OutcomeUnknown(err))
			}
		})
	}
}

func TestCancelOverASocket(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	client, _ := overSocket(t, anyKey, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	}))
	_, err := client.Contacts.Create(ctx, owlat.CreateContactRequest{Email: "ada@example.com"})
	if !errors.Is(err, context.Canceled) || !owlat.OutcomeUnknown(err) {
		t.Errorf("got %v, unknown %v", err, owlat.OutcomeUnknown(err))
	}
}

func TestTimeoutOverASocket(t *testing.T) {
	t.Parallel()
	client, _ := overSocket(t, anyKey, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"data":`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}), owlat.WithTimeout(time.Second))
	_, err := client.Contacts.Create(t.Context(), owlat.CreateContactRequest{Email: "ada@example.com"})
	if !errors.Is(err, owlat.ErrTimeout) || !owlat.OutcomeUnknown(err) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, unknown %v", err, owlat.OutcomeUnknown(err))
	}
}

// TestTheBudgetOverASocket sends more than a bucket holds over real connections, whose making bunches the first requests.
func TestTheBudgetOverASocket(t *testing.T) {
	t.Parallel()
	s := &owlattest.Server{BasePath: basePath, RandomSeed: 1}
	if err := s.InjectFaults(owlattest.Fault{Kind: owlattest.Latency, Delay: 5 * ms, Jitter: 50 * ms}); err != nil {
		t.Fatal(err)
	}
	client, _ := overSocket(t, s.AddKey(), s, owlat.WithLimiter(owlat.NewAutoLimiter()))
	pool := client.NewPool(0)
	for range 40 {
		pool.Go(t.Context(), func(ctx context.Context, client *owlat.Client) {
			if _, err := client.Contacts.List(ctx, owlat.ListContactsRequest{}); err != nil {
				t.Error(err)
			}
		})
	}
	pool.Wait()
	if stats := s.Stats(); stats.Total != 40 || stats.RateLimited != 0 {
		t.Errorf("%d requests, %d answered 429; want 40 and 0", stats.Total, stats.RateLimited)
	}
}
