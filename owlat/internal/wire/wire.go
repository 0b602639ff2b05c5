// Package wire has the rules of what is sent and received, whatever it means: how paths, headers and bodies are written and checked,
// and what headers of answers say. It sends nothing.
package wire

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
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Methods are those that a request may have.
var Methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// ownHeaders are the client's and the transport's alone.
var ownHeaders = []string{"Accept-Encoding", "Authorization", "Connection", "Content-Length", "Host", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// IsOwn reports whether a header is the client's or the transport's alone.
func IsOwn(name string) bool { return slices.Contains(ownHeaders, http.CanonicalHeaderKey(name)) }

// Foreign returns the header of somebody else's request without what is the client's and the transport's alone.
func Foreign(h http.Header) http.Header {
	h = h.Clone()
	for _, name := range ownHeaders {
		h.Del(name)
	}
	return h
}

// Escape percent-encodes every byte that is not unreserved. Owlat's router looks at the last segment only: a slash that
// stays a slash would make an address name another contact.
func Escape(b *strings.Builder, s string) {
	const hex = "0123456789ABCDEF"
	b.Grow(len(s))
	for i := range len(s) {
		c := s[i]
		if unreserved(c) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
}

func unreserved(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~':
		return true
	}
	return false
}

// Fill returns the path of a route with the values of its parts in braces, in their order. It refuses values that are empty, that are not
// text, and the two that servers resolve as steps in a path.
func Fill(route string, values ...string) (path string, err error) {
	var b strings.Builder
	rest := route
	for _, value := range values {
		before, after, _ := strings.Cut(rest, "{")
		what, next, _ := strings.Cut(after, "}")
		switch {
		case Blank(value):
			return "", fmt.Errorf("the %s id is empty", what)
		case value == "." || value == "..":
			return "", fmt.Errorf("the %s id cannot be a step in a path", what)
		case !utf8.ValidString(value):
			return "", fmt.Errorf("the %s id is not valid UTF-8", what)
		}
		b.WriteString(before)
		Escape(&b, value)
		rest = next
	}
	return b.String() + rest, nil
}

// Blank reports whether Owlat would take s for empty.
func Blank(s string) bool { return strings.TrimSpace(s) == "" }

// SplitPath splits an encoded path with its query. It fails unless every segment stays where it is.
func SplitPath(whole string) (path string, query url.Values, err error) {
	path, after, _ := strings.Cut(whole, "?")
	if query, err = url.ParseQuery(after); err != nil {
		return "", nil, errors.New("the query cannot be read") // the error of ParseQuery quotes it
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, func(c rune) bool { return c <= ' ' || c > '~' || c == '#' || c == '\\' }) {
		return "", nil, errors.New("the path does not begin with a slash, or is not percent-encoded")
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if plain, err := url.PathUnescape(segment); err != nil || plain == "" || plain == "." || plain == ".." {
			return "", nil, errors.New("the path has a segment that is empty, a step, or badly encoded")
		}
	}
	return path, query, nil
}

// RouteParts counts the parts of a route in braces. It reports whether the route has the form of one.
func RouteParts(route string) (parts int, ok bool) {
	rest, ok := strings.CutPrefix(route, "/")
	if !ok {
		return 0, false
	}
	for part := range strings.SplitSeq(rest, "/") {
		name, open := strings.CutPrefix(part, "{")
		name, closed := strings.CutSuffix(name, "}")
		if open {
			parts++
		}
		if open != closed || name == "" || name == "." || name == ".." || strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 || !unreserved(byte(r)) }) {
			return 0, false
		}
	}
	return parts, true
}

// Refusal is why a request with that method, route, number of values and header of its own cannot be sent; "" if nothing is wrong.
func Refusal(method, route string, values int, header http.Header) string {
	parts, ok := RouteParts(route)
	switch {
	case !slices.Contains(Methods, method):
		return "the method must be one of " + strings.Join(Methods, ", ")
	case !ok:
		return `the route must be such as "/contacts/{contact}": a slash before every part, each of letters, digits, "-", "_" and "." or a name in braces`
	case parts != values:
		return "the route has more or fewer parts in braces than there are values"
	}
	for name, values := range header {
		if !IsToken(name) || slices.ContainsFunc(values, func(v string) bool { return strings.ContainsFunc(v, IsControl) }) {
			return "a header has a malformed name, or a control character in its value"
		}
		if IsOwn(name) {
			return "the header " + http.CanonicalHeaderKey(name) + " cannot be set"
		}
	}
	return ""
}

