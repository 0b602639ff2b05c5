package owlattest

import (
	"context"
	"strings"
	"time"

	"owlatsync/owlat/owlattest/internal/answer"
	"owlatsync/owlat/owlattest/internal/connection"
	"owlatsync/owlat/owlattest/internal/faults"
	"owlatsync/owlat/owlattest/internal/js"
	"owlatsync/owlat/owlattest/internal/model"
	"owlatsync/owlat/owlattest/internal/routes"
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
	RoutePreferences   = "/prefs/verify/{token}" // beside the API, as the next two: by a token in place of a key
	RouteUnsubscribe   = "/unsub/{token}"
	RouteUnsubscribing = "/unsub/verify/{token}"
)

// gate is where requests come in.
type gate struct{ server *Server }

// Exchange lets one request through hooks, faults and the API.
func (g gate) Exchange(ctx context.Context, method, target, authorization string, body []byte) *connection.Delivery {
	s := g.server
	full, query := js.SplitTarget(target)
	path, inside := strings.CutPrefix(full, s.basePath())
	r := routes.Request{Method: method, Path: path, Query: query, Authorization: authorization, Body: body, Time: s.now()}
	var e routes.Endpoint
	if inside {
		e = routes.Find(method, path)
	}
	info, m := g.arrive(r, full, e.Route)
	if s.OnRequest != nil {
		s.OnRequest(info)
	}
	d := &connection.Delivery{Kind: m.Kind, Delay: m.Delay}
	if m.Before > 0 {
		d.Gone = connection.Wait(ctx, m.Before) != nil
		r.Time = s.now()
	}
	if !d.Gone && d.Kind != faults.ResetBefore {
		d.Answer = g.answer(e, r, m, full)
	}
	g.book(info, d.Status(), authorization)
	if s.OnAnswer != nil {
		s.OnAnswer(info, d.Status())
	}
	if m.Behind > 0 && !d.Gone {
		d.Gone = connection.Wait(ctx, m.Behind) != nil
	}
	return d
}

// arrive counts the request and says what hits it.
func (g gate) arrive(r routes.Request, path, route string) (Request, faults.Mishap) {
	g.server.hold()
	defer g.server.mu.Unlock()
	m := g.server.faults.Pick(g.server.model.Random.Draw, r.Method, route)
	g.server.stats.faults += m.Hits
	return Request{Number: g.server.stats.arrive(), Time: r.Time, Method: r.Method, Route: route, Path: path, Body: r.Body}, m
}

// answer answers a request that gets through, or in its place as a fault does, before or after it took effect.
func (g gate) answer(e routes.Endpoint, r routes.Request, m faults.Mishap, path string) *answer.Answer {
	switch {
	case m.Kind == faults.RateLimited && routes.IsLink(e.Route):
		return routes.TooManyOfLink(time.Second)
	case m.Kind == faults.RateLimited:
		return routes.TooMany(g.limit(), r.Time)
	}
	if early := m.Gateway(false); early != nil {
		return early
	}
	var a *answer.Answer
	if e.Route == "" {
		a = answer.Unrouted(path)
	} else {
		a = g.effect(e, r)
	}
	if late := m.Gateway(true); late != nil {
		return late
	}
	return a
}

// effect lets the request take effect.
func (g gate) effect(e routes.Endpoint, r routes.Request) *answer.Answer {
	g.server.hold()
	defer g.server.mu.Unlock()
	return e.Answer(g.server.model, g.limit(), r)
}

// book counts how the request ended.
func (g gate) book(r Request, status int, authorization string) {
	g.server.hold()
	defer g.server.mu.Unlock()
	g.server.stats.book(r, status, routes.KeyOf(g.server.model, authorization), routes.IsLink(r.Route))
}

// limit is what a key may send.
func (g gate) limit() model.Limit {
	limit := model.Limit{Rate: 10, Burst: 15, Off: g.server.NoLimit}
	if g.server.Rate > 0 {
		limit.Rate = g.server.Rate
	}
	if g.server.Burst > 0 {
		limit.Burst = float64(g.server.Burst)
	}
	return limit
}
