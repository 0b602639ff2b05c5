package owlat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	maxRetryAfter = 30 * time.Second
	firstBackoff  = 500 * time.Millisecond
	// owlatAsks is what Owlat's own 429 asks for, always, though the next token comes within 100 ms: it is no measure.
	owlatAsks = time.Second
)

// call is one request of the API, whatever number of attempts it takes.
type call struct {
	method string
	route  string // the pattern, for errors and logs
	path   string // percent-encoded, below /api/v1
	query  url.Values
	header http.Header // beside the package's own
	body   any
	open   bool // needs neither key nor token
}

// progress is how far a call has come.
type progress struct {
	ready       time.Time // since when it waits
	try, failed int       // attempts, and those of them that met no 429
	unsure      bool      // one of the attempts so far may have taken effect
	last        error
}

// do sends cl until it is answered for good, and returns an answer of success or a *Error, *TransportError or *ParseError.
func (c *core) do(ctx context.Context, cl call) (*answer, error) {
	if ctx == nil {
		return nil, cl.refuse("the context is nil")
	}
	body, err := encode(cl)
	if err != nil {
		return nil, err
	}
	p := progress{ready: time.Now()}
	for {
		start, err := c.admit(ctx, cl)
		if err != nil {
			if p.last != nil && ctx.Err() == nil {
				return nil, p.last
			}
			if errors.Is(err, errShut) {
				err = c.pool.reason()
			}
			return nil, cl.transportError(p.unsure, err)
		}
		p.try++
		ans, again, err := c.try(ctx, cl, body, start, &p)
		if !again {
			return ans, err
		}
	}
}

// try makes one attempt that was admitted at the given time and, when another is to follow, waits until it may. Whatever
// panics on the way, the limiter and the pool get their places back.
func (c *core) try(ctx context.Context, cl call, body []byte, start time.Time, p *progress) (ans *answer, again bool, err error) {
	inFlight, away := true, false
	defer func() {
		if inFlight {
			c.left(cl, start, silent, 0)
		}
		if away {
			c.pool.count(0, -1)
		}
	}()
	attempt := Attempt{Method: cl.method, Route: cl.route, Start: start, Waited: start.Sub(p.ready), Try: p.try}
	if len(c.looks) > 0 {
		for _, look := range c.looks {
			if err := look(ctx, attempt); err != nil {
				return nil, false, cl.transportError(p.unsure, fmt.Errorf("not sent: %w", err))
			}
		}
		attempt.Start = time.Now()
	}
	away = true
	c.pool.count(0, 1)
	ans, attempt.Status, err = c.attempt(ctx, cl, body)
	inFlight = false
	c.answered(ctx, cl, attempt.Start, attempt.Status, err)
	attempt.Duration = time.Since(attempt.Start)
	p.unsure = carry(err, p.unsure)
	attempt.Err = err
	c.report(ctx, attempt)
	limited := errors.Is(err, ErrRateLimited)
	if !limited { // who only waits for the budget does not keep others from being begun
		away = false
		c.pool.count(0, -1)
	}
	if err == nil {
		return ans, false, nil
	}
	p.last, p.ready = err, time.Now()
	if !limited {
		p.failed++
	}
	pause, again := c.next(ctx, cl, err, p)
	if !again {
		return nil, false, err
	}
	switch waiting := sleep(ctx, c.pool.closed(), pause); {
	case waiting == nil:
		return nil, true, nil
	case ctx.Err() == nil: // the deadline would pass first, or the pool was closed
		return nil, false, err
	default:
		return nil, false, cl.transportError(p.unsure, waiting)
	}
}

// admit waits until the call may be sent, and tells when that was.
func (c *core) admit(ctx context.Context, cl call) (time.Time, error) {
	if c.limiter != nil && !cl.open {
		return c.limiter.enter(ctx, c.pool.closed(), true, 2*c.random()-1)
	}
	select {
	case <-c.pool.closed():
		return time.Time{}, errShut
	default:
		return time.Now(), ctx.Err()
	}
}

// answered tells the limiter how an attempt ended.
func (c *core) answered(ctx context.Context, cl call, start time.Time, status int, err error) {
	told, v := 0, passed
	if last := c.lastLimit.Load(); last != nil && status > 0 {
		told = last.Limit
	}
	switch {
	case errors.Is(err, ErrRateLimited):
		v = refused
	case status >= 500, status == 0 && ctx.Err() == nil:
		v = failed
	case status == 0, status == http.StatusUnauthorized:
		v = silent
	}
	c.left(cl, start, v, told)
}

// left gives the limiter the place of an attempt back.
func (c *core) left(cl call, start time.Time, v verdict, told int) {
	if c.limiter != nil && !cl.open {
		c.limiter.leave(start, v, told)
	}
}

// carry keeps in err, and returns, whether one of the attempts so far may have taken effect.
func carry(err error, unsure bool) bool {
	unsure = unsure || OutcomeUnknown(err)
	switch e := err.(type) {
	case *Error:
		e.unsure = unsure
	case *TransportError:
		e.Sent = unsure
	}
	return unsure
}

