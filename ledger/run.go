package ledger

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"owlatsync"
)

// Run is one run of one sync, as the ledger keeps it. What it says while the run goes on is as of its Heartbeat.
type Run struct {
	ID        int64
	Sync      string
	Mode      Mode
	Epoch     int64 // of the lock under which it runs; 0: not known
	Owner     Owner // who makes it
	Started   time.Time
	Heartbeat time.Time // when its record was last brought up to date
	Finished  time.Time // zero while it runs or when its process died
	Stage     Stage     // what it does now, or did when it ended
	Status    Status
	Message   string             // why it ended as it did; no address
	Part      owlatsync.Part     // which rows it was asked to apply
	Report    *owlatsync.Report  // counts so far
	Summary   *owlatsync.Summary // of its plan; nil: none was made
	Guards    []owlatsync.Hit    // that hold it
	// PlanForm is the version of the encoding of the plan that is kept for a held run; 0: none is kept.
	PlanForm int
}

// Known returns which rows the run was asked to apply, without those of persons who were forgotten since; ok is false if that are all.
func (r *Run) Known() (part owlatsync.Part, ok bool) {
	part = r.Part
	part.Only = slices.DeleteFunc(slices.Clone(part.Only), func(key string) bool { return key == ForgottenText })
	return part, len(part.Only) > 0 || len(r.Part.Only) == 0
}

// Mode is what a run is for.
type Mode string

const (
	ModeRun  Mode = "run"
	ModePlan Mode = "plan" // of ledgers of earlier versions: plans are not recorded
)

// Stage is what a run does, in this order.
type Stage string

const (
	StageStarting Stage = "starting" // what earlier runs left in doubt is settled
	StageReading  Stage = "reading"  // the source is read
	StagePlanning Stage = "planning" // contacts that are there already are looked for, and the changes worked out
	StageApplying Stage = "applying" // changes are sent
	StageEnding   Stage = "ending"
)

// Stages lists all stages in their order.
var Stages = []Stage{StageStarting, StageReading, StagePlanning, StageApplying, StageEnding}

// Status is how a run stands or ended.
type Status string

const (
	StatusRunning     Status = "running"
	StatusOK          Status = "ok"
	StatusFailedRows  Status = "failed rows"
	StatusStopped     Status = "stopped"
	StatusInterrupted Status = "interrupted"
	StatusHeld        Status = "held"       // by a guard; the plan is kept
	StatusApproved    Status = "approved"   // was held, and its plan applied by another run
	StatusSuperseded  Status = "superseded" // was held, and a later run made its plan moot
	StatusDied        Status = "died"       // its process was killed, or its machine stopped
	StatusError       Status = "error"
)

// Statuses lists all statuses.
var Statuses = []Status{
	StatusRunning, StatusOK, StatusFailedRows, StatusStopped, StatusInterrupted, StatusHeld, StatusApproved, StatusSuperseded, StatusDied, StatusError,
}

// MessageDied is the message of a run with StatusDied.
const MessageDied = "its process ended without a word"

// Beat brings the record of a run that goes on up to date.
type Beat struct {
	Run     int64
	Stage   Stage
	Report  *owlatsync.Report  // counts so far; nil: as before
	Summary *owlatsync.Summary // nil: as before
}

// Ending is everything that the end of a run records, all or none of it.
type Ending struct {
	// Run is stored whole under its ID, but for its Sync and Epoch, which stay as they were, and its Heartbeat, which is the present.
	// Its plan is kept if its status is StatusHeld; otherwise it is dropped, and PlanForm is 0.
	Run Run
	// Adopted says that the sync has compared its rows with the contacts that Owlat already had.
	Adopted bool
	// Bookmark, if not nil, replaces that of the sync.
	Bookmark *Bookmark
	// Settled are runs that were held and no more are, by their numbers, with what they become. Their plans are dropped, and their
	// PlanForm is 0. One that is not held any more stays as it is.
	Settled map[int64]Status
}

// NoRunError says that the ledger has no run with the number, or none of that sync.
type NoRunError struct {
	Sync string // empty: any
	Run  int64
}

// ErrNoRun is matched by *NoRunError.
var ErrNoRun = errors.New("no such run")

func (e *NoRunError) Error() string {
	if e.Sync == "" {
		return fmt.Sprintf("the ledger knows no run %d", e.Run)
	}
	return fmt.Sprintf("sync %q has no run %d", e.Sync, e.Run)
}

// Is matches ErrNoRun.
func (e *NoRunError) Is(target error) bool { return target == ErrNoRun }
