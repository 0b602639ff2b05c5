package caller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/internal/exitcode"
	"owlatsync/ledger"
)

// Asked says how a run is to be made; the zero value asks for the whole sync.
type Asked struct {
	Full   bool     `json:"full,omitempty"` // what was changed in Owlat is set right, too
	Only   []string `json:"only,omitempty"` // keys of the rows that are applied; empty: all rows
	Limit  int      `json:"limit,omitempty"`
	Review bool     `json:"review,omitempty"` // it is held with whatever it plans
}

// Trigger asks for a run of the sync, and returns its number. A run that is queued and was asked for in the same way is that run.
func (c *Caller) Trigger(ctx context.Context, sync string, a Asked) (run int64, err error) {
	var taken struct {
		Run int64 `json:"run"`
	}
	err = c.post(ctx, []string{"syncs", sync, "runs"}, a, &taken)
	return taken.Run, err
}

// Run is a run as the service tells it, as far as it is used here.
type Run struct {
	Run     int64             `json:"run"`
	Sync    string            `json:"sync"`
	Status  ledger.Status     `json:"status"`
	Done    bool              `json:"done"`
	Message string            `json:"message"`
	Report  *owlatsync.Report `json:"report"`

	Raw json.RawMessage `json:"-"` // all that the service says of it
}

const (
	askFirst = 100 * time.Millisecond
	askMost  = 2 * time.Second
	// unreachedMost is how long a service may be gone while somebody waits, so that it can be restarted meanwhile.
	unreachedMost = 2 * time.Minute
)

// Wait waits for the end of a run, and returns the service's last word about it. It bears a service that is gone for up to two minutes.
// The run goes on if Wait returns an error.
func (c *Caller) Wait(ctx context.Context, run int64) (Run, error) {
	heard := time.Now()
	for pause := askFirst; ; pause = min(pause*3/2, askMost) {
		r, err := c.run(ctx, run)
		switch {
		case err == nil && r.Done:
			return r, nil
		case err == nil:
			heard = time.Now()
		case ctx.Err() != nil, errors.As(err, new(*RefusedError)), errors.Is(err, errForeign), time.Since(heard) > unreachedMost:
			return Run{}, stillGoing(ctx, run, err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return Run{}, stillGoing(ctx, run, ctx.Err())
		case <-timer.C:
		}
	}
}

// errForeign means that what answers is no service of this program.
var errForeign = errors.New("what answers does not speak as a service of owlat-sync does: is it another program, or another version?")

// run returns a run as it is now.
func (c *Caller) run(ctx context.Context, id int64) (r Run, err error) {
	var raw json.RawMessage
	if err := c.get(ctx, []string{"runs", strconv.FormatInt(id, 10)}, &raw); err != nil {
		return Run{}, err
	}
	if err := json.Unmarshal(raw, &r); err != nil || r.Run != id {
		return Run{}, errForeign
	}
	r.Raw = raw
	return r, nil
}

// stillGoing says that nobody waits for a run any more.
func stillGoing(ctx context.Context, run int64, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("run %d has not ended in time; it goes on", run)
	case ctx.Err() != nil:
		return exitcode.With(exitcode.Interrupted, fmt.Errorf("no longer waiting for run %d, which goes on", run))
	}
	return fmt.Errorf("while waiting for run %d: %w", run, err)
}

// Code returns the exit code that "owlat-sync run" has for such an end.
func (r Run) Code() exitcode.Code {
	switch r.Status {
	case ledger.StatusOK, ledger.StatusApproved:
		if r.Report != nil && r.Report.Spoiled() != "" {
			return exitcode.FailedRows
		}
		return exitcode.OK
	case ledger.StatusFailedRows:
		return exitcode.FailedRows
	case ledger.StatusHeld, ledger.StatusSuperseded, ledger.StatusDismissed:
		return exitcode.Held
	case ledger.StatusStopped:
		return exitcode.Refused
	case ledger.StatusInterrupted, ledger.StatusCancelled:
		return exitcode.Interrupted
	}
	return exitcode.Error
}

// String tells people how the run ended.
func (r Run) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Run %d of %s ended: %s.", r.Run, r.Sync, r.Status)
	if r.Report != nil {
		var parts []string
		for _, o := range owlatsync.Outcomes {
			if n := r.Report.Outcomes[o]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n, o))
			}
		}
		if len(parts) > 0 {
			fmt.Fprintf(&b, " Rows: %s.", strings.Join(parts, ", "))
		}
	}
	if r.Message != "" {
		fmt.Fprintf(&b, "\n%s", r.Message)
	}
	return b.String()
}
