package writeback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"owlatsync/internal/hooksign"
)

const (
	// hookTimeout is how long an answer may take.
	hookTimeout = 15 * time.Second
	// hookParallel is how many requests are under way at once.
	hookParallel = 8
	// hookDrained is how much of an answer is read, so that its connection can be used again.
	hookDrained = 4 << 10
)

// Webhook posts each notice as JSON to a URL, signed as Standard Webhooks (standardwebhooks.com) says. It follows no redirects.
type Webhook struct {
	name, url string
	key       []byte // nil: not signed
	agent     string
	client    *http.Client
}

// NewWebhook returns the target that posts to the URL. The secret signs; with an empty one nothing is signed. What follows "whsec_" is
// decoded if it is base64, and any other secret is taken as it is. Agent is the User-Agent. A nil transport means a usual one.
func NewWebhook(name, to, secret, agent string, transport http.RoundTripper) (*Webhook, error) {
	u, err := url.Parse(to)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the webhook's URL is none that begins with https:// or http:// and names a host")
	}
	if transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.MaxConnsPerHost, own.MaxIdleConnsPerHost = hookParallel, hookParallel
		own.IdleConnTimeout = time.Minute
		transport = own
	}
	w := &Webhook{name: name, url: to, key: hooksign.Key(secret), agent: agent, client: &http.Client{
		Transport: transport, Timeout: hookTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	return w, nil
}

// Name implements [Target].
func (w *Webhook) Name() string { return w.name }

// Sync implements [Target].
func (w *Webhook) Sync() string { return "" }

// Writes implements Target.
func (w *Webhook) Writes() bool { return false }

// Check does nothing: a webhook cannot be asked without being told.
func (w *Webhook) Check(context.Context) error { return nil }

// Close closes idle connections.
func (w *Webhook) Close() error {
	w.client.CloseIdleConnections()
	return nil
}

// Deliver posts the notices, several at once.
func (w *Webhook) Deliver(ctx context.Context, notices []Notice) []Result {
	results := make([]Result, len(notices))
	free := make(chan struct{}, hookParallel)
	var posts sync.WaitGroup
	var mu sync.Mutex
	var downs error // why no more are begun
	for i, n := range notices {
		free <- struct{}{}
		mu.Lock()
		stop := downs
		mu.Unlock()
		if stop != nil {
			results[i].Err = stop
			<-free
			continue
		}
		posts.Go(func() {
			defer func() { <-free }()
			err := w.post(ctx, n)
			results[i].Err = err
			if IsDown(err) {
				mu.Lock()
				downs = err
				mu.Unlock()
			}
		})
	}
	posts.Wait()
	return results
}

func (w *Webhook) post(ctx context.Context, n Notice) error {
	message := body(n)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(message))
	if err != nil {
		return down(errors.New("post feedback to the webhook: its URL cannot be used"))
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", w.agent)
	hooksign.Seal(r.Header, w.key, "delivery_"+strconv.FormatInt(n.ID, 10), n.Told, message)
	answer, err := w.client.Do(r)
	if err != nil {
		if bare, ok := errors.AsType[*url.Error](err); ok { // it repeats the URL, which may hold a token
			err = bare.Err
		}
		return down(fmt.Errorf("post feedback to the webhook at %s: %s", r.URL.Host, scrub(err.Error(), n)))
	}
	_, _ = io.CopyN(io.Discard, answer.Body, hookDrained)
	_ = answer.Body.Close()
	return answered(r.URL.Host, answer.StatusCode)
}

// answered says what an answer's status means.
func answered(host string, status int) error {
	err := fmt.Errorf("post feedback to the webhook at %s: it answered %d %s", host, status, http.StatusText(status))
	switch {
	case status >= 200 && status < 300:
		return nil
	case status >= 300 && status < 400:
		return down(fmt.Errorf("%w; redirects are not followed: give the URL that it leads to", err))
	}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return down(err) // it says so whoever the notice is about
	}
	return err
}
