package owlat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"owlatsync/owlat/internal/keyring"
	"owlatsync/owlat/internal/origin"
	"owlatsync/owlat/internal/pace"
	"owlatsync/owlat/internal/wait"
	"owlatsync/owlat/internal/wire"
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
	open   bool          // needs neither key nor token
	link   func() string // makes the path of each attempt, below the base URL; such a call has a token in it and needs no key. May be nil
}

// sending is a call on its way: one attempt after the other until it is answered for good.
type sending struct {
	*core
	call
	encoded []byte    // the body as JSON
	ready   time.Time // since when it waits
	key     int       // with which of the client's keys the latest attempt goes
	tried   int       // attempts
	passed  int       // those of them whose key was refused, so that another one took its place
	failed  int       // those of them that met no 429, nor such a refusal
	unsure  bool      // one of them may have taken effect
	last    error
}

// keyed reports whether the call needs a key, and takes of its budget.
func (cl call) keyed() bool { return !cl.open && cl.link == nil }

// scope is what a key needs for the call.
func (cl call) scope() string { return keyring.ScopeOf(cl.method, cl.path) }

// do sends cl until it is answered for good, and returns an answer of success or a *Error, *TransportError or *ParseError.
func (c *core) do(ctx context.Context, cl call) (*answer, error) {
	if ctx == nil {
		return nil, cl.refuse("the context is nil")
	}
	body, err := wire.Encode(cl.body)
	if err != nil {
		return nil, cl.refuse("%v", err)
	}
	s := sending{core: c, call: cl, encoded: body, ready: time.Now()}
	for {
		start, err := s.admit(ctx)
		if err != nil {
			if s.last != nil && ctx.Err() == nil {
				return nil, s.last
			}
			if errors.Is(err, wait.ErrShut) {
				err = c.pool.counted().Cause()
			}
			return nil, cl.transportError(s.unsure, err)
		}
		s.tried++
		ans, again, err := s.try(ctx, start)
		if !again {
			return ans, err
		}
	}
}

// try makes one attempt that was admitted at the given time and, when another is to follow, waits until it may. Whatever
// panics on the way, the limiter and the pool get their places back.
func (s *sending) try(ctx context.Context, start time.Time) (ans *answer, again bool, err error) {
	inFlight, away := true, false
	defer func() {
		if inFlight {
			s.left(start, pace.Silent, 0, false)
		}
		if away {
			s.pool.counted().Count(0, -1)
		}
	}()
	away = true // it waits no longer, and what is done before it is sent keeps no others from being begun
	s.pool.counted().Count(0, 1)
	attempt := Attempt{Method: s.method, Route: s.route, ByToken: s.link != nil, Start: start, Waited: start.Sub(s.ready), Try: s.tried}
	if s.keyed() {
		attempt.Key = s.key + 1
	}
	if len(s.looks) > 0 {
		for _, look := range s.looks {
			if err := look(ctx, attempt); err != nil {
				return nil, false, s.transportError(s.unsure, fmt.Errorf("not sent: %w", err))
			}
		}
		if err := s.pool.counted().Over(ctx); err != nil { // since it was admitted
			return nil, false, s.transportError(s.unsure, err)
		}
		attempt.Start = time.Now()
	}
	ans, attempt.Status, err = s.attempt(ctx)
	inFlight = false
	s.answered(ctx, attempt.Start, attempt.Status, err)
	attempt.Duration = time.Since(attempt.Start)
	s.unsure = carry(err, s.unsure)
	attempt.Err = err
	s.report(ctx, attempt)
	limited := errors.Is(err, ErrRateLimited)
	if !limited { // who only waits for the budget does not keep others from being begun
		away = false
		s.pool.counted().Count(0, -1)
	}
	if err == nil {
		if s.keyed() {
			s.keys.Took(s.key, s.scope())
		}
		return ans, false, nil
	}
	s.last, s.ready = err, time.Now()
	if s.keyRefused(s.key, s.call, attempt.Status, err) {
		s.passed++
		return nil, true, nil
	}
	if !limited {
		s.failed++
	}
	pause, again := s.next(ctx, err)
	if !again {
		return nil, false, err
	}
	switch waiting := wait.Sleep(ctx, s.pool.counted().Done(), pause); {
	case waiting == nil:
		return nil, true, nil
	case ctx.Err() == nil: // the deadline would pass first, or the pool was closed
		return nil, false, err
	default:
		return nil, false, s.transportError(s.unsure, waiting)
	}
}

// admit waits until the call may be sent, and tells when that was.
func (s *sending) admit(ctx context.Context) (at time.Time, err error) {
	switch {
	case s.link != nil:
		return s.gentle.Enter(ctx, s.pool.counted().Done())
	case s.limiter != nil && !s.open:
		may := s.keys.After(s.key, errors.Is(s.last, ErrRateLimited), s.scope())
		s.key, at, err = s.limiter.queue.Enter(ctx, s.pool.counted().Done(), true, 2*s.random()-1, may)
		return at, err
	case !s.open:
		s.key = s.keys.Next(s.scope())
	}
	select {
	case <-s.pool.counted().Done():
		return time.Time{}, wait.ErrShut
	default:
		return time.Now(), ctx.Err()
	}
}

// answered tells the limiter how an attempt ended.
func (s *sending) answered(ctx context.Context, start time.Time, status int, err error) {
	told := 0
	if status > 0 && s.keyed() {
		told = s.keys.Limit(s.key).Limit
	}
	v := s.judge(ctx, status)
	if errors.Is(err, ErrRateLimited) {
		v = pace.Refused
	}
	s.left(start, v, told, status > 0)
}

