package owlattest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Routes as Stats, faults and hooks name them.
const (
	RouteContacts      = "/contacts"
	RouteContact       = "/contacts/{contact}"
	RouteTopicContacts = "/topics/{topic}/contacts"
	RouteTopicContact  = "/topics/{topic}/contacts/{contact}"
	RouteEvents        = "/events"
	RouteTransactional = "/transactional"
	RouteHealth        = "/health"
)

var routes = []string{RouteContacts, RouteContact, RouteTopicContacts, RouteTopicContact, RouteEvents, RouteTransactional, RouteHealth}

// call is one request on its way through the checks.
type call struct {
	method string
	path   string // below the base path, as sent
	query  string
	body   []byte
	now    time.Time
}

// endpoint is what a method and path lead to. An endpoint without a scope asks for no key.
type endpoint struct {
	route  string
	scope  string
	handle func(*Server, *call) *answer
}

// find routes as Owlat does: some paths exactly, the others by prefix, whatever follows.
func find(method, path string) (endpoint, bool) {
	rest, found := strings.CutPrefix(path, "/api/v1/")
	if !found {
		return endpoint{}, false
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	options := method == http.MethodOptions
	switch {
	case rest == "health" && method == http.MethodGet:
		return endpoint{RouteHealth, "", (*Server).health}, true
	case rest == "contacts":
		switch {
		case options:
			return endpoint{RouteContacts, "", (*Server).preflight}, true
		case method == http.MethodGet:
			return endpoint{RouteContacts, ScopeContactsRead, (*Server).listContacts}, true
		case method == http.MethodPost:
			return endpoint{RouteContacts, ScopeContactsWrite, (*Server).createContact}, true
		}
	case strings.HasPrefix(rest, "contacts/"):
		switch {
		case options:
			return endpoint{RouteContact, "", (*Server).preflight}, true
		case method == http.MethodGet:
			return endpoint{RouteContact, ScopeContactsRead, (*Server).getContact}, true
		case method == http.MethodPut:
			return endpoint{RouteContact, ScopeContactsWrite, (*Server).updateContact}, true
		case method == http.MethodDelete:
			return endpoint{RouteContact, ScopeContactsWrite, (*Server).deleteContact}, true
		}
	case strings.HasPrefix(rest, "topics/"):
		switch {
		case options:
			return endpoint{RouteTopicContacts, "", (*Server).preflight}, true
		case method == http.MethodPost:
			return endpoint{RouteTopicContacts, ScopeTopicsWrite, (*Server).addMember}, true
		case method == http.MethodDelete:
			return endpoint{RouteTopicContact, ScopeTopicsWrite, (*Server).removeMember}, true
		}
	case rest == "events":
		switch {
		case options:
			return endpoint{RouteEvents, "", (*Server).preflight}, true
		case method == http.MethodPost:
			return endpoint{RouteEvents, ScopeEventsWrite, (*Server).sendEvent}, true
		}
	case rest == "transactional":
		switch {
		case options:
			return endpoint{RouteTransactional, "", (*Server).preflight}, true
		case method == http.MethodPost:
			return endpoint{RouteTransactional, ScopeTransactionalSend, (*Server).sendTransactional}, true
		}
	}
	return endpoint{}, false
}

// exchange lets one request through hooks, faults and the API and returns what is to be sent. target is what stood on
// the request line.
func (s *Server) exchange(ctx context.Context, method, target, authorization string, body []byte) *delivery {
	c := &call{method: method, body: body, now: time.Now()}
	full, query := splitTarget(target)
	path, inside := strings.CutPrefix(full, s.basePath())
	c.path, c.query = path, query
	e, routed := find(method, path)
	if !inside {
		e, routed = endpoint{}, false
	}

	s.lock()
	info := Request{Number: s.stats.arrive(), Time: c.now, Method: method, Route: e.route, Path: full, Body: body}
	m := s.faults.pick(s, method, e.route)
	s.mu.Unlock()

	if s.OnRequest != nil {
		s.OnRequest(info)
	}
	d := &delivery{kind: m.Kind, delay: m.Delay}
	if m.before > 0 {
		d.gone = wait(ctx, m.before) != nil
		c.now = time.Now()
	}
	if !d.gone && d.kind != ResetBefore {
		if d.answer = s.instead(m, false, c.now); d.answer == nil {
			if routed {
				d.answer = s.handle(e, c, authorization)
			} else {
				d.answer = unrouted(full)
			}
			if late := s.instead(m, true, c.now); late != nil {
				d.answer = late
			}
		}
	}
	s.finish(info, d)
	if m.behind > 0 && !d.gone {
		d.gone = wait(ctx, m.behind) != nil
	}
	return d
}

// finish books the request and tells the hook.
func (s *Server) finish(info Request, d *delivery) {
	status := 0
	if !d.gone && !d.reset() {
		status = d.answer.status
	}
	s.lock()
	s.stats.book(info, status)
	s.mu.Unlock()
	if s.OnAnswer != nil {
		s.OnAnswer(info, status)
	}
}

// handle is the order of checks of every route: key, bucket, scope, then the route's own.
func (s *Server) handle(e endpoint, c *call, authorization string) *answer {
	s.lock()
	defer s.mu.Unlock()
	if e.scope == "" {
		return e.handle(s, c)
	}
	key, refused := s.authenticate(authorization)
	if refused != nil {
		return refused
	}
	var a *answer
	switch {
	case !s.take(key, c.now):
		a = s.tooMany()
	case !slices.Contains(key.scopes, e.scope):
		a = fail(forbidden, "This API key is missing the required scope: "+e.scope)
	default:
		a = e.handle(s, c)
		if c.method != http.MethodGet {
			s.changed()
		}
	}
	s.limits(a, c.now)
	return a
}

func (s *Server) tooMany() *answer {
	return fail(rateLimited, "Rate limit exceeded. Maximum "+formatNumber(s.rate())+" requests per second.")
}

func (s *Server) health(c *call) *answer {
	b := appendTime([]byte(`{"status":"ok","timestamp":`), c.now)
	return jsonAnswer(http.StatusOK, append(b, '}'))
}

func (s *Server) preflight(*call) *answer {
	a := &answer{status: http.StatusNoContent}
	a.set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS")
	a.set("Access-Control-Allow-Headers", "Content-Type, Authorization")
	a.set("Access-Control-Max-Age", "86400")
	return a
}

// wait pauses for d or until ctx ends, and returns ctx's error in that case.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
