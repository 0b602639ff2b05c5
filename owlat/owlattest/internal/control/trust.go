package control

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// distrust says why a control request is refused, or nothing. Refused are those that a web page of another
// site made the browser send: those with a foreign Origin, and, on a loopback address, those for a host that is no loopback
// name, which is how DNS rebinding looks.
func distrust(r *http.Request) string {
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
