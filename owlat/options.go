package owlat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"reflect"
	"strings"
	"time"

	"owlatsync/owlat/internal/gentle"
	"owlatsync/owlat/internal/token"
)

// Defaults of a [Client].
const (
	DefaultTimeout = 30 * time.Second // per attempt
	DefaultRetries = 2
	DefaultRate    = 10 // requests a second, what Owlat allows one key, until its answers say otherwise
	DefaultBurst   = 8  // at once after a rest
)

// Option sets one thing of a [Client] while it is made, by [NewClient] or [Client.With]. Of options that exclude each other
// the last one counts.
type Option func(*config) error

type config struct {
	httpClient *http.Client
	transport  http.RoundTripper
	sends      int // how often one of the two was given
	timeout    time.Duration
	retries    int
	patient    bool     // repeats longer after a 429 than retries says
	apiKeys    []string // all of them, until there is a client
	limiter    *Limiter
	fits       bool // the limiter is made to fit the number of keys
	gentle     *gentle.Limiter
	tokens     *token.Maker // nil: there is no unsubscribe secret
	userAgent  string
	random     func() float64 // in [0, 1)
	observers  []func(Attempt)
	refusals   []func(KeyRefusal)
	looks      []func(context.Context, Attempt) error // before sending
	logger     *slog.Logger
}

// apply sets what the options say.
func (c *config) apply(opts []Option) error {
	for i, opt := range opts {
		if opt == nil {
			return fmt.Errorf("option %d is nil; leave out what is not to be set", i+1)
		}
		if err := opt(c); err != nil {
			return err
		}
	}
	return nil
}

// WithHTTPClient makes the client send through a copy of hc. A cookie jar, a transport and a redirect policy of hc are
// used; redirects that would carry the key elsewhere are refused all the same.
func WithHTTPClient(hc *http.Client) Option {
	return func(c *config) error {
		if hc == nil {
			return errors.New("the HTTP client is nil")
		}
		c.httpClient = hc
		c.sends++
		return nil
	}
}

// WithTransport makes the client send through rt, also when [WithHTTPClient] is given.
func WithTransport(rt http.RoundTripper) Option {
	return func(c *config) error {
		if v := reflect.ValueOf(rt); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
			return errors.New("the transport is nil")
		}
		c.transport = rt
		c.sends++
		return nil
	}
}

// WithTimeout limits one attempt, from the first byte sent to the last one read; 0 means no limit. The context limits
// the whole call.
func WithTimeout(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 {
			return fmt.Errorf("the timeout %v is negative", d)
		}
		c.timeout = d
		return nil
	}
}

// WithRetries sets how often a call is repeated at most; 0 means never.
func WithRetries(n int) Option {
	return func(c *config) error {
		if n < 0 {
			return fmt.Errorf("the number of retries %d is negative", n)
		}
		c.retries = n
		return nil
	}
}

// WithRate gives the client a limiter of its own: perSecond requests a second with each key, and at most burst at once after a pause.
func WithRate(perSecond float64, burst int) Option {
	return func(c *config) error {
		if !(perSecond > 0) || math.IsInf(perSecond, 1) {
			return fmt.Errorf("the rate %v is not a positive number of requests a second", perSecond)
		}
		if burst < 1 {
			return fmt.Errorf("the burst %d is less than 1", burst)
		}
		c.limiter, c.fits = NewLimiter(perSecond, burst), true
		return nil
	}
}

// WithLimiter makes the client wait for l, which it may share with other clients that use the same key. A client with several keys
// needs one of [Limiter.ForKeys], and shares it with clients that have the same keys in the same order.
func WithLimiter(l *Limiter) Option {
	return func(c *config) error {
		switch {
		case l == nil:
			return errors.New("the limiter is nil; use WithoutLimiter to send without one")
		case !l.queue.Made():
			return errors.New("the limiter was not made by NewLimiter or NewAutoLimiter")
		}
		c.limiter, c.fits = l, false
		return nil
	}
}

// WithoutLimiter makes the client send at once, for servers without a limit or callers that pace themselves. A 429 then
// delays only the call that got it.
func WithoutLimiter() Option {
	return func(c *config) error {
		c.limiter = nil
		return nil
	}
}

// WithUnsubscribeSecret makes [Preferences] work: secret is the UNSUBSCRIBE_SECRET of the deployment, which whoever hosts it has set. Who
// has it can opt out everybody; nothing that the client prints, logs or shows to observers holds it or a token made with it.
func WithUnsubscribeSecret(secret string) Option {
	return func(c *config) error {
		if secret == "" { // whoever knows that could sign with it
			return errors.New("the unsubscribe secret is empty; leave the option out where there is none")
		}
		c.tokens = token.NewMaker(secret)
		return nil
	}
}

// WithPreferencesRate sets how many requests of [Preferences] the client sends a second at most; math.Inf(1) means as many as are asked
// for. Clients made with [Client.With] share that pace.
func WithPreferencesRate(perSecond float64) Option {
	return func(c *config) error {
		if !(perSecond > 0) {
			return fmt.Errorf("the rate of preferences %v is not a positive number of requests a second", perSecond)
		}
		c.gentle = gentle.New(perSecond)
		return nil
	}
}

// WithRandom makes the client take its random numbers, at least 0 and below 1, from f, which several goroutines may call at
// once. They spread its pauses and its pace; with 0.5 for ever both are exact.
func WithRandom(f func() float64) Option {
	return func(c *config) error {
		if f == nil {
			return errors.New("the source of random numbers is nil")
		}
		c.random = f
		return nil
	}
}

// WithUserAgent sets the User-Agent of every request.
func WithUserAgent(ua string) Option {
	return func(c *config) error {
		if ua == "" || strings.ContainsFunc(ua, func(r rune) bool { return r < ' ' || r > '~' }) {
			return errors.New("the user agent is empty or holds characters other than printable ASCII")
		}
		c.userAgent = ua
		return nil
	}
}

// WithObserver calls f after every attempt, on the goroutine of the call and so perhaps on several at once. Observers add
// up: they are called in the order in which they were given. [Client.With] counts the requests of one part of a program
// this way.
func WithObserver(f func(Attempt)) Option {
	return func(c *config) error {
		if f == nil {
			return errors.New("the observer is nil")
		}
		c.observers = append(c.observers, f)
		return nil
	}
}

// WithBeforeSend calls f before every attempt, after the wait for the limiter and right before the request is sent, on the
// goroutine of the call. Attempt holds what is known by then: Method, Route, Try, Waited, and as Start the end of the wait. An
// error of f keeps the request from being sent and ends the call with a [*TransportError] that wraps it; observers do not
// see that attempt. Use it to look once more whether a request is still right that waited long, or to record durably that it may
// take effect from now on: what still waits for the limiter was not sent for certain. The functions add up: they
// are called in the order in which they were given, until one fails. A request whose context ended or whose [Pool] was closed
// meanwhile is not sent.
//
// Be quick in f: the limiter has counted the request, and what takes long makes requests come together at the server. A pool
// begins other work meanwhile, so that several calls of f can share one commit.
func WithBeforeSend(f func(context.Context, Attempt) error) Option {
	return func(c *config) error {
		if f == nil {
			return errors.New("the function to call before sending is nil")
		}
		c.looks = append(c.looks, f)
		return nil
	}
}

// WithLogger logs every attempt at level debug: method, route pattern, status, times and error, never an address or the
// key. Without it the client logs nothing.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		if l == nil {
			return errors.New("the logger is nil")
		}
		c.logger = l
		return nil
	}
}
