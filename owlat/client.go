package owlat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"time"

	"owlatsync/owlat/internal/clock"
	"owlatsync/owlat/internal/gentle"
	"owlatsync/owlat/internal/keyring"
	"owlatsync/owlat/internal/origin"
)

// DefaultBaseURL is where Owlat's own hosting answers.
const DefaultBaseURL = "https://api.owlat.app"

// Client speaks to one deployment with one API key, or several ([WithMoreKeys]). It never changes once made and is safe for concurrent use. It holds
// no goroutine; its idle connections close by themselves or by [Client.CloseIdleConnections].
type Client struct {
	Contacts      *Contacts
	Topics        *Topics
	Events        *Events
	Transactional *Transactional
	Preferences   *Preferences

	core *core
}

// Contacts are the people that a deployment knows: routes below /contacts, scopes contacts:read and contacts:write.
type Contacts struct{ core *core }

// Topics are the lists that contacts subscribe to: routes below /topics, scope topics:write. The API neither lists topics
// nor members.
type Topics struct{ core *core }

// Events trigger automations: route /events, scope events:write.
type Events struct{ core *core }

// Transactional sends single mails: route /transactional, scope transactional:send.
type Transactional struct{ core *core }

// core is what the areas of the API share.
type core struct {
	config
	base  *url.URL // without a trailing slash
	keys  *keyring.Ring[RateLimit]
	http  *http.Client
	clock *clock.Clock
	pool  *Pool // whose work the calls are, nil if none's
}

// NewClient returns a client of the deployment at baseURL, below which it calls /api/v1/…; "" means [DefaultBaseURL].
// The URL is http or https and may have a path, but no user, query or fragment. The key is one made in Owlat's settings:
// "lm_live_" and letters A to Z, a to z or digits after it, at least 40 characters in all, with nothing around them.
//
// NewClient sends nothing, so that a key that Owlat does not know shows at the first call, as [ErrUnauthenticated]. It fails
// for a URL or a key of another form and for an option that is nil or has a bad value. Its errors hold neither the key nor
// the URL.
func NewClient(baseURL, apiKey string, opts ...Option) (*Client, error) {
	base, err := origin.Parse(cmp.Or(baseURL, DefaultBaseURL))
	if err != nil {
		return nil, fmt.Errorf("owlat: %w", err)
	}
	cfg := config{
		timeout:   DefaultTimeout,
		retries:   DefaultRetries,
		apiKeys:   []string{apiKey},
		limiter:   NewAutoLimiter(),
		fits:      true,
		gentle:    gentle.New(DefaultPreferencesRate),
		userAgent: "owlat-go",
		random:    rand.Float64,
	}
	if err := cfg.apply(opts); err != nil {
		return nil, fmt.Errorf("owlat: %w", err)
	}
	keys, err := keyring.New[RateLimit](cfg.apiKeys)
	if err == nil && len(cfg.apiKeys) > 1 && origin.Hosted(base) {
		return nil, ErrHosted
	}
	if err == nil {
		err = cfg.fit(keys.Len())
	}
	if err != nil {
		return nil, fmt.Errorf("owlat: %w", err)
	}
	cfg.apiKeys = nil // they live in closures, where neither fmt nor a debugger's dump of the client shows them
	return newClient(&core{
		config: cfg,
		base:   base,
		keys:   keys,
		http:   origin.Client(cfg.httpClient, cfg.transport, defaultWork*keys.Len()),
		clock:  new(clock.Clock),
	}), nil
}

// With returns a client that differs from c in what the options set and shares all else with it: the key, the secret, the
// limiters, the connections, the pool whose work it is. Observers and functions of [WithBeforeSend] come in addition to those that c has.
// c stays as it is. With is cheap and safe for concurrent use: make a client for each run, or even each call, whose requests
// are to be counted, logged or looked at apart. Its errors are those of the options.
func (c *Client) With(opts ...Option) (*Client, error) {
	next := *c.core
	next.observers, next.looks = slices.Clip(next.observers), slices.Clip(next.looks) // what is added does not show in c
	next.refusals = slices.Clip(next.refusals)
	err := next.apply(opts)
	if err == nil && next.apiKeys != nil {
		err = errors.New("a client that was made gets no more keys; make another one with NewClient")
	}
	if err == nil {
		err = next.fit(next.keys.Len())
	}
	if err != nil {
		return nil, fmt.Errorf("owlat: %w", err)
	}
	if next.sends > c.core.sends {
		next.http = origin.Client(next.httpClient, next.transport, defaultWork*next.keys.Len())
	}
	return newClient(&next), nil
}

