package owlattest

import (
	"cmp"
	"net/http"
	"slices"
	"time"
)

// maxLog is how many requests the log keeps; of more it keeps the latest.
const maxLog = 1_000_000

// Stats counts the requests to the API since the last reset.
type Stats struct {
	Since       time.Time      `json:"since"`
	Total       int            `json:"total"`
	Writes      int            `json:"writes"`      // all but GET, HEAD and OPTIONS, refused ones included
	RateLimited int            `json:"rateLimited"` // answered 429
	Faults      int            `json:"faults"`      // hit by an injected fault
	Events      int            `json:"events"`      // accepted
	Messages    int            `json:"messages"`    // transactional mails accepted
	Requests    []RequestCount `json:"requests"`
	Log         []Arrival      `json:"log"` // in the order of the answers
}

// RequestCount is how many requests of one kind had the same end. Status 0 means that the connection was reset or the
// client did not wait.
type RequestCount struct {
	Method string `json:"method"`
	Route  string `json:"route"`
	Status int    `json:"status"`
	Count  int    `json:"count"`
}

// Arrival is one request: when it arrived and how it ended.
type Arrival struct {
	Time   time.Time `json:"at"`
	Method string    `json:"method"`
	Route  string    `json:"route"`
	Status int       `json:"status"`
}

type requestKind struct {
	method, route string
	status        int
}

type recorder struct {
	since   time.Time
	arrived int
	faults  int
	counts  map[requestKind]int
	log     []Arrival
}

func (r *recorder) reset() { *r = recorder{since: time.Now(), counts: map[requestKind]int{}} }

func (r *recorder) arrive() int {
	r.arrived++
	return r.arrived
}

func (r *recorder) book(q Request, status int) {
	r.counts[requestKind{q.Method, q.Route, status}]++
	if len(r.log) == maxLog {
		r.log = slices.Delete(r.log, 0, maxLog/2)
	}
	r.log = append(r.log, Arrival{q.Time, q.Method, q.Route, status})
}

// stats returns the counts, without events and messages.
func (r *recorder) stats() Stats {
	st := Stats{
		Since: r.since, Faults: r.faults, Requests: make([]RequestCount, 0, len(r.counts)), Log: slices.Clone(r.log),
	}
	for k, n := range r.counts {
		st.Requests = append(st.Requests, RequestCount{k.method, k.route, k.status, n})
		st.Total += n
		if k.method != http.MethodGet && k.method != http.MethodHead && k.method != http.MethodOptions {
			st.Writes += n
		}
		if k.status == http.StatusTooManyRequests {
			st.RateLimited += n
		}
	}
	slices.SortFunc(st.Requests, func(a, b RequestCount) int {
		return cmp.Or(cmp.Compare(a.Route, b.Route), cmp.Compare(a.Method, b.Method), cmp.Compare(a.Status, b.Status))
	})
	return st
}

// Stats returns the counts since the last reset.
func (s *Server) Stats() Stats {
	defer s.lock()()
	st := s.stats.stats()
	st.Events, st.Messages = s.model.Events, s.model.Messages
	return st
}

// Count returns how many requests had that method, route and status; an empty or zero argument stands for any.
func (st Stats) Count(method, route string, status int) int {
	n := 0
	for _, c := range st.Requests {
		if (method == "" || c.Method == method) && (route == "" || c.Route == route) && (status == 0 || c.Status == status) {
			n += c.Count
		}
	}
	return n
}
