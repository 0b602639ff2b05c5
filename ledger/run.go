package ledger

import (
	"time"

	"owlatsync"
)

// Run is one run of one sync.
type Run struct {
	ID       int64
	Sync     string
	Mode     string // "run" or "plan"
	Started  time.Time
	Finished time.Time // zero while it runs or when its process died
	Status   string    // one of the Status constants
	Message  string
	Report   *owlatsync.Report
}

// Statuses of a run in the ledger.
const (
	StatusRunning     = "running"
	StatusOK          = "ok"
	StatusFailedRows  = "failed rows"
	StatusStopped     = "stopped"
	StatusInterrupted = "interrupted"
	StatusHeld        = "held"       // by a guard; the plan is kept
	StatusApproved    = "approved"   // was held, and its plan applied by another run
	StatusSuperseded  = "superseded" // was held, and a later run made its plan moot
	StatusDied        = "died"       // its process was killed, or its machine stopped
	StatusError       = "error"
)
