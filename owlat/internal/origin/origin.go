// Package origin is where requests go: the base URL of a deployment, and an HTTP client that stays there.
package origin

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Parse reads a base URL and takes the slashes off its end. Its errors do not hold the URL.
func Parse(raw string) (*url.URL, error) {
	// The text of url.Parse's errors is left out: it quotes the URL, which may hold a password.
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("the base URL is malformed; it must look like https://example.convex.site")
	case u.User != nil:
		return nil, errors.New("the base URL must not contain credentials; hand in the API key on its own")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("the base URL must start with https:// or http://")
	case u.Hostname() == "":
		return nil, errors.New("the base URL names no host")
	case u.RawQuery != "" || u.ForceQuery:
		return nil, errors.New("the base URL must not have a query")
	case strings.Contains(raw, "#"):
		return nil, errors.New("the base URL must not have a fragment")
	}
	u.RawPath = strings.TrimRight(u.EscapedPath(), "/")
	u.Path = strings.TrimRight(u.Path, "/")
	if strings.HasSuffix(u.Path, "/api/v1") {
		return nil, errors.New("the base URL must end before /api/v1, which is added to it")
	}
	return u, nil
}

// ErrRedirect is matched by a [Redirect].
var ErrRedirect = errors.New("owlat: redirect refused")

// Redirect is one that is not followed.
type Redirect struct {
	Status int
	text   string
}

func (e *Redirect) Error() string { return ErrRedirect.Error() + ": " + e.text }

// Is matches [ErrRedirect].
func (e *Redirect) Is(target error) bool { return target == ErrRedirect }

// Client returns a copy of like, or a client of its own for nil, that sends through transport unless that is nil, keeps so many idle
// connections if it has no transport otherwise, and follows no redirect to another host or with another method.
func Client(like *http.Client, transport http.RoundTripper, idle int) *http.Client {
	hc := &http.Client{}
	if like != nil {
		*hc = *like
	}
	if transport != nil {
		hc.Transport = transport
	}
	if hc.Transport == nil {
		hc.Transport = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			ForceAttemptHTTP2:   true,
			MaxIdleConnsPerHost: idle,
			IdleConnTimeout:     90 * time.Second,
			TLSHandshakeTimeout: 10 * time.Second,
		}
	}
	theirs := hc.CheckRedirect
	hc.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		first := via[0]
		if req.URL.Scheme != first.URL.Scheme || req.URL.Host != first.URL.Host || req.Method != first.Method {
			text := fmt.Sprintf("the answer leads to %s://%s; if that is the deployment, make it the base URL", req.URL.Scheme, req.URL.Host)
			return &Redirect{Status: req.Response.StatusCode, text: text}
		}
		if theirs != nil {
			return theirs(req, via)
		}
		if len(via) >= 5 {
			return &Redirect{Status: req.Response.StatusCode, text: "more than 5 in a row"}
		}
		return nil
	}
	return hc
}

// Hosted reports whether the base URL is one of Owlat's hosted service, for which its host alone tells.
func Hosted(base *url.URL) bool {
	host := strings.TrimSuffix(strings.ToLower(base.Hostname()), ".")
	return host == "owlat.app" || strings.HasSuffix(host, ".owlat.app")
}

// Do sends the request and returns the head of its answer, or an error and whether the request may have reached the server.
func Do(hc *http.Client, r *http.Request) (resp *http.Response, sent bool, err error) {
	var asked, connected atomic.Bool
	trace := &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}
	resp, err = hc.Do(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	if err == nil {
		return resp, true, nil
	}
	// A transport that asked for a connection and got none has sent nothing. A redirect is an answer: 303 says that the
	// request was done, the others that it is to be made elsewhere.
	sent = connected.Load() || !asked.Load()
	if moved := (*Redirect)(nil); errors.As(err, &moved) {
		sent = moved.Status == http.StatusSeeOther
	}
	return nil, sent, err
}
