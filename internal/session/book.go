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
	shelf Shelf // nil: nobody else knows who is signed in

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
	seen, told  time.Time // when the shelf was asked about it, and told that it is in use
}

// New returns a book without accounts. Wrong passwords count at the gate beside wrong tokens.
func New(gate *access.Gate) *Book {
	return &Book{
		gate: gate, names: access.NewFailures[[sha256.Size]byte](nameBurst, nameInterval), turns: make(chan struct{}, maxTurns),
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
	id = NewID()
	if b.shelf != nil {
		ctx, cancel := context.WithTimeout(r.Context(), shelfWithin)
		defer cancel()
		if err := b.shelf.Put(ctx, sha256.Sum256([]byte(id)), name, acc.hash()); err != nil {
			return "", who, unseen(err)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.accounts[name] != acc { // it was taken away meanwhile
		return "", who, wrongPassword()
	}
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

// add adds a session that begins. The caller holds the mutex.
func (b *Book) add(id, name string) {
	now := time.Now()
	b.keep(sha256.Sum256([]byte(id)), &entry{name, now, now, now, now})
}

// keep takes in a session, and lets go of those that are over and of one that there is no room for. The caller holds the mutex.
func (b *Book) keep(hash Hash, e *entry) {
	now := time.Now()
	var oldest Hash
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
	b.sessions[hash] = e
}

func (e *entry) over(now time.Time) bool { return now.Sub(e.used) >= Idle || now.Sub(e.began) >= Life }

// Who returns who is signed in with the id, and notes that it is in use. It fails with an *access.Refusal if that cannot be seen now.
func (b *Book) Who(ctx context.Context, id string) (who access.Principal, ok bool, err error) {
	return b.see(ctx, id, true)
}

// Still is Who for what goes on by itself: it does not count as use, so that it keeps no session alive.
func (b *Book) Still(ctx context.Context, id string) (who access.Principal, ok bool, err error) {
	return b.see(ctx, id, false)
}

func (b *Book) see(ctx context.Context, id string, uses bool) (who access.Principal, ok bool, err error) {
	if id == "" || b.Empty() {
		return who, false, nil
	}
	hash := sha256.Sum256([]byte(id))
	if err := b.recall(ctx, hash, uses); err != nil {
		return who, false, err
	}
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.sessions[hash]
	if e == nil {
		return who, false, nil
	}
	if e.over(now) {
		delete(b.sessions, hash)
		return who, false, nil
	}
	if uses {
		e.used = now
	}
	return b.accounts[e.name].principal(), true, nil
}

// SignOut ends the session of the id; without one it does nothing. It fails with an *access.Refusal if others may not know of it.
func (b *Book) SignOut(ctx context.Context, id string) error {
	hash := sha256.Sum256([]byte(id))
	b.mu.Lock()
	_, known := b.sessions[hash]
	b.mu.Unlock()
	var err error
	if b.shelf != nil && id != "" {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shelfWithin) // a browser that has left wants it, too
		defer cancel()
		err = b.shelf.Drop(ctx, hash)
	}
	b.mu.Lock()
	delete(b.sessions, hash)
	b.mu.Unlock()
	if err != nil && known {
		return unseen(err)
	}
	return nil
}

// NewID returns 256 random bits for a browser to hold. Nobody is signed in with them.
func NewID() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // it never fails
	return base64.RawURLEncoding.EncodeToString(raw)
}

// FormToken returns what a form must send back to be from a page that the browser with this id was shown: no other site knows it.
func (b *Book) FormToken(id string) string {
	mac := hmac.New(sha256.New, []byte(id)) // every node makes the same of it, and nobody who does not know the id
	mac.Write([]byte("form"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// FormFits reports whether a form that the browser with this id has sent has the token of FormToken.
func (b *Book) FormFits(id, token string) bool {
	return id != "" && subtle.ConstantTimeCompare([]byte(b.FormToken(id)), []byte(token)) == 1
}
