package session

import (
	"net/http"
	"time"

	"owlatsync/internal/access"
)

// CodePassword is the code of the refusal of a wrong name or password.
const CodePassword = "password"

func wrongPassword() *access.Refusal {
	return &access.Refusal{Status: http.StatusForbidden, Code: CodePassword, Message: "the name or the password is wrong",
		Hint: "check both; if the password is lost, \"owlat-sync account\" makes a new line for the configuration"}
}

func tooMany(after time.Duration) *access.Refusal {
	return &access.Refusal{Status: http.StatusTooManyRequests, Code: access.CodeFailures, Message: "too many wrong passwords were sent", After: after,
		Hint: "wait a minute, and try again"}
}

func busy() *access.Refusal {
	return &access.Refusal{Status: http.StatusServiceUnavailable, Code: "busy", Message: "too many people sign in at this moment", After: turnWithin,
		Hint: "wait a moment, and try again"}
}