// judge returns what the end of an attempt says of the server.
func (s *sending) judge(ctx context.Context, status int) pace.Verdict {
	switch {
	case status == http.StatusTooManyRequests:
		return pace.Refused
	case status >= 500, status == 0 && ctx.Err() == nil:
		return pace.Failed
	case status == 0, status == http.StatusUnauthorized:
		return pace.Silent
	}
	return pace.Passed
}

// left gives the limiter the place of an attempt back.
func (s *sending) left(start time.Time, v pace.Verdict, told int, answered bool) {
	switch {
	case s.link != nil:
		s.gentle.Leave(start, v)
	case s.limiter != nil && !s.open:
		s.limiter.queue.Leave(s.key, start, v, told, answered)
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
func (s *sending) next(ctx context.Context, err error) (time.Duration, bool) {
	pause := s.backoff(s.tried)
	again := s.tried-s.passed <= s.patience() && s.failed <= s.retries
	repeatable := s.link != nil || s.method != http.MethodPost && s.method != http.MethodPatch
	switch e := err.(type) {
	case *Error:
		asked := min(e.RetryAfter, maxRetryAfter)
		pause = max(pause, asked)
		if e.Category == CategoryRateLimited {
			s.pauseAll(asked)
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

// pauseAll holds back all calls with the same key for as long as a 429 asked, unless that is what Owlat's API always asks for.
func (s *sending) pauseAll(asked time.Duration) {
	switch {
	case s.link != nil:
		s.gentle.Pause(time.Now().Add(asked))
	case s.limiter != nil && asked > owlatAsks:
		s.limiter.queue.Pause(s.key, time.Now().Add(asked))
	}
}

// attempt sends the request once. The status is 0 without an answer.
func (s *sending) attempt(ctx context.Context) (*answer, int, error) {
	actx := ctx
	if s.timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, s.timeout)
		defer cancel()
		actx = limited
	}
	resp, limit, sent, err := s.exchange(ctx, actx)
	if err != nil {
		return nil, 0, err
	}
	defer wire.Drain(resp.Body)
	received := time.Now()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		refusal, err := readError(resp, s.call, limit)
		if err != nil && (ctx.Err() != nil || refusal.noRoute) {
			return nil, resp.StatusCode, s.transportError(true, wire.Cause(ctx, err, ErrTimeout))
		}
		return nil, resp.StatusCode, refusal
	}
	ans := &answer{call: s.call, status: resp.StatusCode, header: resp.Header, limit: limit, sent: sent, received: received}
	ans.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, resp.StatusCode, s.transportError(true, fmt.Errorf("read the answer: %w", wire.Cause(ctx, err, ErrTimeout)))
	case len(ans.body) > maxBody:
		return nil, resp.StatusCode, ans.unreadable(fmt.Errorf("it is longer than %d bytes", maxBody))
	}
	return ans, resp.StatusCode, nil
}

// exchange sends the request once and returns the head of its answer, with what that says of the limit, and when it was sent. actx is
// that of the attempt, ctx that of the call.
func (s *sending) exchange(ctx, actx context.Context) (*http.Response, RateLimit, time.Time, error) {
	req, err := s.request(actx)
	if err != nil {
		return nil, RateLimit{}, time.Time{}, err
	}
	began := time.Now()
	resp, sent, err := origin.Do(s.http, req)
	if err != nil {
		return nil, RateLimit{}, began, s.transportError(sent, wire.Cause(ctx, err, ErrTimeout))
	}
	limit := readRateLimit(resp.Header)
	s.clock.Answered(resp.Header, limit.Reset, began, time.Now())
	if limit != (RateLimit{}) && s.keyed() {
		s.keys.Told(s.key, limit)
	}
	return resp, limit, began, nil
}

func (s *sending) request(ctx context.Context) (*http.Request, error) {
	target := s.base.String()
	if s.link != nil {
		target += s.link()
	} else {
		target += "/api/v1" + s.path
	}
	if len(s.query) > 0 {
		target += "?" + s.query.Encode()
	}
	req, err := wire.NewRequest(ctx, s.method, target, s.userAgent, s.encoded, s.header)
	if err != nil {
		return nil, s.refuse("the path cannot be encoded")
	}
	if s.keyed() {
		s.keys.Authorize(s.key, req)
	}
	return req, nil
}

func (s *sending) report(ctx context.Context, a Attempt) {
	for _, observe := range s.observers {
		observe(a)
	}
	if s.logger == nil || !s.logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", a.Method), slog.String("route", a.Route), slog.Int("status", a.Status),
		slog.Int("try", a.Try), slog.Duration("duration", a.Duration), slog.Duration("waited", a.Waited),
	}
	if a.Err != nil {
		attrs = append(attrs, slog.String("error", a.Err.Error()))
	}
	s.logger.LogAttrs(ctx, slog.LevelDebug, "owlat request", attrs...)
}

func (cl call) transportError(sent bool, err error) *TransportError {
	return &TransportError{Method: cl.method, Route: cl.route, Sent: sent, Err: err}
}

// refuse is the error of a call that is not sent.
func (cl call) refuse(format string, args ...any) *Error {
	return &Error{Category: CategoryInvalidInput, Message: fmt.Sprintf(format, args...), Method: cl.method, Route: cl.route}
}