// next decides whether the attempt that ended in err is repeated and after what pause. A 429 that asks for longer than
// Owlat's do holds everybody back, repeated or not.
func (c *core) next(ctx context.Context, cl call, err error, p *progress) (time.Duration, bool) {
	pause := c.backoff(p.try)
	again := p.try <= c.patience() && p.failed <= c.retries
	repeatable := cl.method != http.MethodPost && cl.method != http.MethodPatch
	switch e := err.(type) {
	case *Error:
		asked := min(e.RetryAfter, maxRetryAfter)
		pause = max(pause, asked)
		if e.Category == CategoryRateLimited {
			if asked > owlatAsks {
				c.pauseAll(asked)
			}
			return pause, again
		}
		return pause, again && repeatable && e.StatusCode >= 500
	case *TransportError:
		return pause, again && repeatable && ctx.Err() == nil && !errors.Is(err, ErrRedirect)
	}
	return 0, false
}

// patience is how often a call is repeated after a 429.
func (c *core) patience() int {
	if c.patient {
		return max(c.retries, batchPatience)
	}
	return c.retries
}

// backoff is the pause after the given number of failed tries: 500 ms doubling, a quarter more or less, at most 30 s.
func (c *core) backoff(tries int) time.Duration {
	pause := firstBackoff << min(tries-1, 6)
	return min(time.Duration(float64(pause)*(0.75+c.random()/2)), maxRetryAfter)
}

func (c *core) pauseAll(d time.Duration) {
	if c.limiter != nil {
		c.limiter.Pause(time.Now().Add(d))
	}
}

// attempt sends the request once. The status is 0 without an answer.
func (c *core) attempt(ctx context.Context, cl call, body []byte) (*answer, int, error) {
	actx := ctx
	if c.timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		actx = limited
	}
	var asked, connected atomic.Bool
	trace := &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}
	req, err := c.request(httptrace.WithClientTrace(actx, trace), cl, body)
	if err != nil {
		return nil, 0, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		// A transport that asked for a connection and got none has sent nothing. A redirect is an answer: 303 says that the
		// request was done, the others that it is to be made elsewhere.
		sent := connected.Load() || !asked.Load()
		if moved := (*redirectError)(nil); errors.As(err, &moved) {
			sent = moved.status == http.StatusSeeOther
		}
		return nil, 0, cl.transportError(sent, c.cause(ctx, err))
	}
	defer drain(resp.Body)
	limit := readRateLimit(resp.Header)
	if limit != (RateLimit{}) {
		c.lastLimit.Store(&limit)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		refusal, err := readError(resp, cl, limit)
		if err != nil && (ctx.Err() != nil || refusal.noRoute) {
			return nil, resp.StatusCode, cl.transportError(true, c.cause(ctx, err))
		}
		return nil, resp.StatusCode, refusal
	}
	ans := &answer{call: cl, status: resp.StatusCode, header: resp.Header, limit: limit}
	ans.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, resp.StatusCode, cl.transportError(true, fmt.Errorf("read the answer: %w", c.cause(ctx, err)))
	case len(ans.body) > maxBody:
		return nil, resp.StatusCode, ans.unreadable(fmt.Errorf("it is longer than %d bytes", maxBody))
	}
	return ans, resp.StatusCode, nil
}

// cause is why sending or reading failed: the context's error if it ended, ErrTimeout if the attempt's time did, and
// else err without the URL that net/http puts around it, which holds addresses.
func (c *core) cause(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrTimeout
	}
	var wrapped *url.Error
	for errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return err
}

func (c *core) request(ctx context.Context, cl call, body []byte) (*http.Request, error) {
	target := c.base.String() + "/api/v1" + cl.path
	if len(cl.query) > 0 {
		target += "?" + cl.query.Encode()
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, cl.method, target, reader)
	if err != nil {
		return nil, cl.refuse("the path cannot be encoded")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range cl.header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if !cl.open {
		c.authorize(req)
	}
	return req, nil
}

func (c *core) report(ctx context.Context, a Attempt) {
	for _, observe := range c.observers {
		observe(a)
	}
	if c.logger == nil || !c.logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", a.Method), slog.String("route", a.Route), slog.Int("status", a.Status),
		slog.Int("try", a.Try), slog.Duration("duration", a.Duration), slog.Duration("waited", a.Waited),
	}
	if a.Err != nil {
		attrs = append(attrs, slog.String("error", a.Err.Error()))
	}
	c.logger.LogAttrs(ctx, slog.LevelDebug, "owlat request", attrs...)
}

func (cl call) transportError(sent bool, err error) *TransportError {
	return &TransportError{Method: cl.method, Route: cl.route, Sent: sent, Err: err}
}

// refuse is the error of a call that is not sent.
func (cl call) refuse(format string, args ...any) *Error {
	return &Error{Category: CategoryInvalidInput, Message: fmt.Sprintf(format, args...), Method: cl.method, Route: cl.route}
}

// encode returns the JSON of the call's body, nil if it has none.
func encode(cl call) ([]byte, error) {
	if cl.body == nil {
		return nil, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(cl.body); err != nil {
		return nil, cl.refuse("the request cannot be encoded: %v", err)
	}
	if hasReplacement(b.Bytes()) {
		return nil, cl.refuse("a text of the request is not valid UTF-8")
	}
	return b.Bytes(), nil
}

// hasReplacement finds the escape \ufffd, which encoding/json writes for a byte that is not UTF-8 and only for that: a
// U+FFFD of the text itself is written as it is.
func hasReplacement(b []byte) bool {
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(b[i:], []byte(`\ufffd`)) {
			return true
		}
		i++
	}
	return false
}
