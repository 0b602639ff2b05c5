package session

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/account"
	"owlatsync/internal/config"
)

// How long somebody stays signed in: without doing anything, and at most.
const (
	Idle = time.Hour
	Life = 12 * time.Hour
)

// maxSessions is how many sessions there are at once; beyond it the one that was used longest ago ends.
const maxSessions = 1024

// A name may be tried with this many wrong passwords at once, whoever sends them, and then with one in each interval.
const (
	nameBurst    = 20
	nameInterval = 15 * time.Second
)

// How many passwords are looked at at once, because each takes memory, and how long a sign-in waits for its turn.
const (
	maxTurns   = 2
	turnWithin = 10 * time.Second
)

// Book has the accounts of a service and who is signed in. It is safe for concurrent use.
type Book struct {
	gate  *access.Gate
	names *access.Failures[[sha256.Size]byte] // by the hash of a name
	turns chan struct{}
	key   []byte // of the tokens of forms

	mu       sync.Mutex
	accounts map[string]holder            // by the name to sign in with
	stranger account.Hash                 // of names that are not there
	sessions map[[sha256.Size]byte]*entry // by the hash of what the browser holds
}

// holder is an account, and the only deployment that it reaches; empty: all.
type holder struct {
	config.Account
	deployment string
}

// entry is somebody who is signed in.
type entry struct {
	name        string // to sign in with
	began, used time.Time
}

// New returns a book without accounts. Wrong passwords count at the gate beside wrong tokens.
func New(gate *access.Gate) *Book {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // it never fails
	return &Book{
		gate: gate, names: access.NewFailures[[sha256.Size]byte](nameBurst, nameInterval), turns: make(chan struct{}, maxTurns), key: key,
		sessions: make(map[[sha256.Size]byte]*entry),
	}
}

// SignInName returns the name that somebody signs in with: those of one deployment alone name it, so that names of different deployments
// do not meet.
func SignInName(name, deployment string) string {
	if deployment == "" {
		return name
	}
	return deployment + "/" + name
}

// ReplaceAll takes over other accounts: those of the service, and those of single deployments by the deployment's name. Whoever is signed
// in with an account that is gone, or has another password or role now, is signed out.
func (b *Book) ReplaceAll(all []config.Account, of map[string][]config.Account) {
	next := make(map[string]holder)
	for _, a := range all {
		next[a.Name] = holder{a, ""}
	}
	for deployment, own := range of {
		for _, a := range own {
			next[SignInName(a.Name, deployment)] = holder{a, deployment}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, e := range b.sessions {
		if now, there := next[e.name]; !there || now != b.accounts[e.name] {
			delete(b.sessions, id)
		}
	}
	b.accounts, b.stranger = next, account.Hash{Memory: 8, Passes: 1, Threads: 1}
	for _, a := range next {
		if a.Hash.Dearer(b.stranger) {
			b.stranger = a.Hash // a name that is not there costs as much as the dearest one that is
		}
	}
	b.stranger.Key = [32]byte{}
}

// Empty reports whether there is no account.
func (b *Book) Empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.accounts) == 0
}

// SignIn begins a session and returns what the browser holds of it, always a new id. It fails with an *access.Refusal. A name that is not
// there takes as long as a wrong password. With a wrong password it returns whose name was tried, if it is anybody's.
func (b *Book) SignIn(r *http.Request, name, password string) (id string, who access.Principal, err error) {
	name = strings.TrimSpace(name)
	tried := sha256.Sum256([]byte(name))
	mustWait := func() error {
		if wait := max(b.gate.Wait(r), b.names.Wait(tried, time.Now())); wait > 0 {
			return tooMany(wait)
		}
		return nil
	}
	if err := mustWait(); err != nil {
		return "", who, err // before it takes a turn from others
	}
	if err := b.turn(r.Context()); err != nil {
		return "", who, err
	}
	defer func() { <-b.turns }()
	if err := mustWait(); err != nil { // those before it in the line may have failed
		return "", who, err
	}
	b.mu.Lock()
	acc, known := b.accounts[name]
	if !known {
		acc.Hash = b.stranger
	}
	b.mu.Unlock()
	if fits := acc.Hash.Matches(password); !fits || !known {
		b.gate.Failed(r)
		b.names.Note(tried, time.Now())
		if known {
			who = acc.principal()
		}
		return "", who, wrongPassword()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.accounts[name] != acc { // it was taken away meanwhile
		return "", who, wrongPassword()
	}
	id = NewID()
	b.add(id, name)
	return id, acc.principal(), nil
}

// turn waits until a password may be looked at.
func (b *Book) turn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, turnWithin)
	defer cancel()
	select {
	case b.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return busy()
	}
}

func (a holder) principal() access.Principal {
	return access.Principal{Name: a.Name, Role: a.Role, Deployment: a.deployment}
}

// add adds a session. The caller holds the mutex.
func (b *Book) add(id, name string) {
	now := time.Now()
	var oldest [sha256.Size]byte
	for known, e := range b.sessions {
		if e.over(now) {
			delete(b.sessions, known)
		} else if o := b.sessions[oldest]; o == nil || e.used.Before(o.used) {
			oldest = known
		}
	}
	if len(b.sessions) >= maxSessions {
		delete(b.sessions, oldest)
	}
	b.sessions[sha256.Sum256([]byte(id))] = &entry{name, now, now}
}

func (e *entry) over(now time.Time) bool { return now.Sub(e.used) >= Idle || now.Sub(e.began) >= Life }

// Who returns who is signed in with the id, and notes that it is in use.
func (b *Book) Who(id string) (who access.Principal, ok bool) {
	hash, now := sha256.Sum256([]byte(id)), time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.sessions[hash]
	if e == nil {
		return who, false
	}
	if e.over(now) {
		delete(b.sessions, hash)
		return who, false
	}
	e.used = now
	return b.accounts[e.name].principal(), true
}

// Still is Who for what goes on by itself: it does not count as use, so that it keeps no session alive.
func (b *Book) Still(id string) (who access.Principal, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.sessions[sha256.Sum256([]byte(id))]
	if e == nil || e.over(time.Now()) {
		return who, false
	}
	return b.accounts[e.name].principal(), true
}

// SignOut ends the session of the id; without one it does nothing.
func (b *Book) SignOut(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.sessions, sha256.Sum256([]byte(id)))
}

// NewID returns 256 random bits for a browser to hold. Nobody is signed in with them.
func NewID() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // it never fails
	return base64.RawURLEncoding.EncodeToString(raw)
}

// FormToken returns what a form must send back to be from a page that the browser with this id was shown: no other site knows it.
func (b *Book) FormToken(id string) string {
	mac := hmac.New(sha256.New, b.key)
	mac.Write([]byte(id))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// FormFits reports whether a form that the browser with this id has sent has the token of FormToken.
func (b *Book) FormFits(id, token string) bool {
	return id != "" && subtle.ConstantTimeCompare([]byte(b.FormToken(id)), []byte(token)) == 1
}
