package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// complaints logs why jobs fail that nobody else speaks of; River tells of them only below its warnings. Of a run and a call tells whoever
// made it, and a chore tells of itself. It implements river.ErrorHandler.
type complaints struct {
	log  *slog.Logger
	said *said
}

func newComplaints(log *slog.Logger) *complaints {
	return &complaints{log, &said{at: make(map[string]time.Time)}}
}

// spokenFor are the kinds of jobs of whose failures somebody else tells.
var spokenFor = map[string]bool{runArgs{}.Kind(): true, callArgs{}.Kind(): true, choreArgs{}.Kind(): true}

// HandleError implements river.ErrorHandler.
func (c *complaints) HandleError(_ context.Context, job *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	_, cancelled := errors.AsType[*rivertype.JobCancelError](err)
	_, snoozed := errors.AsType[*rivertype.JobSnoozeError](err)
	if spokenFor[job.Kind] || cancelled || snoozed || errors.Is(err, context.Canceled) {
		return nil
	}
	var of struct {
		Deployment string `json:"deployment"`
	}
	_ = json.Unmarshal(job.EncodedArgs, &of) // the error counts
	if c.said.due(job.Kind+" "+of.Deployment, time.Now()) {
		c.log.Warn("a job failed and is tried again", "job", job.Kind, "deployment", of.Deployment, "attempt", job.Attempt, "error", err)
	}
	return nil
}

// HandlePanic implements river.ErrorHandler.
func (c *complaints) HandlePanic(_ context.Context, job *rivertype.JobRow, value any, _ string) *river.ErrorHandlerResult {
	c.log.Error("a job failed because of a mistake in the program; please report it", "job", job.Kind, "error", fmt.Sprint(value))
	return nil
}

// said is when a message was logged last.
type said struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (s *said) due(message string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, known := s.at[message]; known && now.Sub(last) < again {
		return false
	}
	s.at[message] = now // they are few: River's have no values in them, and others a kind and a deployment
	return true
}
