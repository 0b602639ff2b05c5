package owlat

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"owlatsync/owlat/internal/origin"
	"owlatsync/owlat/internal/wire"
)

// Category is Owlat's word for a kind of refusal.
type Category string

// The categories of Owlat. The list is closed.
const (
	CategoryInvalidInput    Category = "invalid_input"   // 400
	CategoryUnauthenticated Category = "unauthenticated" // 401
	CategoryLimitReached    Category = "limit_reached"   // 402
	CategoryForbidden       Category = "forbidden"       // 403
	CategoryNotFound        Category = "not_found"       // 404
	CategoryAlreadyExists   Category = "already_exists"  // 409
	CategoryConflict        Category = "conflict"        // 409
	CategoryInvalidState    Category = "invalid_state"   // 422
	CategoryRateLimited     Category = "rate_limited"    // 429
	CategoryInternal        Category = "internal"        // 500
)

// Sentinels that an [*Error] matches, by its category, through errors.Is.
var (
	ErrInvalidInput    = errors.New("owlat: invalid input")
	ErrUnauthenticated = errors.New("owlat: unauthenticated")
	ErrLimitReached    = errors.New("owlat: limit reached")
	ErrForbidden       = errors.New("owlat: forbidden")
	ErrNotFound        = errors.New("owlat: not found")
	// ErrConflict stands for both categories of a 409, already_exists and conflict.
	ErrConflict     = errors.New("owlat: conflict")
	ErrInvalidState = errors.New("owlat: invalid state")
	ErrRateLimited  = errors.New("owlat: rate limited")
	ErrInternal     = errors.New("owlat: internal")
)

var (
	// ErrNoRoute is matched, beside ErrNotFound, by a 404 that did not come from Owlat's handlers: the base URL leads
	// somewhere else. Check for it before taking a 404 to mean that a contact is gone.
	ErrNoRoute = errors.New("owlat: no such route at the base URL")
	// ErrParse is matched by a *ParseError.
	ErrParse = errors.New("owlat: unreadable answer")
	// ErrTimeout is matched by the *TransportError of an attempt that took longer than the client's timeout.
	ErrTimeout = errors.New("owlat: no answer in time")
	// ErrRedirect is matched by the *TransportError of an answer that leads to another host or changes the method. It is
	// never followed: the API key would travel. Only a 303 says that the request was done.
	ErrRedirect = origin.ErrRedirect
	// ErrAddressDrift is matched by an *AddressDriftError.
	ErrAddressDrift = errors.New("owlat: the address is held by a contact that now has another address")
)

var byCategory = map[Category]error{
	CategoryInvalidInput:    ErrInvalidInput,
	CategoryUnauthenticated: ErrUnauthenticated,
	CategoryLimitReached:    ErrLimitReached,
	CategoryForbidden:       ErrForbidden,
	CategoryNotFound:        ErrNotFound,
	CategoryAlreadyExists:   ErrConflict,
	CategoryConflict:        ErrConflict,
	CategoryInvalidState:    ErrInvalidState,
	CategoryRateLimited:     ErrRateLimited,
	CategoryInternal:        ErrInternal,
}

// Error is a refusal: by Owlat, by something in front of it, or, with StatusCode 0 and [CategoryInvalidInput], by this
// package before anything was sent.
type Error struct {
	// Category is Owlat's, or follows from the status where the answer has none. It is empty for a status that Owlat does
	// not use.
	Category Category
	// Message is Owlat's text as it came. It may contain an address; Error() shows it without. Never decide by it.
	Message string
	// Data is what Owlat added to the refusal, if anything.
	Data       json.RawMessage
	StatusCode int
	Method     string
	// Route is the pattern of the route, such as "/contacts/{contact}".
	Route string
	// Header is the answer's, nil if there was none.
	Header http.Header
	// RetryAfter is what the answer asked for, 0 if nothing.
	RetryAfter time.Duration
	// RateLimit is zero if the answer did not tell it, as a 401 does not.
	RateLimit RateLimit

	noRoute bool
	foreign bool
	unsure  bool // an earlier attempt of the same call may have taken effect
}

// FromOwlat reports whether the answer has Owlat's form. One that has not may come from a gateway, or from another server.
func (e *Error) FromOwlat() bool { return e.StatusCode != 0 && !e.foreign }

// RequestID is what the answer's headers call the request; see [Response.RequestID].
func (e *Error) RequestID() string { return wire.RequestID(e.Header) }

