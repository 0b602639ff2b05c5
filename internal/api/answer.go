package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"owlatsync/internal/access"
	"owlatsync/internal/problem"
	"owlatsync/internal/turns"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// The codes of errors, besides those of package access.
const (
	codeRoute       = "route"       // there is no such address
	codeMethod      = "method"      // the address does not take the method
	codeQuery       = "query"       // a parameter of the address is wrong
	codeBody        = "body"        // the body is wrong
	codeDeployment  = "deployment"  // there is no such deployment, or the address must name one
	codeSync        = "sync"        // there is no such sync
	codeRun         = "run"         // there is no such run
	codeState       = "state"       // the run is not in a state that allows it
	codeBusy        = "busy"        // too much at once
	codeUnavailable = "unavailable" // not now
	codeInternal    = "internal"
)

// errorJSON is the body of every answer that refuses.
type errorJSON struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Hint    string `json:"hint,omitempty"` // what to do
	} `json:"error"`
}

// answer writes a value as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(words.JSON(v)) // a client that has left needs no answer
}

// refuse writes an error and returns what it says.
func refuse(w http.ResponseWriter, err error) *access.Refusal {
	r := RefusalOf(err)
	if r.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="owlat-sync"`)
	}
	if r.After > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(r.After.Seconds()))))
	}
	var body errorJSON
	body.Error.Code, body.Error.Message, body.Error.Hint = r.Code, r.Message, r.Hint
	answer(w, r.Status, body)
	return r
}

// RefusalOf is the only place that decides which answer an error means. Its hints speak of the API.
func RefusalOf(err error) *access.Refusal {
	refusal := func(status int, code, hint string) *access.Refusal {
		if own := problem.HintOf(err); own != "" {
			hint = own
		}
		return &access.Refusal{Status: status, Code: code, Message: err.Error(), Hint: hint}
	}
	if r, ok := errors.AsType[*access.Refusal](err); ok {
		return r
	}
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &access.Refusal{Status: http.StatusRequestEntityTooLarge, Code: codeBody, Message: fmt.Sprintf("the body is larger than %d bytes", large.Limit), Hint: "name fewer rows"}
	}
	switch {
	case errors.Is(err, ledger.ErrNoRun):
		return refusal(http.StatusNotFound, codeRun, "GET /api/v1/runs lists the runs")
	case errors.Is(err, turns.ErrUnknownSync):
		return refusal(http.StatusNotFound, codeSync, "GET /api/v1/syncs lists the syncs")
	case errors.Is(err, turns.ErrNotCancellable), errors.Is(err, turns.ErrBeingApplied), errors.Is(err, ledger.ErrRunEnded):
		return refusal(http.StatusConflict, codeState, "GET /api/v1/runs shows which runs are queued or go on")
	case errors.Is(err, reconcile.ErrNotHeld), errors.Is(err, reconcile.ErrOldPlan), errors.Is(err, reconcile.ErrPartForgotten):
		return refusal(http.StatusConflict, codeState, "GET /api/v1/syncs shows which runs are held")
	case errors.Is(err, ledger.ErrAway), errors.Is(err, ledger.ErrFull):
		// Where the ledger is, and as whom it is reached, is nobody's business who reaches one deployment: the log has it.
		what := ledger.ErrAway
		if errors.Is(err, ledger.ErrFull) {
			what = ledger.ErrFull
		}
		return &access.Refusal{Status: http.StatusServiceUnavailable, Code: codeUnavailable, Message: what.Error(), Hint: "try again when that is mended; the log of the service has more"}
	case errors.Is(err, ledger.ErrLocked), errors.Is(err, context.DeadlineExceeded):
		return refusal(http.StatusServiceUnavailable, codeUnavailable, "try again in a moment")
	}
	return refusal(http.StatusInternalServerError, codeInternal, "the log of the service has more; try again when the cause is gone")
}

func wrongQuery(format string, args ...any) error {
	return &access.Refusal{Status: http.StatusBadRequest, Code: codeQuery, Message: fmt.Sprintf(format, args...), Hint: "GET /api/v1/openapi.json describes every parameter"}
}

func wrongBody(format string, args ...any) error {
	return &access.Refusal{Status: http.StatusBadRequest, Code: codeBody, Message: fmt.Sprintf(format, args...), Hint: "GET /api/v1/openapi.json describes every body"}
}

func busy(what string) error {
	return &access.Refusal{Status: http.StatusServiceUnavailable, Code: codeBusy, Message: what, Hint: "close some, or try again later", After: streamRetry}
}
