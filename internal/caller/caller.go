// Package caller asks a service of owlat-sync through its HTTP API, for commands and programs that want a run and its end. It knows
// nothing of configurations beyond where a service is reached.
package caller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/problem"
)

// The environment variables for programs that ask a service.
const (
	EnvURL   = "OWLAT_SYNC_URL"
	EnvToken = "OWLAT_SYNC_TOKEN"
)

// Caller calls the HTTP API of a service. It is safe for concurrent use.
type Caller struct {
	base   *url.URL
	within string // what stands before the paths of a deployment's own routes
	token  string
	agent  string
	client *http.Client
}

const (
	callWithin = 30 * time.Second
	maxAnswer  = 16 << 20
)

// New returns a caller of the service at an address such as https://sync.example.com. Token may be empty; agent names the program. It connects to
// nothing.
func New(address, token, agent string) (*Caller, error) {
	base, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil || base.RawQuery != "" {
		return nil, problem.Usage(errors.New("the address of the service must be such as https://sync.example.com, without a user and a query"))
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, problem.Usage(fmt.Errorf("what %s or the file of --token-file holds is no token", EnvToken))
	}
	return &Caller{base: base, token: token, agent: agent, client: &http.Client{
		Timeout:       callWithin,
		Transport:     http.DefaultTransport.(*http.Transport).Clone(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the token would travel
	}}, nil
}

// In returns a caller for one of several deployments of the service. An empty name is the only one.
func (c *Caller) In(deployment string) *Caller {
	within := *c
	if within.within = ""; deployment != "" {
		within.within = "deployments/" + url.PathEscape(deployment) + "/"
	}
	return &within
}

// URL returns where the service of a configuration is reached from this machine.
func URL(s config.Service) string {
	if s.URL != "" {
		return s.URL
	}
	scheme := "http://"
	if s.TLS.Cert != "" {
		scheme = "https://"
	}
	host, port, err := net.SplitHostPort(s.Listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip.IsUnspecified()) {
		return scheme + net.JoinHostPort("localhost", port)
	}
	return scheme + s.Listen
}

// Close closes idle connections.
func (c *Caller) Close() { c.client.CloseIdleConnections() }

// RefusedError says that the service refuses what it was asked for.
type RefusedError struct {
	Status  int // of HTTP
	Message string
}

func (e *RefusedError) Error() string { return "the service refuses: " + e.Message }

func (c *Caller) get(ctx context.Context, path []string, into any) error {
	return c.call(ctx, http.MethodGet, path, nil, into)
}

func (c *Caller) post(ctx context.Context, path []string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.call(ctx, http.MethodPost, path, text, into)
}

// call makes one request, and reads its answer into a value.
func (c *Caller) call(ctx context.Context, method string, path []string, body []byte, into any) error {
	escaped := make([]string, len(path))
	for i, p := range path {
		escaped[i] = url.PathEscape(p)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base.String()+"/api/v1/"+c.within+strings.Join(escaped, "/"), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", c.agent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.client.Do(req)
	if err != nil {
		return c.unreached(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return c.unreached(ctx, err)
	}
	if res.StatusCode/100 != 2 {
		return c.refused(res.StatusCode, text)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", c.base, errForeign)
	}
	return nil
}

func (c *Caller) unreached(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return problem.Hint(fmt.Errorf("the service at %s is not reached: %w", c.base, err), "does \"owlat-sync serve\" run there? --url names another address")
}

// refused returns the error of an answer that is none of success. A service that cannot answer now may do so soon.
func (c *Caller) refused(status int, text []byte) error {
	var body struct {
		Error struct{ Code, Message, Hint string }
	}
	if err := json.Unmarshal(text, &body); err != nil || body.Error.Message == "" {
		return fmt.Errorf("%s, HTTP %d: %w", c.base, status, errForeign)
	}
	if status >= http.StatusInternalServerError {
		return problem.Hint(fmt.Errorf("the service at %s cannot answer: %s", c.base, body.Error.Message), "%s", body.Error.Hint)
	}
	var err error = &RefusedError{status, body.Error.Message}
	switch status {
	case http.StatusUnauthorized:
		return problem.Usage(problem.Hint(err, "set %s to a token of the service, or name a file with --token-file; \"owlat-sync token\" makes one", EnvToken))
	case http.StatusForbidden:
		return problem.Usage(problem.Hint(err, "the token must be one of an operator"))
	}
	return exitcode.With(exitcode.Usage, problem.Hint(err, "%s", body.Error.Hint))
}
