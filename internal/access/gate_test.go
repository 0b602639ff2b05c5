package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/internal/config"
)

// request returns a request from peer that has come in at the address here.
func request(method, host, peer, here string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "/api/v1/syncs", nil)
	r.Host, r.RemoteAddr = host, peer
	if at, err := netip.ParseAddrPort(here); err == nil {
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(net.TCPAddrFromAddrPort(at))))
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func tokenOf(name string, role config.Role, token string) config.Token {
	return config.Token{Name: name, Role: role, Hash: sha256.Sum256([]byte(token))}
}

// codeOf returns the code of a refusal, or who was let in.
func codeOf(t *testing.T, p Principal, err error) string {
	t.Helper()
	if err == nil {
		return p.Name + " " + string(p.Role)
	}
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok || refusal.Hint == "" || refusal.Message == "" || refusal.Status < 400 {
		t.Errorf("refused with %#v", err)
		return ""
	}
	return fmt.Sprintf("%d %s", refusal.Status, refusal.Code)
}

func TestAnOpenGateIsForThisMachine(t *testing.T) {
	t.Parallel()
	g := NewGate(nil, nil)
	for _, test := range []struct {
		name             string
		host, peer, here string
		header           []string
		want             string
	}{
		{"a program", "127.0.0.1:8420", "127.0.0.1:50000", "127.0.0.1:8420", nil, "local operator"},
		{"by name", "localhost:8420", "127.0.0.1:50000", "127.0.0.1:8420", nil, "local operator"},
		{"by name without a port", "LOCALHOST.", "127.0.0.1:50000", "127.0.0.1:80", nil, "local operator"},
		{"IPv6", "[::1]:8420", "[::1]:50000", "[::1]:8420", nil, "local operator"},
		{"IPv4 in IPv6", "127.0.0.1:8420", "[::ffff:127.0.0.1]:50000", "[::ffff:127.0.0.1]:8420", nil, "local operator"},
		{"a token that nobody asked for", "localhost:8420", "127.0.0.1:50000", "127.0.0.1:8420", []string{"Authorization", "Bearer x"}, "local operator"},
		{"a site that names this machine", "evil.example:8420", "127.0.0.1:50000", "127.0.0.1:8420", nil, "403 host"},
		{"a name that begins like ours", "localhost.evil.example", "127.0.0.1:50000", "127.0.0.1:8420", nil, "403 host"},
		{"no name", "", "127.0.0.1:50000", "127.0.0.1:8420", nil, "403 host"},
		{"another machine", "localhost:8420", "192.0.2.7:50000", "127.0.0.1:8420", nil, "403 remote"},
		{"another address of this machine", "localhost:8420", "127.0.0.1:50000", "192.0.2.1:8420", nil, "403 remote"},
		{"a connection without an address", "localhost:8420", "127.0.0.1:50000", "", nil, "403 remote"},
		{"a proxy on this machine", "localhost:8420", "127.0.0.1:50000", "127.0.0.1:8420", []string{"X-Forwarded-For", "203.0.113.5"}, "403 proxy"},
		{"a proxy of RFC 7239", "localhost:8420", "127.0.0.1:50000", "127.0.0.1:8420", []string{"Forwarded", "for=203.0.113.5"}, "403 proxy"},
		{"a page of another site", "localhost:8420", "127.0.0.1:50000", "127.0.0.1:8420", []string{"Origin", "https://evil.example"}, "403 origin"},
		{"an old browser's other port", "localhost:8420", "127.0.0.1:50000", "127.0.0.1:8420", []string{"Origin", "http://localhost:3000"}, "403 origin"},
		{"no origin at all", "localhost:8420", "127.0.0.1:50000", "127.0.0.1:8420", []string{"Origin", "null"}, "403 origin"},
		{"a new browser's foreign form", "localhost:8420", "127.0.0.1:50000", "127.0.0.1:8420", []string{"Sec-Fetch-Site", "cross-site"}, "403 origin"},
		{"our own page", "localhost:8420", "127.0.0.1:50000", "127.0.0.1:8420", []string{"Origin", "http://localhost:8420", "Sec-Fetch-Site", "same-origin"}, "local operator"},
	} {
		p, err := g.Enter(request(http.MethodPost, test.host, test.peer, test.here, test.header...))
		if got := codeOf(t, p, err); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestTokensSayWhoItIs(t *testing.T) {
	t.Parallel()
	look, act := NewToken(), NewToken()
	g := NewGate([]config.Token{tokenOf("grafana", config.Viewer, look), tokenOf("ci", config.Operator, act), tokenOf("nobody", config.Operator, ""), tokenOf("careless", config.Operator, "password")}, nil)
	for i, test := range []struct{ name, header, enter, operate string }{
		{"a viewer", "Bearer " + look, "grafana viewer", "403 role"},
		{"an operator", "bearer  " + act + " ", "ci operator", "ci operator"},
		{"no token", "", "401 token", "401 token"},
		{"an empty token, though its hash is there", "Bearer ", "401 token", "401 token"},
		{"a token that can be guessed, though its hash is there", "Bearer password", "401 token", "401 token"},
		{"another scheme", "Basic " + act, "401 token", "401 token"},
		{"a cut token", "Bearer " + act[:len(act)-1], "401 token", "401 token"},
		{"the hash in place of the token", "Bearer " + HashToken(act), "401 token", "401 token"},
		{"an enormous token", "Bearer " + strings.Repeat("a", 10_000), "401 token", "401 token"},
	} {
		r := request(http.MethodGet, "sync.example.com", fmt.Sprintf("192.0.2.%d:50000", i+2), "192.0.2.1:443", "Authorization", test.header)
		if test.header == "" {
			r.Header.Del("Authorization")
		}
		p, err := g.Enter(r)
		if got := codeOf(t, p, err); got != test.enter {
			t.Errorf("%s enters: %s, want %s", test.name, got, test.enter)
		}
		p, err = g.Require(r, config.Operator)
		if got := codeOf(t, p, err); got != test.operate {
			t.Errorf("%s as operator: %s, want %s", test.name, got, test.operate)
		}
	}
}

func TestTokensAreReplaced(t *testing.T) {
	t.Parallel()
	former, next := NewToken(), NewToken()
	g := NewGate([]config.Token{tokenOf("former", config.Operator, former)}, nil)
	changed := g.Changed()
	ask := func(token string) string {
		p, err := g.Enter(request(http.MethodGet, "localhost", "127.0.0.1:50000", "127.0.0.1:8420", "Authorization", "Bearer "+token))
		return codeOf(t, p, err)
	}
	if got := ask(former); got != "former operator" {
		t.Fatal(got)
	}
	select {
	case <-changed:
		t.Error("nothing has changed yet")
	default:
	}
	g.Replace([]config.Token{tokenOf("next", config.Viewer, next)}, nil)
	select {
	case <-changed:
	default:
		t.Error("the change was not told")
	}
	if got := ask(former) + ", " + ask(next); got != "401 token, next viewer" {
		t.Error(got)
	}
}

func TestNewTokensDiffer(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for range 100 {
		token := NewToken()
		if seen[token] || !strings.HasPrefix(token, "owlsync_") || len(token) != len("owlsync_")+43 {
			t.Fatalf("token %q", token)
		}
		seen[token] = true
	}
	if got := HashToken("abc"); got != "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Error(got)
	}
}

// TestWrongTokensAreLimited plays a client that guesses. What it is told must not depend on whether a guess is right.
func TestWrongTokensAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		right := NewToken()
		proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		g := NewGate([]config.Token{tokenOf("ci", config.Viewer, right)}, proxies)
		ask := func(peer, token string, header ...string) string {
			r := request(http.MethodGet, "sync.example.com", peer, "10.0.0.1:443", append([]string{"Authorization", "Bearer " + token}, header...)...)
			p, err := g.Enter(r)
			if refusal, ok := errors.AsType[*Refusal](err); ok && refusal.After > 0 {
				return fmt.Sprintf("%s %s", codeOf(t, p, err), refusal.After)
			}
			return codeOf(t, p, err)
		}
		for range 100 { // good ones are never limited
			if got := ask("192.0.2.7:50000", right); got != "ci viewer" {
				t.Fatal(got)
			}
		}
		for range failureBurst {
			if got := ask("192.0.2.7:50000", "wrong"); got != "401 token" {
				t.Fatal(got)
			}
		}
		for _, token := range []string{"wrong", right} {
			if got := ask("192.0.2.7:50001", token); got != "429 failures 6s" {
				t.Errorf("a limited client: %s", got)
			}
		}
		if got := ask("192.0.2.8:50000", right); got != "ci viewer" {
			t.Errorf("another client: %s", got)
		}
		time.Sleep(failureInterval)
		if got := ask("192.0.2.7:50000", right); got != "ci viewer" {
			t.Errorf("after a while: %s", got)
		}
		// Clients behind a proxy are told apart, and a client cannot say that it is another one.
		for i := range failureBurst + 1 {
			got := ask("10.0.0.9:50000", "wrong", "X-Forwarded-For", fmt.Sprintf("198.51.100.%d, 203.0.113.5", i))
			if limited := strings.HasPrefix(got, "429"); limited != (i == failureBurst) {
				t.Errorf("wrong token %d behind a proxy: %s", i, got)
			}
		}
		if got := ask("10.0.0.9:50000", right, "X-Forwarded-For", "203.0.113.6"); got != "ci viewer" {
			t.Errorf("another client behind the proxy: %s", got)
		}
		// A host with IPv6 has many addresses.
		for i := range failureBurst + 1 {
			got := ask(fmt.Sprintf("[2001:db8::%d]:50000", i+1), "wrong")
			if limited := strings.HasPrefix(got, "429"); limited != (i == failureBurst) {
				t.Errorf("wrong token %d from one network: %s", i, got)
			}
		}
	})
}

