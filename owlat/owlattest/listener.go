package owlattest

import (
	"net"
	"net/http"
)

// requestTarget returns the request target as it stood on the request line, without a prefix that an http.StripPrefix
// removed.
func requestTarget(r *http.Request) string {
	if raw := r.Header.Get(rawTargetHeader); raw != "" {
		return raw
	}
	target := r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	return target
}

const rawTargetHeader = "X-Owlattest-Target"

type rawConn struct{ net.Conn }
