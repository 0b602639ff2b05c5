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
	w   http.ResponseWriter
	r   *http.Request
	who access.Principal
}

// sees reports whether the caller may see addresses.
func (c *call) sees() bool { return c.who.May(config.Operator) }

// route is one thing that the API can do.
type route struct {
	method, path string
	role         config.Role
	do           func(*call) error
}

// routes lists everything that the API can do.
func (a *API) routes() []route {
	v, o, m, f := views{a}, orders{views{a}}, mail{a}, streams{views{a}}
	return []route{
		{http.MethodGet, "/api/v1/status", config.Viewer, v.status},
		{http.MethodGet, "/api/v1/syncs", config.Viewer, v.syncs},
		{http.MethodGet, "/api/v1/syncs/{name}", config.Viewer, v.sync},
		{http.MethodGet, "/api/v1/syncs/{name}/runs", config.Viewer, v.runsOfSync},
		{http.MethodPost, "/api/v1/syncs/{name}/runs", config.Operator, o.trigger},
		{http.MethodGet, "/api/v1/runs", config.Viewer, v.runs},
		{http.MethodGet, "/api/v1/runs/{id}", config.Viewer, v.run},
		{http.MethodGet, "/api/v1/runs/{id}/events", config.Viewer, f.eventsOfRun},
		{http.MethodPost, "/api/v1/runs/{id}/approve", config.Operator, o.approve},
		{http.MethodPost, "/api/v1/runs/{id}/cancel", config.Operator, o.cancel},
		{http.MethodGet, "/api/v1/events", config.Viewer, f.events},
		{http.MethodGet, "/api/v1/feedback", config.Viewer, m.feedback},
		{http.MethodGet, "/api/v1/write-backs", config.Viewer, m.writeBacks},
		{http.MethodPost, "/api/v1/write-backs/retry", config.Operator, m.retry},
		{http.MethodGet, "/api/v1/openapi.json", config.Viewer, describe},
	}
}

// table is a mux that answers in JSON also where there is nothing, and where another method is taken.
type table struct {
	*http.ServeMux
	methods map[string][]string // by path
}

// newTable returns an empty table; hint says where to look instead of an address that is not there.
func newTable(hint string) table {
	t := table{http.NewServeMux(), make(map[string][]string)}
	t.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, &access.Refusal{Status: http.StatusNotFound, Code: codeRoute, Message: "there is nothing at this address", Hint: hint})
	})
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
		c := &call{w, req, who}
		if err == nil {
			err = r.do(c)
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
