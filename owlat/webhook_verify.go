package owlat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"owlatsync/owlat/internal/signature"
	"owlatsync/owlat/internal/wire"
)

const (
	// DefaultWebhookTolerance is how far the time of a delivery may be from now, in both directions.
	DefaultWebhookTolerance = 5 * time.Minute
	// MaxWebhookBytes is how long the body of a delivery may be. A person who leaves 300 topics makes one of 84 KB.
	MaxWebhookBytes = 1 << 20
)

const (
	headerSignature = "X-Signature"
	headerTimestamp = "X-Timestamp"
	headerWebhookID = "X-Webhook-Id"
)

var (
	// ErrWebhookSignature means that the body was not signed with one of the secrets, or not by Owlat. Answer 401.
	ErrWebhookSignature = errors.New("owlat: the webhook's signature does not match")
	// ErrWebhookTime means that the delivery has no time, or one too far from now: a replay, or a wrong clock. Answer 401.
	ErrWebhookTime = errors.New("owlat: the webhook's time is missing or too far from now")
	// ErrWebhookPayload means that the body is signed and not what Owlat documents. Answer 400.
	ErrWebhookPayload = errors.New("owlat: the webhook's body is not readable")
	// ErrWebhookSize means that the body is longer than MaxWebhookBytes. Answer 413.
	ErrWebhookSize = fmt.Errorf("owlat: the webhook's body is longer than %d bytes", MaxWebhookBytes)
)

// WebhookOption changes how webhooks are verified and handled.
type WebhookOption func(*webhookConfig) error

type webhookConfig struct {
	secrets   []string
	tolerance time.Duration
	now       func() time.Time
	logger    *slog.Logger
}

// WithWebhookTolerance sets how far the time of a delivery may be from now, in both directions; 0 turns the check off.
func WithWebhookTolerance(d time.Duration) WebhookOption {
	return func(c *webhookConfig) (err error) {
		if c.tolerance = d; d < 0 {
			err = fmt.Errorf("the tolerance %v is negative", d)
		}
		return err
	}
}

// WithWebhookClock has the time of deliveries compared with another clock than this machine's, such as one that several machines share.
func WithWebhookClock(now func() time.Time) WebhookOption {
	return func(c *webhookConfig) error { c.now = now; return nil }
}

// WithWebhookLogger makes a [WebhookHandler] log what it does not accept at level warn: the status and the error, nothing of the
// body. Without it the handler logs nothing; the other functions never do.
func WithWebhookLogger(l *slog.Logger) WebhookOption {
	return func(c *webhookConfig) (err error) {
		if c.logger = l; l == nil {
			err = errors.New("the logger is nil")
		}
		return err
	}
}

func newWebhookConfig(secrets []string, opts []WebhookOption) (*webhookConfig, error) {
	cfg := &webhookConfig{secrets: secrets, tolerance: DefaultWebhookTolerance, now: time.Now}
	if len(secrets) == 0 {
		return nil, errors.New("owlat: there is no webhook secret")
	}
	for i, secret := range secrets {
		if secret == "" { // whoever knows that could sign with it
			return nil, fmt.Errorf("owlat: webhook secret %d is empty", i+1)
		}
	}
	for i, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("owlat: webhook option %d is nil; leave out what is not to be set", i+1)
		}
		if err := opt(cfg); err != nil {
			return nil, fmt.Errorf("owlat: %w", err)
		}
	}
	return cfg, nil
}

// VerifyWebhook checks the signature and the age of a delivery and returns its event. secrets are those of the webhook
// ("whsec_…"): one, or while it is being replaced the old and the new one. header and body are the request's, the body
// exactly as it came; limit its size before reading it. It fails with [ErrWebhookSignature], [ErrWebhookTime] or
// [ErrWebhookPayload], which hold nothing of the body. It also fails without a secret, for an empty one and for a bad option.
//
// The time of a delivery is not signed. Its check keeps out late repetitions by honest senders, not somebody who has seen a
// delivery and sends it again with another time: handle events so that a repetition does no harm.
func VerifyWebhook(secrets []string, header http.Header, body []byte, opts ...WebhookOption) (*WebhookEvent, error) {
	cfg, err := newWebhookConfig(secrets, opts)
	if err != nil {
		return nil, err
	}
	return cfg.verify(header, body)
}

