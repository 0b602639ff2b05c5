package owlat

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"owlatsync/owlat/internal/keyring"
)

// WithMoreKeys gives a client further API keys of the same deployment, beside the one that [NewClient] has: each has its own budget, so
// that n keys send n times as much. Every request goes with the first key that has a token, and a call makes its requests one after the
// other, so that what concerns one contact stays in order if the caller waits for each call. A 429 slows down only its key, and the call goes on with another.
//
// A key that Owlat refuses with a 401 is left out, and one that lacks a scope is for requests that need it: they go with the others, and it
// is tried again after five minutes. [WithKeyRefused] and [Client.Keys] tell. Only what all keys are refused fails.
//
// Several keys are for a deployment of your own: for Owlat's hosted service NewClient fails with [ErrHosted]. It also fails for keys of another form and for the same key twice.
func WithMoreKeys(keys ...string) Option {
	return func(c *config) error {
		c.apiKeys = append(slices.Clip(c.apiKeys), keys...)
		return nil
	}
}

// ErrHosted is the error of several keys for Owlat's hosted service, which it knows by its host: owlat.app, or one below it.
var ErrHosted = errors.New("owlat: several API keys are for a deployment of your own: the limit of Owlat's hosted service keeps it available for everybody on it, and is " +
	"not for its users to multiply; use one key there")

// KeyRefusal says that Owlat refused one of several keys.
type KeyRefusal struct {
	Key   int    // its place among the client's keys, from 1
	Scope string // what it is not used for, such as "contacts:write"; empty: nothing at all
	Err   error  // the refusal, without the key
}

// Error says which key was refused, by its place.
func (r KeyRefusal) Error() string {
	if r.Scope == keyring.Whole {
		return fmt.Sprintf("API key %d is refused: %v", r.Key, r.Err)
	}
	return fmt.Sprintf("API key %d is refused for what needs %s: %v", r.Key, r.Scope, r.Err)
}

// Unwrap returns the refusal.
func (r KeyRefusal) Unwrap() error { return r.Err }

// WithKeyRefused calls f when Owlat refuses one of several keys and another one takes its place: once until Owlat takes that key again. f
// is called on the goroutine of the call, and perhaps on several at once. The functions add up as those of [WithObserver] do.
func WithKeyRefused(f func(KeyRefusal)) Option {
	return func(c *config) error {
		if f == nil {
			return errors.New("the function to tell of refused keys is nil")
		}
		c.refusals = append(c.refusals, f)
		return nil
	}
}

// Key is how things stand with one key of a client.
type Key struct {
	Rate      float64      // how many requests a second are sent with it at most; 0 without a limiter
	RateLimit RateLimit    // what the latest answer said of its budget; zero before the first
	Refused   []KeyRefusal // what Owlat refuses it; none if it takes it
}

// Keys returns how things stand with each key, in their order: that of NewClient comes first, those of [WithMoreKeys] follow.
func (c *Client) Keys() []Key {
	all := make([]Key, c.core.keys.Len())
	for i := range all {
		all[i].RateLimit = c.core.keys.Limit(i)
		for _, r := range c.core.keys.Refusals(i) {
			all[i].Refused = append(all[i].Refused, KeyRefusal{Key: i + 1, Scope: r.Scope, Err: r.Err})
		}
		if c.core.limiter != nil {
			all[i].Rate, _ = c.core.limiter.queue.Rate(func(key int) bool { return key == i })
		}
	}
	return all
}

// usable says which keys are refused nothing at all.
func (c *core) usable() func(key int) bool { return c.keys.For(keyring.Whole) }

// fit makes the limiter one for so many keys, or fails.
func (c *config) fit(keys int) error {
	switch {
	case c.limiter == nil || c.limiter.queue.Keys() == keys:
	case c.fits:
		c.limiter = c.limiter.ForKeys(keys)
	default:
		return fmt.Errorf("the limiter is for %d, and the client has %d: use Limiter.ForKeys", c.limiter.queue.Keys(), keys)
	}
	return nil
}

// keyRefused notes that an answer to a call refuses the key itself, which has no effect. It reports whether another one may be taken.
func (c *core) keyRefused(key int, cl call, status int, err error) bool {
	asked := cl.scope()
	scope := asked
	switch status {
	case http.StatusUnauthorized:
		scope = keyring.Whole
	case http.StatusForbidden:
	default:
		return false
	}
	if !cl.keyed() {
		return false
	}
	other, isNew := c.keys.Refuse(key, scope, asked, err)
	if other && isNew {
		for _, tell := range c.refusals {
			tell(KeyRefusal{Key: key + 1, Scope: scope, Err: err})
		}
	}
	return other
}
