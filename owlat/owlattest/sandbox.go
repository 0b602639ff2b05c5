package owlattest

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

const controlPrefix = "/__sandbox"

const welcome = `This is an Owlat sandbox: an emulator of Owlat's REST API that keeps everything in memory.

  API          %BASE%/api/v1/contacts, /topics/{id}/contacts, /events, /transactional, /health
  Control API  /__sandbox/reset, /seed, /contacts, /stats, /faults and more

Nothing here sends mail.
`

// Sandbox returns a handler for the API, the control API under /__sandbox/ and a welcome page at /.
func (s *Server) Sandbox() http.Handler {
	control := s.Control()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, odd := r.URL.Path, r.Header.Get(rawTargetHeader) != ""
		switch {
		case odd:
			s.ServeHTTP(w, r)
		case path == controlPrefix || strings.HasPrefix(path, controlPrefix+"/"):
			control.ServeHTTP(w, r)
		case path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, strings.ReplaceAll(welcome, "%BASE%", s.basePath()))
		default:
			s.ServeHTTP(w, r)
		}
	})
}

// trusted refuses control requests that a web page of another site made the browser send: those with a foreign Origin,
// and, on a loopback address, those for a host that is no loopback name, which is how DNS rebinding looks.
func trusted(r *http.Request) string {
	host := strings.ToLower(r.Host)
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || strings.ToLower(u.Host) != host {
			return "requests from pages of other sites are refused"
		}
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local == nil || !loopback(local.String()) || loopback(host) {
		return ""
	}
	return "this sandbox listens on a loopback address and answers only to localhost and loopback addresses as the host"
}

// loopback reports whether a host, with or without a port, is localhost or a loopback address.
func loopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