func TestManyClientsNeedLittleMemory(t *testing.T) {
	t.Parallel()
	f, now := NewFailures[netip.Addr](failureBurst, failureInterval), time.Now()
	address := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, byte(i >> 16), byte(i >> 8), byte(i)}) }
	for i := range 3 * maxFailing {
		for range failureBurst {
			f.Note(address(i), now)
		}
		if f.Wait(address(1), now) == 0 && i > 0 {
			t.Fatalf("a client that comes again and again is forgotten after %d others", i)
		}
	}
	if len(f.known) != maxFailing || f.latest.Len() != maxFailing {
		t.Errorf("%d clients, %d in their order", len(f.known), f.latest.Len())
	}
	if latest, first := f.Wait(address(3*maxFailing-1), now), f.Wait(address(0), now); latest == 0 || first != 0 {
		t.Errorf("the latest waits %s, the forgotten one %s", latest, first)
	}
}

func TestGatesAreUsedByMany(t *testing.T) {
	t.Parallel()
	right := NewToken()
	g := NewGate([]config.Token{tokenOf("ci", config.Viewer, right)}, nil)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 50 {
				token := right
				if i%2 == 0 {
					token = "wrong"
				}
				p, err := g.Enter(request(http.MethodGet, "sync.example.com", fmt.Sprintf("192.0.2.%d:1", i), "", "Authorization", "Bearer "+token))
				if i%2 == 1 && err != nil || i%2 == 0 && err == nil {
					t.Errorf("client %d: %v, %v", i, p, err)
				}
				g.Replace([]config.Token{tokenOf("ci", config.Viewer, right)}, nil)
			}
		})
	}
	all.Wait()
}

