package access

import (
	"net/http"
	"time"
)

// Refusal says why a request is refused, and what to do.
type Refusal struct {
	Status  int // of the answer
	Code    string
	Message string
	Hint    string
	// After is when a repetition may pass; 0: it is not a question of time.
	After time.Duration
}

func (r *Refusal) Error() string { return r.Message }

// The codes of refusals.
const (
	CodeToken    = "token"
	CodeRole     = "role"
	CodeFailures = "failures"
	CodeHost     = "host"
	CodeOrigin   = "origin"
	CodeProxy    = "proxy"
	CodeRemote   = "remote"
)

func noToken() *Refusal {
	return &Refusal{Status: http.StatusUnauthorized, Code: CodeToken, Message: "the request has no token",
		Hint: "send \"Authorization: Bearer TOKEN\"; \"owlat-sync token\" makes one"}
}

func wrongToken() *Refusal {
	return &Refusal{Status: http.StatusUnauthorized, Code: CodeToken, Message: "the token is not known",
		Hint: "check it against its hash under serve.tokens of the configuration, or make a new one with \"owlat-sync token\"; one of your own needs 32 characters"}
}

func tooManyFailures(after time.Duration) *Refusal {
	return &Refusal{Status: http.StatusTooManyRequests, Code: CodeFailures, Message: "too many wrong tokens came from this address", After: after,
		Hint: "stop the client that sends a wrong token, and wait; if all clients come through a proxy, name it under serve.trusted_proxies"}
}

func wrongRole(p Principal) *Refusal {
	return &Refusal{Status: http.StatusForbidden, Code: CodeRole, Message: "the token of " + p.Name + " is that of a viewer, who may only look",
		Hint: "use a token with the role operator"}
}
