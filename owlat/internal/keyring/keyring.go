// Package keyring has the API keys of a client, and knows which of several the server has refused, and for what. It sends nothing.
package keyring

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

var form = regexp.MustCompile(`^lm_live_[A-Za-z0-9]+$`)

const shortest = 40

// retryAfter is how long a key is left alone that was refused: it may have got its scope, or be made active again, meanwhile.
const retryAfter = 5 * time.Minute

// Whole stands, in place of a scope, for all requests with a key.
const Whole = ""

// Refusal says that the server refused a key.
type Refusal struct {
	Scope string // what the key is not used for; Whole: nothing
	Err   error
	again time.Time // when it is tried again
}

// Ring has at least one key. L is what the server tells of a key's limit. It is safe for concurrent use.
type Ring[L any] struct {
	keys []func(*http.Request) // in closures, where neither fmt nor a debugger's dump shows them

	mu      sync.Mutex
	limits  []L
	latest  L
	refused [][]Refusal // of each key
	next    int         // which key is used next where nothing paces them
}

// New returns a ring of the keys. Its errors hold none of them.
func New[L any](keys []string) (*Ring[L], error) {
	r := &Ring[L]{limits: make([]L, len(keys)), refused: make([][]Refusal, len(keys))}
	for i, key := range keys {
		which := "the API key"
		if len(keys) > 1 {
			which = fmt.Sprintf("API key %d", i+1)
		}
		switch {
		case key == "":
			return nil, fmt.Errorf("%s is empty", which)
		case len(key) < shortest || !form.MatchString(key):
			return nil, fmt.Errorf("%s is malformed: it must be lm_live_ and letters or digits, at least %d characters in all", which, shortest)
		case slices.Contains(keys[:i], key):
			return nil, fmt.Errorf("API keys %d and %d are the same: one key has one budget, so name it once", slices.Index(keys, key)+1, i+1)
		}
		r.keys = append(r.keys, func(req *http.Request) { req.Header.Set("Authorization", "Bearer "+key) })
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no API key")
	}
	return r, nil
}

// Len returns how many keys there are.
func (r *Ring[L]) Len() int { return len(r.keys) }

// Authorize lets the request go with that key.
func (r *Ring[L]) Authorize(key int, req *http.Request) { r.keys[key](req) }

// Told keeps what an answer says of a key's limit.
func (r *Ring[L]) Told(key int, limit L) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limits[key], r.latest = limit, limit
}

// Limit returns what the latest answer said of that key's limit; the zero value before the first.
func (r *Ring[L]) Limit(key int) L {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.limits[key]
}

// Latest returns what the latest answer said of its key's limit.
func (r *Ring[L]) Latest() L {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.latest
}

// For returns which keys may be used for requests of that scope: those that the server does not refuse for it or, where it refuses all,
// each.
func (r *Ring[L]) For(scope string) func(key int) bool {
	if len(r.keys) == 1 {
		return nil
	}
	return func(key int) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.usable(key, scope) || !r.any(scope)
	}
}

// After is For, but where the budget of a key was found full just now, it leaves that key out as long as another one may be used.
func (r *Ring[L]) After(key int, full bool, scope string) func(key int) bool {
	may := r.For(scope)
	if may == nil || !full {
		return may
	}
	return func(k int) bool {
		if k != key {
			return may(k)
		}
		for other := range r.keys {
			if other != key && may(other) {
				return false
			}
		}
		return true
	}
}

// Next returns a key that may be used for requests of that scope, each in its turn.
func (r *Ring[L]) Next(scope string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := r.next
	for n := range r.keys {
		if k := (r.next + n) % len(r.keys); r.usable(k, scope) {
			key = k
			break
		}
	}
	r.next = (key + 1) % len(r.keys)
	return key
}

func (r *Ring[L]) any(scope string) bool {
	for key := range r.keys {
		if r.usable(key, scope) {
			return true
		}
	}
	return false
}

func (r *Ring[L]) usable(key int, scope string) bool {
	return !slices.ContainsFunc(r.refused[key], func(f Refusal) bool {
		return (f.Scope == Whole || f.Scope == scope) && time.Now().Before(f.again)
	})
}

// Refuse notes that the server refused a key for requests of a scope, or for all. It reports whether another one may be used for those of
// scope asked, and whether the refusal is new.
func (r *Ring[L]) Refuse(key int, scope, asked string, err error) (other, isNew bool) {
	if len(r.keys) == 1 {
		return false, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f := Refusal{Scope: scope, Err: err, again: time.Now().Add(retryAfter)}
	i := slices.IndexFunc(r.refused[key], func(f Refusal) bool { return f.Scope == scope })
	if isNew = i < 0; isNew {
		r.refused[key] = append(r.refused[key], f)
	} else {
		r.refused[key][i] = f
	}
	return r.any(asked), isNew
}

// Took notes that the server did what was asked with a key, of that scope.
func (r *Ring[L]) Took(key int, scope string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.refused[key]) > 0 {
		r.refused[key] = slices.DeleteFunc(r.refused[key], func(f Refusal) bool { return f.Scope == Whole || f.Scope == scope })
	}
}

// Refusals returns what the server refuses a key.
func (r *Ring[L]) Refusals(key int) []Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.refused[key])
}

// ScopeOf returns the scope that a request needs, or what stands for it.
func ScopeOf(method, path string) string {
	area, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	reads := method == http.MethodGet || method == http.MethodHead
	switch {
	case area == "contacts" && reads:
		return "contacts:read"
	case area == "contacts", area == "topics", area == "events":
		return area + ":write"
	case area == "transactional":
		return "transactional:send"
	}
	return method + " /" + area
}
