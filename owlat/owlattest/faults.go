package owlattest

import (
	"time"

	"owlatsync/owlat/owlattest/internal/faults"
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
	// ResetBefore resets the connection before the request takes effect.
	ResetBefore FaultKind = "reset_before"
	// ResetAfter resets the connection after the request took effect.
	ResetAfter FaultKind = "reset_after"
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

// InjectFaults adds faults to those in force, all of them or, if one makes no sense, none. Of several that hit one
// request the earliest counts; only latencies add up.
func (s *Server) InjectFaults(faults ...Fault) error {
	defer s.lock()()
	return s.faults.Inject(asGiven(faults))
}

func asGiven(in []Fault) []faults.Fault {
	out := make([]faults.Fault, len(in))
	for i, f := range in {
		out[i] = faults.Fault{
			Kind: faults.Kind(f.Kind), Method: f.Method, Route: f.Route, At: f.At, Count: f.Count, Rate: f.Rate, Status: f.Status,
			HTML: f.HTML, After: f.After, Delay: f.Delay, Jitter: f.Jitter,
		}
	}
	return out
}

// ClearFaults ends all faults. Answers already being sent keep theirs.
func (s *Server) ClearFaults() {
	defer s.lock()()
	s.faults.Clear()
}
