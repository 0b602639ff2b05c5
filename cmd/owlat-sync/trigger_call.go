package main

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

// serviceCaller calls the HTTP API of a service.
type serviceCaller struct {
	base   *url.URL
	token  string
	agent  string
	client *http.Client
}

const (
	callWithin = 30 * time.Second
	maxAnswer  = 16 << 20
)

// newServiceCaller returns a caller of the service at an address such as https://sync.example.com.
func newServiceCaller(address, token, agent string) (*serviceCaller, error) {
	base, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil || base.RawQuery != "" {
		return nil, problem.Usage(errors.New("the address of the service must be such as https://sync.example.com, without a user and a query"))
	}
	return &serviceCaller{base: base, token: token, agent: agent, client: &http.Client{
		Timeout:       callWithin,
		Transport:     http.DefaultTransport.(*http.Transport).Clone(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the token would travel
	}}, nil
}

// serviceURL returns where the service of a configuration is reached from this machine.
func serviceURL(s config.Service) string {
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

func (s *serviceCaller) close() { s.client.CloseIdleConnections() }

// serviceError is a service's refusal.
type serviceError struct {
	status  int
	message string
}

func (e *serviceError) Error() string { return "the service refuses: " + e.message }

func (s *serviceCaller) get(ctx context.Context, path []string, into any) error {
	return s.call(ctx, http.MethodGet, path, nil, into)
}

func (s *serviceCaller) post(ctx context.Context, path []string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return s.call(ctx, http.MethodPost, path, text, into)
}

// call makes one request, and reads its answer into a value.
func (s *serviceCaller) call(ctx context.Context, method string, path []string, body []byte, into any) error {
	escaped := make([]string, len(path))
	for i, p := range path {
		escaped[i] = url.PathEscape(p)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.base.String()+"/api/v1/"+strings.Join(escaped, "/"), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", s.agent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return s.unreached(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return s.unreached(ctx, err)
	}
	if res.StatusCode/100 != 2 {
		return s.refused(res.StatusCode, text)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("what answers at %s does not speak as a service of owlat-sync does", s.base)
	}
	return nil
}

func (s *serviceCaller) unreached(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return problem.Hint(fmt.Errorf("the service at %s is not reached: %w", s.base, err), "does \"owlat-sync serve\" run there? --url names another address")
}

// refused returns the error of an answer that is none of success. A service that cannot answer now may do so soon.
func (s *serviceCaller) refused(status int, text []byte) error {
	var body struct {
		Error struct{ Code, Message, Hint string }
	}
	if err := json.Unmarshal(text, &body); err != nil || body.Error.Message == "" {
		return fmt.Errorf("what answers at %s (HTTP %d) does not speak as a service of owlat-sync does", s.base, status)
	}
	if status >= http.StatusInternalServerError {
		return problem.Hint(fmt.Errorf("the service at %s cannot answer: %s", s.base, body.Error.Message), "%s", body.Error.Hint)
	}
	var err error = &serviceError{status, body.Error.Message}
	switch status {
	case http.StatusUnauthorized:
		return problem.Usage(problem.Hint(err, "set %s to a token of the service, or name a file with --token-file; \"owlat-sync token\" makes one", envServiceToken))
	case http.StatusForbidden:
		return problem.Usage(problem.Hint(err, "the token must be one of an operator"))
	}
	return exitcode.With(exitcode.Usage, problem.Hint(err, "%s", body.Error.Hint))
}
