package ledger

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"owlatsync"
)

// Run is the record of one run of one sync. While the run goes on, the record is as of its Heartbeat.
type Run struct {
	ID        int64
	Sync      string
	Mode      Mode
	Epoch     int64 // epoch of the run's lock; 0: not known
	Owner     Owner // the process that makes the run
	Started   time.Time
	Heartbeat time.Time // when its record was last brought up to date
	Finished  time.Time // zero while it runs or if its process died
	Stage     Stage     // the stage now, or when the run ended
	Status    Status
	Message   string             // why the run ended so; holds no address
	Part      owlatsync.Part     // the rows that the run was asked to apply
	Full      bool               // the run was asked to list Owlat's contacts and to read all rows; kept from its beginning or queueing on
	Approves  int64              // the held run whose plan it applies; 0: none; kept like Full
	Report    *owlatsync.Report  // counts so far
	Summary   *owlatsync.Summary // the latest plan in numbers, of what was left then; nil: none was made
	Guards    []owlatsync.Hit    // the guards that hold the run
	// PlanForm is the version of the encoding of a held run's plan; 0: no plan is kept.
	PlanForm int
}

// Known returns the part without the rows of persons who were forgotten since; ok is false if no row is left.
func (r *Run) Known() (part owlatsync.Part, ok bool) {
	part = r.Part
	part.Only = slices.DeleteFunc(slices.Clone(part.Only), func(key string) bool { return key == ForgottenText })
	return part, len(part.Only) > 0 || len(r.Part.Only) == 0
}

// Mode is what a run is for.
type Mode string

// The modes of runs.
const (
	ModeRun  Mode = "run"
	ModePlan Mode = "plan" // only in ledgers of earlier versions: plans are no longer recorded
	// ModeReview is a run that is held with whatever it plans, so that somebody looks at the plan before it is applied.
	ModeReview Mode = "review"
)

// Stage is what a run does, in this order.
type Stage string

// The stages of a run.
const (
	StageStarting Stage = "starting" // the run settles doubts of earlier runs
	StageReading  Stage = "reading"  // the run reads the source
	StagePlanning Stage = "planning" // the run looks for existing contacts and makes its plan
	StageApplying Stage = "applying" // the run sends changes
	StageEnding   Stage = "ending"
)

// Stages lists all stages in their order.
var Stages = []Stage{StageStarting, StageReading, StagePlanning, StageApplying, StageEnding}

// Status says how a run ended, or that it goes on.
type Status string

// The statuses of runs. A run that has ended keeps its own, but for one that was held.
const (
	StatusQueued      Status = "queued" // it waits to begin
	StatusRunning     Status = "running"
	StatusWaiting     Status = "waiting" // it has begun, and lets other syncs have their turn
	StatusOK          Status = "ok"
	StatusFailedRows  Status = "failed rows"
	StatusStopped     Status = "stopped"
	StatusInterrupted Status = "interrupted"
	StatusHeld        Status = "held"       // a guard holds the run; its plan is kept
	StatusApproved    Status = "approved"   // was held; another run applied its plan
	StatusSuperseded  Status = "superseded" // was held; a later run made its plan moot
	StatusDismissed   Status = "dismissed"  // was held; somebody decided against its plan
	StatusDied        Status = "died"       // its process was killed, or its machine stopped
	StatusError       Status = "error"
	StatusCancelled   Status = "cancelled" // it was taken back before it began
)

// Statuses lists all statuses.
var Statuses = []Status{
	StatusQueued, StatusRunning, StatusWaiting, StatusOK, StatusFailedRows, StatusStopped, StatusInterrupted, StatusHeld, StatusApproved, StatusSuperseded,
	StatusDismissed, StatusDied, StatusError, StatusCancelled,
}

// Ended reports whether the status is one that ends a run.
func (s Status) Ended() bool {
	switch s {
	case "", StatusQueued, StatusRunning, StatusWaiting, StatusHeld:
		return false
	}
	return true
}

// Moved returns the status of a run in another ledger that takes in the run's record: the plan of a held run is not there, a queued run
// was asked of the ledger that it comes from, and nobody lets a waiting run go on.
func (s Status) Moved() Status {
	switch s {
	case StatusHeld:
		return StatusSuperseded
	case StatusQueued:
		return StatusCancelled
	case StatusWaiting:
		return StatusDied
	}
	return s
}

// MessageDied is the message of a run with StatusDied.
const MessageDied = "its process ended without a word"

// Beat is the present state of a run that goes on.
type Beat struct {
	Run     int64
	Stage   Stage
	Report  *owlatsync.Report  // counts so far; nil: unchanged
	Summary *owlatsync.Summary // nil: unchanged
}

// Ending is everything that the end of a run records, all or nothing.
type Ending struct {
	// Run replaces the record with its ID, except Sync, Epoch, Full and Approves, which stay, and Heartbeat, which becomes the present time. The
	// plan is kept if the status is StatusHeld. Otherwise it is dropped, and PlanForm becomes 0.
	Run Run
	// Adopted says that the sync has compared its rows with Owlat's existing contacts, and so ends its SetBack.
	Adopted bool
	// Bookmark replaces that of the sync; nil leaves it.
	Bookmark *Bookmark
	// Settled gives held runs, by number, their new status. Their plans are dropped, and their PlanForm becomes 0. A run that is no
	// longer held stays as it is.
	Settled map[int64]Status
}

// NoRunError says that the ledger has no run with the number, or that the run is of another sync.
type NoRunError struct {
	Sync string // empty: any
	Run  int64
}

// ErrNoRun is matched by *NoRunError.
var ErrNoRun = errors.New("no such run")

// Error implements error.
func (e *NoRunError) Error() string {
	if e.Sync == "" {
		return fmt.Sprintf("the ledger knows no run %d", e.Run)
	}
	return fmt.Sprintf("sync %q has no run %d", e.Sync, e.Run)
}

// Is matches ErrNoRun.
func (e *NoRunError) Is(target error) bool { return target == ErrNoRun }
