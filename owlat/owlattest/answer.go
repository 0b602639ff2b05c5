package owlattest

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"owlatsync"
)

// category is the error category of an answer; it decides the status.
type category string

const (
	invalidInput    category = "invalid_input"
	unauthenticated category = "unauthenticated"
	forbidden       category = "forbidden"
	notFound        category = "not_found"
	alreadyExists   category = "already_exists"
	invalidState    category = "invalid_state"
	rateLimited     category = "rate_limited"
	internal        category = "internal"
)

func (c category) status() int {
	switch c {
	case unauthenticated:
		return http.StatusUnauthorized
	case forbidden:
		return http.StatusForbidden
	case notFound:
		return http.StatusNotFound
	case alreadyExists:
		return http.StatusConflict
	case invalidState:
		return http.StatusUnprocessableEntity
	case rateLimited:
		return http.StatusTooManyRequests
	case internal:
		return http.StatusInternalServerError
	default:
		return http.StatusBadRequest
	}
}

// answer is what the emulator says to one request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a *answer) set(name, value string) {
	if a.header == nil {
		a.header = make(http.Header, 8)
	}
	a.header[name] = []string{value}
}

func jsonAnswer(status int, body []byte) *answer {
	a := &answer{status: status, body: body}
	a.set("Content-Type", "application/json")
	return a
}

func textAnswer(status int, body string) *answer {
	a := &answer{status: status, body: []byte(body)}
	a.set("Content-Type", "text/plain; charset=utf-8")
	return a
}

func fail(c category, message string) *answer { return failWith(c, message, "") }

// failWith adds a reason to the error's data.
func failWith(c category, message, reason string) *answer {
	b := append(make([]byte, 0, 128), `{"error":{"category":`...)
	b = appendText(b, string(c))
	b = append(b, `,"message":`...)
	b = appendText(b, message)
	if reason != "" {
		b = append(b, `,"data":{"reason":`...)
		b = append(appendText(b, reason), '}')
	}
	return jsonAnswer(c.status(), append(b, "}}"...))
}

func crash() *answer { return fail(internal, "Internal server error") }

func unrouted(path string) *answer {
	return textAnswer(http.StatusNotFound, "No HttpAction routed for "+path)
}

// limits sets the rate-limit headers of an authenticated answer. Remaining tells nothing of the bucket, as in Owlat.
func (s *Server) limits(a *answer, now time.Time) {
	limit := int(math.Ceil(s.rate()))
	remaining := max(0, limit-1)
	if a.status == http.StatusTooManyRequests {
		remaining = 0
		a.set("Retry-After", "1")
	}
	a.set("X-Ratelimit-Limit", strconv.Itoa(limit))
	a.set("X-Ratelimit-Remaining", strconv.Itoa(remaining))
	a.set("X-Ratelimit-Reset", strconv.FormatInt(int64(math.Ceil(float64(now.UnixMilli()+1000)/1000)), 10))
}

const isoMillis = "2006-01-02T15:04:05.000Z"

func appendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, isoMillis)
	return append(b, '"')
}

// appendContact appends the contact as the API shows it.
func appendContact(b []byte, c *contact) []byte {
	b = append(b, `{"id":`...)
	b = appendText(b, c.id)
	if c.email != "" {
		b = append(b, `,"email":`...)
		b = appendText(b, c.email)
	}
	b = append(b, `,"firstName":`...)
	b = appendName(b, c.firstName)
	b = append(b, `,"lastName":`...)
	b = appendName(b, c.lastName)
	b = append(b, `,"source":`...)
	b = appendText(b, c.source)
	b = append(b, `,"createdAt":`...)
	b = appendTime(b, c.created)
	b = append(b, `,"updatedAt":`...)
	b = appendTime(b, c.updated)
	return append(b, '}')
}

func appendName(b []byte, name *string) []byte {
	if name == nil {
		return append(b, "null"...)
	}
	return appendText(b, *name)
}

func contactAnswer(status int, c *contact) *answer {
	b := append(make([]byte, 0, 256), `{"data":`...)
	return jsonAnswer(status, append(appendContact(b, c), '}'))
}

func lower(address string) string { return owlatsync.LowerAddress(address) }
