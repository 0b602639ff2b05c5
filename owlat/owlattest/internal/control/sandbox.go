package control

import (
	"io"
	"net/http"
	"strings"

	"owlatsync/owlat/owlattest/internal/connection"
)

const welcome = `This is an Owlat sandbox: an emulator of Owlat's REST API that keeps everything in memory.

  API          %BASE%/api/v1/contacts, /topics/{id}/contacts, /events, /transactional, /health
  Control API  /__sandbox/reset, /seed, /contacts, /stats, /faults and more

Nothing here sends mail.
`

// Sandbox returns a handler for an emulator: its control API below the prefix, a welcome page at / and the API, which stands
// below basePath, for everything else.
func Sandbox(api, control http.Handler, basePath func() string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		switch {
		case connection.Odd(r):
			api.ServeHTTP(w, r)
		case path == Prefix || strings.HasPrefix(path, Prefix+"/"):
			control.ServeHTTP(w, r)
		case path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, strings.ReplaceAll(welcome, "%BASE%", basePath()))
		default:
			api.ServeHTTP(w, r)
		}
	})
}
