package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"owlatsync/internal/config"
)

// Principal is who sends a request.
type Principal struct {
	Name string // of the token or the account; Local without any
	Role config.Role
	// Deployment is the only deployment that the principal reaches; empty: all of the service.
	Deployment string
}

// Local is the name of who uses an open service.
const Local = "local"

// May reports whether the principal may do what needs the role.
func (p Principal) May(role config.Role) bool { return p.Role == role || p.Role == config.Operator }

// Reaches reports whether the principal may have to do with the deployment.
func (p Principal) Reaches(deployment string) bool {
	return p.Deployment == "" || p.Deployment == deployment
}

// Gate tells who sends a request. It is safe for concurrent use.
type Gate struct {
	origins  *http.CrossOriginProtection
	failures *Failures[netip.Prefix] // by client

	mu      sync.Mutex
	tokens  []token
	proxies []netip.Prefix
	changed chan struct{} // closed when the tokens are replaced
}

// token is a token, and the only deployment that it reaches; empty: all.
type token struct {
	config.Token
	deployment string
}

// known joins the tokens of the service, which come first, and those of single deployments.
func known(all []config.Token, of map[string][]config.Token) (tokens []token) {
	for _, t := range all {
		tokens = append(tokens, token{t, ""})
	}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		for _, t := range of[name] {
			tokens = append(tokens, token{t, name})
		}
	}
	return tokens
}

// NewGate returns a gate for these tokens and trusted proxies. Without tokens it is open to programs on this machine.
func NewGate(tokens []config.Token, proxies []netip.Prefix) *Gate {
	return &Gate{
		origins: http.NewCrossOriginProtection(), failures: NewFailures[netip.Prefix](failureBurst, failureInterval), tokens: known(tokens, nil),
		proxies: slices.Clone(proxies), changed: make(chan struct{}),
	}
}

// Replace takes over other tokens and trusted proxies. It closes the channel of Changed.
func (g *Gate) Replace(tokens []config.Token, proxies []netip.Prefix) {
	g.ReplaceAll(tokens, nil, proxies)
}

// ReplaceAll is Replace for a service of several deployments: some tokens reach one deployment alone, by its name.
func (g *Gate) ReplaceAll(tokens []config.Token, of map[string][]config.Token, proxies []netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tokens, g.proxies = known(tokens, of), slices.Clone(proxies)
	close(g.changed)
	g.changed = make(chan struct{})
}

// Changed returns a channel that is closed at the next Replace. Who answers a request for long asks Enter again then.
func (g *Gate) Changed() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.changed
}

// Client returns the address of the client, seen through the trusted proxies. It is invalid if the connection has none.
func (g *Gate) Client(r *http.Request) netip.Addr {
	g.mu.Lock()
	defer g.mu.Unlock()
	return clientOf(r, g.proxies)
}

// Open reports whether the gate has no tokens, and is open to programs on this machine.
func (g *Gate) Open() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.tokens) == 0
}

// Encrypted reports whether the request came encrypted, to the service itself or, as it says, to a trusted proxy.
func (g *Gate) Encrypted(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !trusted(addrOf(r.RemoteAddr), g.proxies) {
		return false
	}
	// As with X-Forwarded-For, the nearest proxy wrote the last word.
	words := strings.Split(strings.Join(r.Header.Values("X-Forwarded-Proto"), ","), ",")
	return strings.EqualFold(strings.TrimSpace(words[len(words)-1]), "https")
}

// Wait returns how long the client must wait before a token or a password of it is looked at; 0: not at all.
func (g *Gate) Wait(r *http.Request) time.Duration {
	return g.failures.Wait(client(g.Client(r)), time.Now())
}

// Failed counts a wrong password of the client beside its wrong tokens.
func (g *Gate) Failed(r *http.Request) { g.failures.Note(client(g.Client(r)), time.Now()) }

// SameSite returns a *Refusal if the request would change something and comes from a page of another site.
func (g *Gate) SameSite(r *http.Request) error {
	if g.origins.Check(r) != nil {
		return &Refusal{Status: http.StatusForbidden, Code: CodeOrigin, Message: "the request comes from a page of another site",
			Hint: "send it from a program, or from a page under the service's own address"}
	}
	return nil
}

// Enter returns who sends the request, or a *Refusal. A request of a page of another site is refused. So is every request of a client
// that has sent too many wrong tokens.
func (g *Gate) Enter(r *http.Request) (Principal, error) {
	if err := g.SameSite(r); err != nil {
		return Principal{}, err
	}
	secret, given := bearer(r)
	hash := sha256.Sum256([]byte(secret))
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.tokens) == 0 {
		return open(r)
	}
	if !given {
		return Principal{}, noToken()
	}
	now, from := time.Now(), client(clientOf(r, g.proxies))
	if wait := g.failures.Wait(from, now); wait > 0 {
		return Principal{}, tooManyFailures(wait)
	}
	found := -1
	for i := range g.tokens { // all of them, so that the time does not tell which one is near
		if subtle.ConstantTimeCompare(hash[:], g.tokens[i].Hash[:]) == 1 && found < 0 {
			found = i
		}
	}
	if found < 0 || len(secret) < minToken {
		g.failures.Note(from, now)
		return Principal{}, wrongToken()
	}
	return Principal{g.tokens[found].Name, g.tokens[found].Role, g.tokens[found].deployment}, nil
}

// Require is Enter for what needs the role.
func (g *Gate) Require(r *http.Request, role config.Role) (Principal, error) {
	p, err := g.Enter(r)
	if err == nil && !p.May(role) {
		err = wrongRole(p)
	}
	return p, err
}

// bearer returns the token of a request.
func bearer(r *http.Request) (token string, given bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", r.Header.Get("Authorization") != ""
	}
	if token = strings.TrimSpace(token); len(token) > maxToken {
		return "", true
	}
	return token, true
}

// open lets in a program of this machine. The name by which it calls the service must be this machine's: another name is that of a
// site which leads its visitors' browsers here (DNS rebinding).
func open(r *http.Request) (Principal, error) {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local == nil || !addrOf(local.String()).IsLoopback() || !addrOf(r.RemoteAddr).IsLoopback() {
		return Principal{}, &Refusal{Status: http.StatusForbidden, Code: CodeRemote, Message: "without tokens only programs on the service's own machine are let in",
			Hint: "make a token with \"owlat-sync token\" and put its hash under serve.tokens of the configuration"}
	}
	if forwarded(r) {
		return Principal{}, &Refusal{Status: http.StatusForbidden, Code: CodeProxy, Message: "the request came through a proxy, and the service has no tokens",
			Hint: "make a token with \"owlat-sync token\" and put its hash under serve.tokens of the configuration"}
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if a := addrOf(host); !a.IsLoopback() && !strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return Principal{}, &Refusal{Status: http.StatusForbidden, Code: CodeHost, Message: fmt.Sprintf("the service is not called %.100q", r.Host),
			Hint: "call it localhost or 127.0.0.1; other names need tokens, which \"owlat-sync token\" makes"}
	}
	return Principal{Name: Local, Role: config.Operator}, nil
}