// IsToken reports whether s can be the name of a header.
func IsToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r >= 0x80 || !unreserved(byte(r)) && !strings.ContainsRune("!#$%&'*+^`|", r)
	})
}

// IsControl reports whether no value of a header may hold r.
func IsControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// RequestID is what an answer calls its request, "" if it does not.
func RequestID(h http.Header) string {
	for _, name := range []string{"X-Request-Id", "Convex-Request-Id"} {
		if id := h.Get(name); id != "" {
			return id
		}
	}
	return ""
}

// Encode returns the JSON of a body, nil for none.
func Encode(body any) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return nil, fmt.Errorf("the request cannot be encoded: %w", err)
	}
	if hasReplacement(b.Bytes()) {
		return nil, errors.New("a text of the request is not valid UTF-8")
	}
	return b.Bytes(), nil
}

// hasReplacement finds the escape \ufffd, which encoding/json writes for a byte that is not UTF-8 and only for that: a
// U+FFFD of the text itself is written as it is.
func hasReplacement(b []byte) bool {
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(b[i:], []byte(`\ufffd`)) {
			return true
		}
		i++
	}
	return false
}

// NewRequest returns a request with the body, nil for none, and the header beside what is usual.
func NewRequest(ctx context.Context, method, target, userAgent string, body []byte, header http.Header) (*http.Request, error) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, reader)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range header {
		req.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	return req, nil
}

// AttachmentRefusal is why an attachment with that name, so many bytes of content and that URL cannot be sent; "" if nothing is wrong.
func AttachmentRefusal(name string, content int, from string) string {
	switch u, err := url.Parse(from); {
	case Blank(name):
		return "has no file name"
	case content == 0 && from == "":
		return "has neither content nor a URL"
	case content > 0 && from != "":
		return "has both content and a URL"
	case from != "" && (err != nil || u.Scheme != "https" || u.Hostname() == ""):
		return "has a URL that is not an https URL"
	}
	return ""
}

// Limit reads what an answer says of the budget of its key.
func Limit(h http.Header) (limit, remaining int, reset time.Time) {
	limit, _ = strconv.Atoi(h.Get("X-RateLimit-Limit"))
	remaining, _ = strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	if at, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil && at > 0 {
		reset = time.Unix(at, 0)
	}
	return limit, remaining, reset
}

// RetryAfter reads both forms of Retry-After, seconds and a date; 0 for anything else. A date is by the clock of whoever
// answered, which the answer's own Date shows.
func RetryAfter(h http.Header) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		if !(seconds > 0) {
			return 0
		}
		return time.Duration(min(seconds, 24*60*60) * float64(time.Second))
	}
	if at, err := http.ParseTime(value); err == nil {
		if date, err := http.ParseTime(h.Get("Date")); err == nil {
			return max(0, at.Sub(date))
		}
		return max(0, time.Until(at))
	}
	return 0
}

// Cause is why sending or reading failed: the context's error if it ended, timeout if the attempt's time did, and
// else err without the URL that net/http puts around it, which holds addresses.
func Cause(ctx context.Context, err, timeout error) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return timeout
	}
	var wrapped *url.Error
	for errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if text := err.Error(); HasToken(text) { // of another's making: unwrapping it must not show the token either
		return errors.New(Redact(text))
	}
	return err
}

// Drain reads the little that may be left of an answer and closes it, so that the connection can be used again.
func Drain(body io.ReadCloser) {
	defer func() { _ = body.Close() }()
	_, _ = io.CopyN(io.Discard, body, 4<<10)
}

var (
	addressLike = regexp.MustCompile(`[^\s"<>]*(?:@|%40)[^\s"<>]*`)
	keyLike     = regexp.MustCompile(`lm_live_[A-Za-z0-9]+`)
	tokenLike   = regexp.MustCompile(`[A-Za-z0-9_-]{10,}(?::|%(?:25)*3[Aa])[0-9]{10,}(?::|%(?:25)*3[Aa])[A-Za-z0-9_-]+`)
)

// Redact takes out whatever looks like an address, a key or the token of a link.
func Redact(s string) string {
	s = tokenLike.ReplaceAllString(s, "[token]")
	return keyLike.ReplaceAllString(addressLike.ReplaceAllString(s, "[address]"), "[key]")
}

// HasToken reports whether s holds what looks like the token of a link.
func HasToken(s string) bool { return tokenLike.MatchString(s) }
