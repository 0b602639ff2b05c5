package access

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/internal/access/inmemory"
)

// serve serves a handler in memory within a bubble until the test ends.
func serve(t *testing.T, handler http.HandlerFunc, limits Limits) *inmemory.Listener {
	t.Helper()
	p := inmemory.Listen()
	server := NewServer(handler, limits, silent())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(Wrap(p, nil, limits)); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return p
}

// dial returns the client's end of a new connection.
func dial(t *testing.T, l *inmemory.Listener) net.Conn {
	t.Helper()
	c, err := l.Dial(t.Context(), "", "")
	if err != nil {
		t.Error(err)
	}
	return c
}

// exchange sends a text and returns the answer's status and when the connection ended.
func exchange(t *testing.T, c net.Conn, text string) (answer string, after time.Duration) {
	t.Helper()
	start := time.Now()
	go func() { _, _ = io.WriteString(c, text) }()
	all, _ := io.ReadAll(c)
	line, _, _ := strings.Cut(string(all), "\r\n")
	return line, time.Since(start)
}

func readAll(w http.ResponseWriter, r *http.Request) {
	if _, err := io.ReadAll(r.Body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
	}
}

func TestSlowAndLargeRequestsEnd(t *testing.T) {
	t.Parallel()
	limits := DefaultLimits()
	for _, test := range []struct {
		name, text, answer string
		after              time.Duration
	}{
		{"nothing is sent", "", "", limits.ReadHeader},
		{"headers that do not end", "GET / HTTP/1.1\r\nHost: a.example\r\n", "", limits.ReadHeader},
		{"a body that does not come", "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\n123", "HTTP/1.1 400 Bad Request", limits.Read},
		{"the next request does not come", "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "HTTP/1.1 200 OK", limits.Idle},
		{"large headers", "GET / HTTP/1.1\r\nHost: a.example\r\nX: " + strings.Repeat("a", 2*limits.Headers) + "\r\n\r\n", "HTTP/1.1 431 Request Header Fields Too Large", -1},
		{"no HTTP", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "HTTP/1.1 400 Bad Request", -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := dial(t, serve(t, readAll, limits))
				defer func() { _ = c.Close() }()
				answer, after := exchange(t, c, test.text)
				if answer != test.answer || test.after >= 0 && after.Round(time.Second) != test.after || after > limits.Idle {
					t.Errorf("answered %q after %s, want %q after %s", answer, after, test.answer, test.after)
				}
			})
		})
	}
}

func TestASlowReaderIsCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits, wrote := DefaultLimits(), make(chan time.Duration, 1)
		c := dial(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
			start := time.Now()
			for range 100 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					break
				}
			}
			wrote <- time.Since(start)
		}, limits))
		defer func() { _ = c.Close() }()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if after := <-wrote; after != limits.Write {
			t.Errorf("writing ended after %s", after)
		}
	})
}

func TestConnectionsAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := DefaultLimits()
		limits.Connections = 2
		p := serve(t, readAll, limits)
		first, second := dial(t, p), dial(t, p)
		third := make(chan net.Conn)
		go func() { third <- dial(t, p) }()
		synctest.Wait()
		select {
		case <-third:
			t.Fatal("a third connection was accepted")
		default:
		}
		if err := errors.Join(first.Close(), second.Close()); err != nil {
			t.Fatal(err)
		}
		c := <-third
		defer func() { _ = c.Close() }()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if answer, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("after another ended: %v, %v", answer, err)
		}
	})
}

func TestEncryptedConnections(t *testing.T) {
	t.Parallel()
	files := certify(t, t.TempDir(), "sync.example.com", time.Now())
	certificate, err := OpenCertificate(files, silent())
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(t.Context(), "127.0.0.1:0", true, certificate, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, r.Proto) }), DefaultLimits(), silent())
	go func() { _ = server.Serve(l) }()
	defer func() { _ = server.Close() }()
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(files.Cert)
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatal(err)
	}
	ask := func(cfg *tls.Config) (string, error) {
		cfg.RootCAs, cfg.ServerName = roots, "sync.example.com"
		transport := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		answer, err := (&http.Client{Transport: transport}).Get("https://" + l.Addr().String())
		if err != nil {
			return "", err
		}
		defer func() { _ = answer.Body.Close() }()
		text, err := io.ReadAll(answer.Body)
		return string(text), err
	}
	if got, err := ask(&tls.Config{}); err != nil || got != "HTTP/2.0" {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := ask(&tls.Config{MaxVersion: tls.VersionTLS11}); err == nil { // the test is that it is refused
		t.Errorf("TLS 1.1 is accepted: %s", got)
	}
}

func TestListeningIsRefused(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for _, test := range []struct{ name, address, says string }{
		{"a port in use", taken.Addr().String(), "another program listens there already"},
		{"no address of this machine", "192.0.2.1:8420", "not one of this machine"},
		{"an address for others without tokens", "0.0.0.0:0", "owlat-sync token"},
		{"every address without tokens", ":0", "owlat-sync token"},
		{"no port", "127.0.0.1", "missing port"},
	} {
		l, err := Listen(context.Background(), test.address, true, nil, DefaultLimits())
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.name, err)
		}
		if l != nil {
			_ = l.Close()
			t.Errorf("%s: it listens at %s", test.name, l.Addr())
		}
	}
	l, err := Listen(context.Background(), "0.0.0.0:0", false, nil, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
