package model

import (
	"slices"
	"strings"
	"time"
)

// The scopes that a key can have.
const (
	ContactsRead      = "contacts:read"
	ContactsWrite     = "contacts:write"
	TopicsWrite       = "topics:write"
	EventsWrite       = "events:write"
	TransactionalSend = "transactional:send"
)

// Scopes returns the five scopes.
func Scopes() []string {
	return []string{ContactsRead, ContactsWrite, TopicsWrite, EventsWrite, TransactionalSend}
}

// Key is one API key with its token bucket.
type Key struct {
	Value    string
	Scopes   []string
	Inactive bool
	Expired  bool

	tokens float64
	filled time.Time // when tokens was true; zero: the bucket is full
}

// Works reports whether the key opens anything.
func (k *Key) Works() bool { return !k.Inactive && !k.Expired }

// Limit is how many requests a second one key may send and how many at once from rest.
type Limit struct {
	Rate  float64
	Burst float64
	Off   bool // let every request pass
}

// Take takes a token from the key's bucket and reports whether there was one.
func (k *Key) Take(limit Limit, now time.Time) bool {
	if limit.Off {
		return true
	}
	if k.filled.IsZero() {
		k.tokens = limit.Burst
	} else {
		k.tokens = min(limit.Burst, k.tokens+max(0, now.Sub(k.filled).Seconds())*limit.Rate)
	}
	k.filled = now
	// A client that paces itself exactly must not fail on the last bit of a sum of fractions.
	const grain = 1e-6
	if k.tokens < 1-grain {
		return false
	}
	k.tokens = max(0, k.tokens-1)
	return true
}

const keyPrefix = "lm_live_"

// ValidKey reports whether value has the form of a key: at least 40 characters, letters and digits after the prefix.
func ValidKey(value string) bool {
	rest, found := strings.CutPrefix(value, keyPrefix)
	if !found || len(value) < 40 {
		return false
	}
	for _, c := range []byte(rest) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// AddKey makes a key. Without a value one is made up.
func (d *Deployment) AddKey(k Key) *Key {
	if k.Value == "" {
		k.Value = keyPrefix + d.Random.Text(40)
	}
	k.Scopes = slices.Clone(k.Scopes)
	d.Keys[k.Value] = &k
	return &k
}
