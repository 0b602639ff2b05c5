package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"owlatsync/internal/hooksign"
)

const (
	// sendWithin is how long a channel may take.
	sendWithin = 15 * time.Second
	// drained is how much of an answer is read, so that its connection can be used again.
	drained = 4 << 10
)

// ErrUnsure says that a message may have arrived although its channel did not say so.
var ErrUnsure = errors.New("it is not known whether the message arrived")

// post sends each message as JSON to a URL, which is a secret: who knows it can post there.
type post struct {
	what   string // for errors: "Slack"
	url    string
	header http.Header
	sign   []byte // key of the signature; nil: not signed
	body   func(Message) any
	client *http.Client
	agent  string
	now    func() time.Time
}

func newClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: transport, Timeout: sendWithin,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Send posts the message.
func (p *post) Send(ctx context.Context, m Message) error {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(p.body(m)); err != nil {
		return fmt.Errorf("send an alert to %s: %w", p.what, err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, &body)
	if err != nil {
		return fmt.Errorf("send an alert to %s: its URL cannot be used", p.what)
	}
	for name, values := range p.header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", p.agent)
	if p.sign != nil {
		id := m.ID
		if m.Over {
			id += "-over"
		}
		hooksign.Seal(r.Header, p.sign, id, p.now(), body.Bytes())
	}
	answer, err := p.client.Do(r)
	if err != nil {
		if bare, ok := errors.AsType[*url.Error](err); ok { // it repeats the URL
			err = bare.Err
		}
		return fmt.Errorf("send an alert to %s at %s: %s", p.what, r.URL.Hostname(), scrub(err.Error()))
	}
	said, _ := io.ReadAll(io.LimitReader(answer.Body, drained))
	_ = answer.Body.Close()
	return p.answered(r.URL.Hostname(), answer, said)
}

// answered says what an answer means.
func (p *post) answered(host string, answer *http.Response, said []byte) error {
	status := answer.StatusCode
	err := fmt.Errorf("send an alert to %s at %s: it answered %d %s", p.what, host, status, http.StatusText(status))
	switch {
	case status >= 200 && status < 300:
		return nil
	case status >= 300 && status < 400:
		return fmt.Errorf("%w; redirects are not followed: set the URL that it leads to", err)
	case status == http.StatusTooManyRequests:
		if seconds, bad := strconv.ParseFloat(answer.Header.Get("Retry-After"), 64); bad == nil && seconds > 0 {
			return &waitError{err, time.Duration(min(seconds, 3600) * float64(time.Second))}
		}
		return err
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound, status == http.StatusGone:
		return fmt.Errorf("%w: is its URL or token still right?", err)
	}
	if text := scrub(string(said)); text != "" {
		return fmt.Errorf("%w: %s", err, text)
	}
	return err
}

// waitError says how long to wait before the next try.
type waitError struct {
	error
	wait time.Duration
}

func (e *waitError) Unwrap() error { return e.error }

var (
	// addressForm is whatever may be an address of a person.
	addressForm = regexp.MustCompile(`[^\s"'<>()=,;:]+@[^\s"'<>()=,;:]+`)
	// urlForm is whatever may be a URL, whose path or query may be a secret.
	urlForm = regexp.MustCompile(`(https?://)[^\s"'<>]+`)
)

// mostSaid is how many bytes of a foreign error are kept.
const mostSaid = 300

// scrub makes a foreign text one line without addresses and URLs.
func scrub(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "�")), " ")
	text = addressForm.ReplaceAllString(urlForm.ReplaceAllString(text, "$1…"), "…")
	return cut(text, mostSaid)
}

// cut shortens a text to so many bytes, with a mark at its end.
func cut(text string, most int) string {
	const mark = "…"
	if len(text) <= most {
		return text
	}
	end := max(0, most-len(mark))
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}
