package api

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/config"
)

// Parts is what an API is made of. Metrics, Page, Astray and Log may be nil.
type Parts struct {
	Directory Directory
	// Ready returns why the process cannot do its work, nil if it can.
	Ready func(context.Context) error
	Gate  *access.Gate
	// Metrics answers /metrics. It needs the role of a viewer who reaches all deployments.
	Metrics http.Handler
	// Page answers what is not the API's, on the listener for administration alone.
	Page http.Handler
	// Astray hears of webhooks that reach no deployment.
	Astray  func(Astray)
	Version string
	Log     *slog.Logger
}

// API is the HTTP API of a service. It is safe for concurrent use.
type API struct {
	parts   Parts
	log     *slog.Logger
	started time.Time
	streams places
	astray  astray

	lockOut atomic.Int64 // when the log last told that a client is locked out

	closing sync.Once
	closed  chan struct{}
}

// New returns an API.
func New(p Parts) *API {
	a := &API{parts: p, log: p.Log, started: time.Now(), streams: places{most: maxStreams}, closed: make(chan struct{})}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	return a
}

// Close ends all streams of events, those of the page too, so that a server can stop. It may be called again.
func (a *API) Close() {
	a.closing.Do(func() { close(a.closed) })
	if p, ok := a.parts.Page.(interface{ Close() }); ok {
		p.Close()
	}
}

// Handler returns the handler of the listener for administration: everything.
func (a *API) Handler() http.Handler {
	t := newTable("GET /api/v1/openapi.json lists the addresses", a.parts.Page)
	a.mountPublic(t)
	t.add(http.MethodGet, "/readyz", a.readyz)
	for _, r := range a.routes() {
		t.add(r.method, r.path, a.handle(r))
		if below, ok := strings.CutPrefix(r.path, root); ok && r.do != nil {
			t.add(r.method, root+"/deployments/{deployment}"+below, a.handle(r))
		}
	}
	if a.parts.Metrics != nil {
		t.add(http.MethodGet, "/metrics", a.handle(route{http.MethodGet, "/metrics", config.Viewer, nil, func(_ *API, c *call) error {
			if c.who.Deployment != "" {
				return oneAlone("the metrics are those of all deployments")
			}
			a.parts.Metrics.ServeHTTP(c.w, c.r)
			return nil
		}}))
	}
	return a.guard(t)
}

// Public returns the handler of the listener for everybody: the webhook route and the health alone.
func (a *API) Public() http.Handler {
	t := newTable("this listener takes Owlat's webhooks alone; the API is at serve.listen of the configuration", nil)
	a.mountPublic(t)
	return a.guard(t)
}

func (a *API) mountPublic(t table) {
	t.add(http.MethodGet, "/healthz", a.healthz)
	t.HandleFunc("/webhooks/owlat", a.webhooks)
	t.HandleFunc("/webhooks/owlat/{deployment}", a.webhooks)
}

// guard puts around a handler what holds for every answer: it is nobody's to keep or to show in a frame, and a defect of one request ends
// no other.
func (a *API) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v != http.ErrAbortHandler {
				a.log.Error("a request met a defect of the program", "method", r.Method, "defect", v, "stack", string(debug.Stack()))
			}
			panic(http.ErrAbortHandler) // the answer may have begun: only the end of the connection says that it is not whole
		}()
		next.ServeHTTP(w, r)
	})
}
