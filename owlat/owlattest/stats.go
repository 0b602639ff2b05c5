package owlattest

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"owlatsync/owlat/owlattest/internal/model"
	"owlatsync/owlat/owlattest/internal/routes"
)

// maxLog is how many requests the log keeps; of more it keeps the latest.
const maxLog = 1_000_000

// Stats counts the requests since the last reset: those to the API, and apart from them those by links.
type Stats struct {
	Since       time.Time      `json:"since"`
	Total       int            `json:"total"`
	Writes      int            `json:"writes"`      // all but GET, HEAD and OPTIONS, refused ones included
	RateLimited int            `json:"rateLimited"` // answered 429
	Faults      int            `json:"faults"`      // hit by an injected fault; also those by links
	Events      int            `json:"events"`      // accepted
	Messages    int            `json:"messages"`    // transactional mails accepted
	Requests    []RequestCount `json:"requests"`
	Keys        []KeyCount     `json:"keys"` // those that work and were used, in the order of their values
	Log         []Arrival      `json:"log"`  // in the order of the answers
	Links       LinkStats      `json:"links"`
}

// LinkStats counts the requests with a token in place of a key, which take nothing of a key's budget.
type LinkStats struct {
	Total       int            `json:"total"`
	RateLimited int            `json:"rateLimited"` // answered 429
	Requests    []RequestCount `json:"requests"`
	Log         []Arrival      `json:"log"`
}

// KeyCount is how many requests came with an API key.
type KeyCount struct {
	Key         string `json:"key"` // its value
	Total       int    `json:"total"`
	RateLimited int    `json:"rateLimited"` // answered 429
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
	api     tally
	links   tally
	keys    map[string]KeyCount // by their values
}

// tally counts requests by how they ended.
type tally struct {
	counts map[requestKind]int
	log    []Arrival
}

func (r *recorder) reset() {
	*r = recorder{since: time.Now(), api: tally{counts: map[requestKind]int{}}, links: tally{counts: map[requestKind]int{}}, keys: map[string]KeyCount{}}
}

func (r *recorder) arrive() int {
	r.arrived++
	return r.arrived
}

// book counts a request, and with which key it came; empty: none that works.
func (r *recorder) book(q Request, status int, key string, byLink bool) {
	if byLink {
		r.links.book(q, status)
		return
	}
	r.api.book(q, status)
	if key == "" {
		return
	}
	n := r.keys[key]
	n.Key = key
	n.Total++
	if status == http.StatusTooManyRequests {
		n.RateLimited++
	}
	r.keys[key] = n
}

func (t *tally) book(q Request, status int) {
	t.counts[requestKind{q.Method, q.Route, status}]++
	if len(t.log) == maxLog {
		t.log = slices.Delete(t.log, 0, maxLog/2)
	}
	t.log = append(t.log, Arrival{q.Time, q.Method, q.Route, status})
}

// sum returns the counts in order, and how many there are in all, writes and refusals among them.
func (t *tally) sum() (counts []RequestCount, total, writes, limited int) {
	counts = make([]RequestCount, 0, len(t.counts))
	for k, n := range t.counts {
		counts = append(counts, RequestCount{k.method, k.route, k.status, n})
		total += n
		if k.method != http.MethodGet && k.method != http.MethodHead && k.method != http.MethodOptions {
			writes += n
		}
		if k.status == http.StatusTooManyRequests {
			limited += n
		}
	}
	slices.SortFunc(counts, func(a, b RequestCount) int {
		return cmp.Or(cmp.Compare(a.Route, b.Route), cmp.Compare(a.Method, b.Method), cmp.Compare(a.Status, b.Status))
	})
	return counts, total, writes, limited
}

// stats returns the counts, without events and messages.
func (r *recorder) stats() Stats {
	st := Stats{Since: r.since, Faults: r.faults, Log: slices.Clone(r.api.log)}
	st.Keys = make([]KeyCount, 0, len(r.keys))
	for _, n := range model.Ordered(r.keys) {
		st.Keys = append(st.Keys, n)
	}
	st.Requests, st.Total, st.Writes, st.RateLimited = r.api.sum()
	st.Links.Log = append([]Arrival{}, r.links.log...)
	st.Links.Requests, st.Links.Total, _, st.Links.RateLimited = r.links.sum()
	return st
}

// Stats returns the counts since the last reset.
func (s *Server) Stats() Stats {
	defer s.lock()()
	st := s.stats.stats()
	st.Events, st.Messages = s.model.Events, s.model.Messages
	return st
}

// Count returns how many requests to the API had that method, route and status; an empty or zero argument stands for any. With the route
// of a link it counts the requests by that.
func (st Stats) Count(method, route string, status int) int {
	counts := st.Requests
	if routes.IsLink(route) {
		counts = st.Links.Requests
	}
	n := 0
	for _, c := range counts {
		if (method == "" || c.Method == method) && (route == "" || c.Route == route) && (status == 0 || c.Status == status) {
			n += c.Count
		}
	}
	return n
}