// VerifyWebhookRequest reads the body of a delivery, at most [MaxWebhookBytes] of it, and does what [VerifyWebhook] does. It
// fails also with [ErrWebhookSize], and with the error of reading. It does not look at the method and closes nothing.
func VerifyWebhookRequest(secrets []string, r *http.Request, opts ...WebhookOption) (*WebhookEvent, error) {
	cfg, err := newWebhookConfig(secrets, opts)
	if err != nil {
		return nil, err
	}
	return cfg.verifyRequest(r)
}

// WebhookHandler returns a handler of the deliveries of a webhook, each of which it verifies as [VerifyWebhookRequest] does and
// hands to handle, with the request's context. It answers 204 when handle returns nil and 500 when it fails, so that Owlat
// delivers again: after a minute and after five more. Owlat waits 30 s for the answer.
//
// It answers 405 to another method than POST, 413 to a body that is too long, 401 to a wrong signature or time and 400 to a body that cannot be
// read; handle does not see those. Several goroutines may call it at once. WebhookHandler fails as VerifyWebhook does, and for a nil handle.
//
// The server it stands on should have a ReadTimeout: the handler does not limit how slowly a body may come.
func WebhookHandler(secrets []string, handle func(context.Context, *WebhookEvent) error, opts ...WebhookOption) (http.Handler, error) {
	cfg, err := newWebhookConfig(append([]string(nil), secrets...), opts)
	switch {
	case err != nil:
		return nil, err
	case handle == nil:
		return nil, errors.New("owlat: the function that handles webhooks is nil")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := http.StatusMethodNotAllowed, errors.New("owlat: a webhook comes by POST")
		if r.Method == http.MethodPost {
			status, err = cfg.receive(r, handle)
		} else {
			w.Header().Set("Allow", http.MethodPost)
		}
		if err != nil && cfg.logger != nil {
			cfg.logger.LogAttrs(r.Context(), slog.LevelWarn, "owlat webhook not accepted", slog.Int("status", status), slog.String("error", wire.Redact(err.Error())))
		}
		w.WriteHeader(status)
	}), nil
}

// receive handles a delivery and returns how to answer it.
func (c *webhookConfig) receive(r *http.Request, handle func(context.Context, *WebhookEvent) error) (int, error) {
	event, err := c.verifyRequest(r)
	switch {
	case err == nil:
		if err = handle(r.Context(), event); err != nil {
			return http.StatusInternalServerError, err
		}
		return http.StatusNoContent, nil
	case errors.Is(err, ErrWebhookSignature), errors.Is(err, ErrWebhookTime):
		return http.StatusUnauthorized, err
	case errors.Is(err, ErrWebhookSize):
		return http.StatusRequestEntityTooLarge, err
	}
	return http.StatusBadRequest, err
}

func (c *webhookConfig) verifyRequest(r *http.Request) (*WebhookEvent, error) {
	switch {
	case r == nil:
		return nil, errors.New("owlat: the request is nil")
	case r.ContentLength > MaxWebhookBytes:
		return nil, ErrWebhookSize
	case len(r.Header.Get(headerSignature)) != signature.Length: // before anything is read
		return nil, ErrWebhookSignature
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, MaxWebhookBytes+1)); err != nil {
			return nil, fmt.Errorf("owlat: read the webhook's body: %w", err)
		}
	}
	if len(body) > MaxWebhookBytes {
		return nil, ErrWebhookSize
	}
	return c.verify(r.Header, body)
}

func (c *webhookConfig) verify(header http.Header, body []byte) (*WebhookEvent, error) {
	if !signature.ByOne(c.secrets, header.Get(headerSignature), body) {
		return nil, ErrWebhookSignature
	}
	event := &WebhookEvent{WebhookID: header.Get(headerWebhookID)}
	seconds, err := strconv.ParseInt(header.Get(headerTimestamp), 10, 64)
	if err == nil {
		event.SentAt = time.Unix(seconds, 0)
	}
	if c.tolerance > 0 && (err != nil || c.now().Sub(event.SentAt).Abs() > c.tolerance) {
		return nil, ErrWebhookTime
	}
	if err := event.read(body); err != nil {
		return nil, err
	}
	return event, nil
}

// SignWebhook returns the headers of a delivery of the body as Owlat sends it: X-Signature, X-Timestamp and X-Webhook-Id. It is
// for the tests of receivers; the emulator in package owlattest delivers whole webhooks.
func SignWebhook(secret, webhookID string, sent time.Time, body []byte) http.Header {
	h := make(http.Header, 3)
	h.Set(headerSignature, signature.Of(secret, body))
	h.Set(headerTimestamp, strconv.FormatInt(sent.Unix(), 10))
	h.Set(headerWebhookID, webhookID)
	return h
}
