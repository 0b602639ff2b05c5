// Package answer is the form of what Owlat says: status, headers and the JSON envelope of its errors.
package answer

import (
	"net/http"

	"owlatsync/owlat/owlattest/internal/js"
)

// Category is the error category of an answer; it decides the status.
type Category string

// The categories that the emulator gives.
const (
	InvalidInput    Category = "invalid_input"
	Unauthenticated Category = "unauthenticated"
	Forbidden       Category = "forbidden"
	NotFound        Category = "not_found"
	AlreadyExists   Category = "already_exists"
	InvalidState    Category = "invalid_state"
	RateLimited     Category = "rate_limited"
	Internal        Category = "internal"
)

// Status returns the status of answers of that category.
func (c Category) Status() int {
	switch c {
	case Unauthenticated:
		return http.StatusUnauthorized
	case Forbidden:
		return http.StatusForbidden
	case NotFound:
		return http.StatusNotFound
	case AlreadyExists:
		return http.StatusConflict
	case InvalidState:
		return http.StatusUnprocessableEntity
	case RateLimited:
		return http.StatusTooManyRequests
	case Internal:
		return http.StatusInternalServerError
	default:
		return http.StatusBadRequest
	}
}

// Answer is what the emulator says to one request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Set sets a header, given by its canonical name.
func (a *Answer) Set(name, value string) {
	if a.Header == nil {
		a.Header = make(http.Header, 8)
	}
	a.Header[name] = []string{value}
}

// JSON answers with a body that is JSON.
func JSON(status int, body []byte) *Answer {
	a := &Answer{Status: status, Body: body}
	a.Set("Content-Type", "application/json")
	return a
}

// Fail answers with an error in Owlat's envelope.
func Fail(c Category, message string) *Answer { return FailWith(c, message, "") }

// FailWith answers as Fail does and adds a reason to the error's data.
func FailWith(c Category, message, reason string) *Answer {
	b := append(make([]byte, 0, 128), `{"error":{"category":`...)
	b = js.AppendText(b, string(c))
	b = append(b, `,"message":`...)
	b = js.AppendText(b, message)
	if reason != "" {
		b = append(b, `,"data":{"reason":`...)
		b = append(js.AppendText(b, reason), '}')
	}
	return JSON(c.Status(), append(b, "}}"...))
}

// Crash answers as a handler of Owlat's does that threw.
func Crash() *Answer { return Fail(Internal, "Internal server error") }

// Unrouted answers a path or method that leads nowhere.
func Unrouted(path string) *Answer {
	a := &Answer{Status: http.StatusNotFound, Body: []byte("No HttpAction routed for " + path)}
	a.Set("Content-Type", "text/plain; charset=utf-8")
	return a
}
