package api

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/config"
)

// call is one request to the API.
type call struct {
	w    http.ResponseWriter
	r    *http.Request
	who  access.Principal
	base string // of the addresses of its deployment
}

// sees reports whether the caller may see addresses.
func (c *call) sees() bool { return c.who.May(config.Operator) }

// root is below which everything is.
const root = "/api/v1"

// route is one thing that the API can do, for one deployment or for the whole service.
type route struct {
	method, path string
	role         config.Role
	do           func(views, *call) error // of a deployment; nil: it is of the service
	whole        func(*API, *call) error
}

// routes lists everything that the API can do. What is of a deployment has an address with its name, too.
func (a *API) routes() []route {
	ask := func(do func(orders, *call) error) func(views, *call) error {
		return func(v views, c *call) error { return do(orders{v}, c) }
	}
	post := func(do func(mail, *call) error) func(views, *call) error {
		return func(v views, c *call) error { return do(mail{v}, c) }
	}
	follow := func(do func(streams, *call) error) func(views, *call) error {
		return func(v views, c *call) error { return do(streams{v}, c) }
	}
	return []route{
		{http.MethodGet, root + "/deployments", config.Viewer, nil, deployments},
		{http.MethodGet, root + "/status", config.Viewer, views.status, nil},
		{http.MethodGet, root + "/syncs", config.Viewer, views.syncs, nil},
		{http.MethodGet, root + "/syncs/{name}", config.Viewer, views.sync, nil},
		{http.MethodGet, root + "/syncs/{name}/runs", config.Viewer, views.runsOfSync, nil},
		{http.MethodPost, root + "/syncs/{name}/runs", config.Operator, ask(orders.trigger), nil},
		{http.MethodGet, root + "/runs", config.Viewer, views.runs, nil},
		{http.MethodGet, root + "/runs/{id}", config.Viewer, views.run, nil},
		{http.MethodGet, root + "/runs/{id}/events", config.Viewer, follow(streams.eventsOfRun), nil},
		{http.MethodPost, root + "/runs/{id}/approve", config.Operator, ask(orders.approve), nil},
		{http.MethodPost, root + "/runs/{id}/dismiss", config.Operator, ask(orders.dismiss), nil},
		{http.MethodPost, root + "/runs/{id}/cancel", config.Operator, ask(orders.cancel), nil},
		{http.MethodGet, root + "/events", config.Viewer, follow(streams.events), nil},
		{http.MethodGet, root + "/feedback", config.Viewer, post(mail.feedback), nil},
		{http.MethodGet, root + "/write-backs", config.Viewer, post(mail.writeBacks), nil},
		{http.MethodPost, root + "/write-backs/retry", config.Operator, post(mail.retry), nil},
		{http.MethodGet, root + "/audit", config.Operator, views.audit, nil},
		{http.MethodGet, root + "/openapi.json", config.Viewer, nil, describe},
	}
}

// table is a mux that answers in JSON also where there is nothing, and where another method is taken.
type table struct {
	*http.ServeMux
	methods map[string][]string // by path
}

// newTable returns an empty table; hint says where to look instead of an address that is not there. What programs have no business with
// goes to the page, unless that is nil.
func newTable(hint string, page http.Handler) table {
	t := table{http.NewServeMux(), make(map[string][]string)}
	nothing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, &access.Refusal{Status: http.StatusNotFound, Code: codeRoute, Message: "there is nothing at this address", Hint: hint})
	})
	if page == nil {
		page = nothing
	}
	t.Handle("/", page)
	t.Handle("/api/", nothing)
	t.Handle("/webhooks/", nothing)
	return t
}

// add adds a handler of one method; that of GET answers HEAD, too.
func (t table) add(method, path string, h http.HandlerFunc) {
	t.HandleFunc(method+" "+path, h)
	known, others := t.methods[path]
	if known = append(known, method); method == http.MethodGet {
		known = append(known, http.MethodHead)
	}
	if t.methods[path] = known; others {
		return
	}
	t.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
		all := strings.Join(t.methods[path], ", ")
		w.Header().Set("Allow", all)
		refuse(w, &access.Refusal{Status: http.StatusMethodNotAllowed, Code: codeMethod, Message: "this address does not take the method", Hint: "it takes " + all})
	})
}

// handle lets in who has the role.
func (a *API) handle(r route) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		who, err := a.parts.Gate.Require(req, r.role)
		c := &call{w, req, who, root}
		if err == nil {
			err = a.serve(r, c)
		}
		if err == nil {
			return
		}
		if req.Context().Err() != nil { // the client has left
			return
		}
		a.log.Log(req.Context(), a.levelOf(req, refuse(w, err)), "a request was refused", "method", req.Method, "path", r.path,
			"client", a.parts.Gate.Client(req).String(), "token", who.Name, "error", err)
	}
}

// serve does what a route can do, for the deployment that the request is about.
func (a *API) serve(r route, c *call) error {
	if r.do == nil {
		return r.whole(a, c)
	}
	d, err := a.find(c)
	if err != nil {
		return err
	}
	return r.do(views{a, d}, c)
}

// lockOutsTold is how often the log tells at most that clients are locked out.
const lockOutsTold = time.Minute

// levelOf says how grave a refusal is for who runs the service. What anybody can cause without limit is only for debugging, but for the
// first lock-out in a while.
func (a *API) levelOf(req *http.Request, r *access.Refusal) slog.Level {
	switch {
	case r.Status == http.StatusInternalServerError:
		return slog.LevelError
	case r.Code == access.CodeRole, r.Code == access.CodeToken && req.Header.Get("Authorization") != "":
		return slog.LevelWarn
	case r.Code == access.CodeFailures:
		now, told := time.Now().UnixNano(), a.lockOut.Load()
		if now-told >= int64(lockOutsTold) && a.lockOut.CompareAndSwap(told, now) {
			return slog.LevelWarn
		}
	}
	return slog.LevelDebug
}
