package session

import (
	"fmt"
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

// unseen says that the shelf does not answer. Why is for the log alone: whoever asks may be anybody.
func unseen(why error) error {
	return fmt.Errorf("%w: %w", &access.Refusal{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: "it cannot be seen now who is signed in", After: shelfWithin,
		Hint: "wait a moment, and try again; if it stays so, the database of the ledger cannot be reached"}, why)
}