func newClient(c *core) *Client {
	return &Client{
		Contacts:      &Contacts{c},
		Topics:        &Topics{c},
		Events:        &Events{c},
		Transactional: &Transactional{c},
		Preferences:   &Preferences{c},
		core:          c,
	}
}

// BaseURL returns the base URL without a trailing slash.
func (c *Client) BaseURL() string { return c.core.base.String() }

// RateLimit returns what the latest answer said of the budget of its key; zero before the first.
func (c *Client) RateLimit() RateLimit { return c.core.keys.Latest() }

// Rate returns how many requests a second the client sends at most as things stand, and how many at once after a rest, with all keys
// that Owlat does not refuse together; 0 without a limiter.
func (c *Client) Rate() (perSecond float64, burst int) {
	if c.core.limiter == nil {
		return 0, 0
	}
	return c.core.limiter.queue.Rate(c.core.usable())
}

// Estimate returns how long n more requests take as things stand (see [Limiter.Estimate]); 0 without a limiter.
func (c *Client) Estimate(n int) time.Duration {
	if c.core.limiter == nil {
		return 0
	}
	return c.core.limiter.queue.Estimate(n, defaultWork, c.core.usable())
}

// Silence returns for how long answers have been awaited without any coming; see [Limiter.Silence]. It is 0 without a limiter.
func (c *Client) Silence() time.Duration {
	if c.core.limiter == nil {
		return 0
	}
	return c.core.limiter.Silence()
}

// Drain takes the budget for spent by somebody else until now; see [Limiter.Drain]. It does nothing without a limiter.
func (c *Client) Drain() {
	if c.core.limiter != nil {
		c.core.limiter.Drain()
	}
}

// ServerTime returns what the server's clock shows when this machine's shows at: a time from earliest to latest, mostly less than a
// second apart, on which all answers so far agree. Compare only these with times that Owlat tells, such as [Contact.CreatedAt]: the
// clocks of two machines may differ by minutes. Before the first answer the difference is not known, and both times are at.
// [Client.Health] gets an answer that costs nothing of the budget.
func (c *Client) ServerTime(at time.Time) (earliest, latest time.Time, known bool) {
	return c.core.clock.At(at)
}

// CloseIdleConnections closes the connections that the client keeps for later requests.
func (c *Client) CloseIdleConnections() { c.core.http.CloseIdleConnections() }

// String describes the client without its key and secret.
func (c Client) String() string { return "owlat.Client(" + c.BaseURL() + ")" }

// GoString describes the client without its key and secret.
func (c Client) GoString() string { return c.String() }

// RateLimit is what an answer says of the key's budget. Owlat's Remaining is no measure: it is 9 on every success.
type RateLimit struct {
	Limit     int       // requests a second
	Remaining int       // 0 with a 429
	Reset     time.Time // the server's time plus one second, rounded up to the second
}

// Health is the answer of a deployment that runs.
type Health struct {
	Status    string    `json:"status"`
	Timestamp time.Time `json:"timestamp"`
}

// Health asks whether the deployment runs: GET /health. It sends no key and does not wait for the limiter. It fails with
// [ErrNoRoute] where no deployment is at the base URL.
func (c *Client) Health(ctx context.Context) (*Health, error) {
	cl := call{method: http.MethodGet, route: "/health", path: "/health", open: true}
	ans, err := c.core.do(ctx, cl)
	if err != nil {
		return nil, err
	}
	var h Health
	if err := ans.unmarshal(&h); err != nil {
		return nil, err
	}
	if h.Status == "" {
		return nil, ans.unreadable(errors.New("it has no status"))
	}
	if !h.Timestamp.IsZero() {
		c.core.clock.Wrote(h.Timestamp, ans.sent, ans.received)
	}
	return &h, nil
}

// Attempt is one request as an observer sees it. It holds neither the key nor an address nor a token.
type Attempt struct {
	Method   string
	Route    string // the pattern, such as "/contacts/{contact}"
	ByToken  bool   // one of [Preferences]: none of the API's, so that it takes nothing of the key's budget
	Key      int    // with which of the client's keys it was sent, from 1; 0 where it needs none
	Status   int    // 0 without an answer
	Err      error  // nil for a 2xx
	Start    time.Time
	Duration time.Duration // from Start to the end of the answer
	Waited   time.Duration // before Start, in the limiter and between tries
	Try      int           // 1 for the first
}