func TestTheClientBehindProxies(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48")}
	for _, test := range []struct {
		peer   string
		header []string
		want   string
	}{
		{"192.0.2.7:1", nil, "192.0.2.7"},
		{"192.0.2.7:1", []string{"203.0.113.5"}, "192.0.2.7"}, // a stranger's word
		{"10.0.0.1:1", nil, "10.0.0.1"},
		{"10.0.0.1:1", []string{"203.0.113.5"}, "203.0.113.5"},
		{"10.0.0.1:1", []string{"203.0.113.5:4711"}, "203.0.113.5"},
		{"10.0.0.1:1", []string{"[2001:db8:2::1]:4711"}, "2001:db8:2::1"},
		{"10.0.0.1:1", []string{"[2001:db8:2::1]"}, "2001:db8:2::1"},
		{"[2001:db8:1::1%eth0]:1", []string{"203.0.113.5"}, "203.0.113.5"},
		{"[::ffff:10.0.0.1]:1", []string{"::ffff:203.0.113.5"}, "203.0.113.5"},
		{"10.0.0.1:1", []string{"198.51.100.1, 203.0.113.5, 10.0.0.2"}, "203.0.113.5"},
		{"10.0.0.1:1", []string{"198.51.100.1", "203.0.113.5", "10.0.0.2"}, "203.0.113.5"},
		{"10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"10.0.0.1:1", []string{"198.51.100.1, unknown, 10.0.0.2"}, "10.0.0.2"}, // what stands before nonsense is not believed
		{"10.0.0.1:1", []string{", ,"}, "10.0.0.1"},
		{"pipe", []string{"203.0.113.5"}, "invalid IP"},
	} {
		r := request(http.MethodGet, "sync.example.com", test.peer, "")
		for _, h := range test.header {
			r.Header.Add("X-Forwarded-For", h)
		}
		if got := NewGate(nil, proxies).Client(r).String(); got != test.want {
			t.Errorf("%s with %q: %s, want %s", test.peer, test.header, got, test.want)
		}
	}
}
