// Package control is the form of the control API: JSON in, JSON out, refusals in Owlat's envelope, and only for programs of the
// same machine or page. It knows no path of its own but the prefix; what each path does is handed in.
package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"owlatsync/owlat/owlattest/internal/answer"
)

// Prefix begins every path of the control API.
const Prefix = "/__sandbox"

// maxBody is the most a control request may send.
const maxBody = 1 << 20

// refusal is an error with its category.
type refusal struct {
	category answer.Category
	message  string
}

func (e *refusal) Error() string { return e.message }

// Refuse returns an error that the API answers with that category and its status.
func Refuse(c answer.Category, format string, args ...any) error {
	return &refusal{c, fmt.Sprintf(format, args...)}
}

// BadRequest returns an error that the API answers with 400.
func BadRequest(format string, args ...any) error {
	return Refuse(answer.InvalidInput, format, args...)
}

// API is a control API. Paths are given below the prefix, such as "/reset".
type API struct{ mux *http.ServeMux }

// New returns an API without paths.
func New() *API { return &API{mux: http.NewServeMux()} }

// Post adds a path that takes a JSON object with the fields of In and no others; an empty body is an empty object. What run
// returns is the answer; nil is an empty object.
func Post[In any](a *API, path string, run func(In) (any, error)) {
	a.handle(http.MethodPost, path, func(r *http.Request) (any, error) {
		var in In
		if err := decode(r, &in); err != nil {
			return nil, err
		}
		return run(in)
	})
}

// Get adds a path that takes the query parameters named and no others.
func (a *API) Get(path string, names []string, run func(q Query) (any, error)) {
	a.handle(http.MethodGet, path, func(r *http.Request) (any, error) {
		q := Query(r.URL.Query())
		for name := range q {
			if !slices.Contains(names, name) {
				return nil, BadRequest("unknown query parameter %q", name)
			}
		}
		return run(q)
	})
}

// Delete adds a path that takes nothing and cannot fail.
func (a *API) Delete(path string, run func()) {
	a.handle(http.MethodDelete, path, func(*http.Request) (any, error) {
		run()
		return nil, nil
	})
}

func (a *API) handle(method, path string, run func(r *http.Request) (any, error)) {
	a.mux.HandleFunc(method+" "+Prefix+path, func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		out, err := run(r)
		write(w, out, err)
	})
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if why := distrust(r); why != "" {
		write(w, nil, Refuse(answer.Forbidden, "%s", why))
		return
	}
	if _, pattern := a.mux.Handler(r); pattern == "" {
		write(w, nil, Refuse(answer.NotFound, "the control API has no %s %s; see the documentation of the sandbox", r.Method, r.URL.Path))
		return
	}
	a.mux.ServeHTTP(w, r)
}

func write(w http.ResponseWriter, out any, err error) {
	w.Header().Set("Content-Type", "application/json")
	status := http.StatusOK
	switch {
	case err != nil:
		refused := &refusal{answer.Internal, err.Error()}
		_ = errors.As(err, &refused)
		status = refused.category.Status()
		out = map[string]any{"error": map[string]any{"category": refused.category, "message": refused.message}}
	case out == nil:
		out = struct{}{}
	}
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(out) // a failed write means that the client is gone
}

// decode reads a JSON object into v and refuses fields that v does not have. An empty body is an empty object.
func decode(r *http.Request, v any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(v)
	if errors.Is(err, io.EOF) {
		return nil
	}
	var tooLarge *http.MaxBytesError
	if err == nil {
		if _, end := decoder.Token(); end == nil || !errors.Is(end, io.EOF) {
			return BadRequest("the body must be one JSON object and nothing after it")
		}
		return nil
	}
	if errors.As(err, &tooLarge) {
		return BadRequest("the body is larger than %d bytes", tooLarge.Limit)
	}
	return BadRequest("the body is not what %s takes: %s", r.URL.Path, strings.TrimPrefix(err.Error(), "json: "))
}

// Query is the query of a request.
type Query map[string][]string

// Has reports whether the query has the parameter.
func (q Query) Has(name string) bool { return len(q[name]) > 0 }

// Get returns the first value of the parameter, or nothing.
func (q Query) Get(name string) string {
	if q.Has(name) {
		return q[name][0]
	}
	return ""
}
