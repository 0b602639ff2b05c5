package owlattest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind string

const (
	// Latency delays the request before it takes effect, or with After its answer. It adds to other faults.
	Latency FaultKind = "latency"
	// RateLimited answers 429 as an empty bucket does, without taking effect.
	RateLimited FaultKind = "rate_limited"
	// StatusError answers Status as a gateway does, without Owlat's envelope: with an empty body, or an HTML page if HTML
	// is set. The request takes no effect, unless After is set.
	StatusError FaultKind = "status"
	// ResetBefore resets the connection before the request takes effect, ResetAfter after it did.
	ResetBefore FaultKind = "reset_before"
	ResetAfter  FaultKind = "reset_after"
	// TruncatedBody ends the connection in the middle of the answer's body, after the request took effect.
	TruncatedBody FaultKind = "truncated_body"
	// EndlessBody never ends the answer's body: 32 KiB of white space follow every Delay.
	EndlessBody FaultKind = "endless_body"
	// SlowBody sends the answer's body in ten pieces with Delay before each.
	SlowBody FaultKind = "slow_body"
)

// FaultKinds lists all kinds.
var FaultKinds = []FaultKind{Latency, RateLimited, StatusError, ResetBefore, ResetAfter, TruncatedBody, EndlessBody, SlowBody}

// Fault is something to go wrong. Method and Route choose the requests it concerns, At, Count and Rate which of them it
// hits: with none of these three it hits every one until ClearFaults.
type Fault struct {
	Kind   FaultKind
	Method string // such as "POST"; empty: any
	Route  string // such as RouteContact; empty: any, and what is not routed too

	At    int     // leave the first At-1 matching requests alone, counted from the injection on
	Count int     // hit so many; 0: one if At is set, else no limit
	Rate  float64 // hit each with this chance, 0 < Rate <= 1; 0: surely

	Status int           // of StatusError, 500 to 599; 0: 503
	HTML   bool          // of StatusError
	After  bool          // of Latency and StatusError
	Delay  time.Duration // 0: 1 s for Latency, 500 ms for SlowBody, 1 ms for EndlessBody
	Jitter time.Duration // of Latency: up to so much is added
}

// check fills in what is left out and refuses what makes no sense.
func (f Fault) check() (Fault, error) {
	if !slices.Contains(FaultKinds, f.Kind) {
		return f, fmt.Errorf("unknown kind of fault %q; known are %q", f.Kind, FaultKinds)
	}
	if f.At < 0 || f.Count < 0 || f.Delay < 0 || f.Jitter < 0 {
		return f, errors.New("at, count, delay and jitter must not be negative")
	}
	if !(f.Rate >= 0 && f.Rate <= 1) {
		return f, errors.New("the rate must lie between 0 and 1")
	}
	if f.Route != "" && !slices.Contains(routes, f.Route) {
		return f, fmt.Errorf("unknown route %q; known are %q", f.Route, routes)
	}
	switch {
	case f.Kind != StatusError && (f.Status != 0 || f.HTML):
		return f, errors.New("status and html belong to the kind status")
	case f.Kind != StatusError && f.Kind != Latency && f.After:
		return f, errors.New("after belongs to the kinds status and latency")
	case f.Kind != Latency && f.Jitter != 0:
		return f, errors.New("jitter belongs to the kind latency")
	case f.Status != 0 && (f.Status < 500 || f.Status > 599):
		return f, errors.New("the status must lie between 500 and 599")
	}
	if f.Kind == StatusError && f.Status == 0 {
		f.Status = http.StatusServiceUnavailable
	}
	if f.At > 0 && f.Count == 0 {
		f.Count = 1
	}
	if f.Delay == 0 && f.Jitter == 0 {
		f.Delay = map[FaultKind]time.Duration{Latency: time.Second, SlowBody: 500 * time.Millisecond, EndlessBody: time.Millisecond}[f.Kind]
	}
	return f, nil
}

type injected struct {
	Fault
	seen, hits int
}

type faultTable struct{ list []*injected }

func (t *faultTable) clear() { t.list = nil }

// InjectFaults adds faults to those in force, all of them or, if one makes no sense, none. Of several that hit one
// request the earliest counts; only latencies add up.
func (s *Server) InjectFaults(faults ...Fault) error {
	add := make([]*injected, len(faults))
	for i, f := range faults {
		f, err := f.check()
		if err != nil {
			return fmt.Errorf("inject fault %d: %w", i+1, err)
		}
		add[i] = &injected{Fault: f}
	}
	s.lock()
	defer s.mu.Unlock()
	s.faults.list = append(s.faults.list, add...)
	return nil
}

// ClearFaults ends all faults. Answers already being sent keep theirs.
func (s *Server) ClearFaults() {
	s.lock()
	defer s.mu.Unlock()
	s.faults.clear()
}

// mishap is what hits one request.
type mishap struct {
	Fault                        // of kind "" for none
	before, behind time.Duration // latency before the effect and before the answer
}

// pick counts the request against every fault and returns what hits it.
func (t *faultTable) pick(s *Server, method, route string) mishap {
	var m mishap
	for _, f := range t.list {
		if f.Method != "" && f.Method != method || f.Route != "" && f.Route != route {
			continue
		}
		f.seen++
		if f.seen < f.At || f.Count > 0 && f.hits >= f.Count || f.Rate > 0 && float64(s.draw()>>11)/(1<<53) >= f.Rate {
			continue
		}
		switch {
		case f.Kind == Latency:
			pause := f.Delay
			if f.Jitter > 0 {
				pause += time.Duration(s.draw() % uint64(f.Jitter))
			}
			if f.After {
				m.behind += pause
			} else {
				m.before += pause
			}
		case m.Kind == "":
			m.Fault = f.Fault
		default:
			continue // an earlier fault has the request
		}
		f.hits++
		s.stats.faults++
	}
	return m
}

// instead returns the answer that the fault gives in place of Owlat's; later is true once the request took effect.
func (s *Server) instead(m mishap, later bool, now time.Time) *answer {
	switch {
	case m.Kind == RateLimited && !later:
		a := s.tooMany()
		s.limits(a, now)
		return a
	case m.Kind == StatusError && m.After == later:
		return gatewayAnswer(m.Status, m.HTML)
	}
	return nil
}

func gatewayAnswer(status int, html bool) *answer {
	if !html {
		return &answer{status: status}
	}
	title := strconv.Itoa(status) + " " + http.StatusText(status)
	a := &answer{status: status, body: []byte("<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" +
		title + "</h1></center>\r\n</body>\r\n</html>\r\n")}
	a.set("Content-Type", "text/html")
	return a
}