// Error returns one line without addresses.
func (e *Error) Error() string {
	what := string(e.Category)
	if what == "" {
		what = http.StatusText(e.StatusCode)
	}
	if e.StatusCode == 0 {
		return fmt.Sprintf("owlat: %s %s: refused before sending: %s", e.Method, e.Route, wire.Redact(e.Message))
	}
	return fmt.Sprintf("owlat: %s %s: %d %s: %s", e.Method, e.Route, e.StatusCode, what, wire.Redact(e.Message))
}

// Is matches the sentinel of the category, and ErrNoRoute.
func (e *Error) Is(target error) bool {
	if target == ErrNoRoute {
		return e.noRoute
	}
	sentinel, known := byCategory[e.Category]
	return known && target == sentinel
}

// TransportError is a request without a complete answer: no connection, a broken one, a timeout, or an ended context,
// whose error it then wraps.
type TransportError struct {
	Method string
	Route  string // the pattern of the route
	// Sent tells that the request may have reached the server, so that it may have taken effect.
	Sent bool
	Err  error
}

// Error returns one line without addresses.
func (e *TransportError) Error() string {
	return fmt.Sprintf("owlat: %s %s: %s", e.Method, e.Route, wire.Redact(e.Err.Error()))
}

// Unwrap returns the cause.
func (e *TransportError) Unwrap() error { return e.Err }

// ParseError is an answer of success that is not the JSON object it should be. The request most likely took effect.
type ParseError struct {
	Method     string
	Route      string // the pattern of the route
	StatusCode int
	Header     http.Header // the answer's
	Err        error
}

// RequestID is what the answer's headers call the request; see [Response.RequestID].
func (e *ParseError) RequestID() string { return wire.RequestID(e.Header) }

// Error returns one line without addresses.
func (e *ParseError) Error() string {
	return fmt.Sprintf("owlat: %s %s: unreadable answer %d: %s", e.Method, e.Route, e.StatusCode, wire.Redact(e.Err.Error()))
}

// Is matches ErrParse.
func (e *ParseError) Is(target error) bool { return target == ErrParse }

// Unwrap returns the cause.
func (e *ParseError) Unwrap() error { return e.Err }

// AddressDriftError says that an address can neither be created nor found: a create answers that it exists, an update by
// it that it does not. Owlat keeps addresses twice, and in its identity table this one still belongs to a contact that
// has another address by now. The API does not tell which; only deleting that contact or giving it back the old address
// ends it. A contact that was deleted between the two requests looks the same once: repeat the call to tell them apart.
type AddressDriftError struct {
	Err *Error // the 409 of the create
}

// Error says what happened and what to do.
func (e *AddressDriftError) Error() string {
	return "owlat: the address belongs, in Owlat's identity table, to a contact that now has another address; " +
		"update that contact by its id, or delete it in Owlat"
}

// Is matches ErrAddressDrift.
func (e *AddressDriftError) Is(target error) bool { return target == ErrAddressDrift }

// Unwrap returns the 409 of the create.
func (e *AddressDriftError) Unwrap() error { return e.Err }

// OutcomeUnknown reports whether the request that ended in err may have taken effect all the same: its connection broke after
// sending, its time ran out, the answer was a 303, a 5xx or unreadable. It is false for nil, for other refusals and for
// what was never sent. It looks through wrapped and joined errors.
func OutcomeUnknown(err error) bool {
	switch e := err.(type) {
	case *Error:
		return e.unsure || e.StatusCode >= 500 || e.StatusCode == http.StatusSeeOther
	case *TransportError:
		return e.Sent
	case *ParseError:
		return true
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return OutcomeUnknown(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if OutcomeUnknown(inner) {
				return true
			}
		}
	}
	return false
}

// byStatus are the categories of answers that name none.
var byStatus = map[int]Category{
	http.StatusBadRequest: CategoryInvalidInput, http.StatusUnauthorized: CategoryUnauthenticated, http.StatusPaymentRequired: CategoryLimitReached,
	http.StatusForbidden: CategoryForbidden, http.StatusNotFound: CategoryNotFound, http.StatusConflict: CategoryConflict,
	http.StatusUnprocessableEntity: CategoryInvalidState, http.StatusTooManyRequests: CategoryRateLimited,
}

// categoryOf is the category of an answer that names none.
func categoryOf(status int) Category {
	if status >= 500 {
		return CategoryInternal
	}
	return byStatus[status]
}
