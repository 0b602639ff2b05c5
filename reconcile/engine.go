package reconcile

import (
	"context"
	"log/slog"
	"os"
	"sync"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/apply"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/scan"
	"owlatsync/reconcile/scratch"
	"owlatsync/reconcile/step"
)

// Engine runs syncs against one deployment with one ledger. It is safe for concurrent use; the ledger lets one run at a time.
type Engine struct {
	client  *owlat.Client
	ledger  ledger.Store
	log     *slog.Logger
	workers int
	place   scratch.Place
	owner   ledger.Owner

	mu      sync.Mutex
	running map[string]*progress.Teller // by sync
}

// Options of an engine; the zero value is usable.
type Options struct {
	Logger *slog.Logger // nothing is logged without one; lines hold row keys and short hashes, never addresses

	// Workers is how many rows are worked on at once at most; 0 means what an owlat.Pool allows. Up to that their number
	// follows from the pace and from how long Owlat takes to answer.
	Workers int
	// Scratch is the folder for temporary files, which a run makes when it has very much to do; they hold personal data and are gone
	// when the process is. Empty: where the system makes them.
	Scratch string
	// Memory is how many bytes of each thing that is to be done stay in memory before temporary files are made, about; 0 means 4 MiB, a
	// negative number none.
	Memory int
}

// scratchMemory is several thousand rows or steps.
const scratchMemory = 4 << 20

// New returns an engine. The client's limiter is the budget (Invariant 5): share one client among all engines of a key.
func New(client *owlat.Client, store ledger.Store, o Options) *Engine {
	e := &Engine{
		client: client, ledger: store, log: o.Logger, workers: o.Workers, place: scratch.Place{Folder: o.Scratch, Most: o.Memory},
		owner: ledger.Owner{Host: hostname(), PID: os.Getpid()}, running: make(map[string]*progress.Teller),
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.Memory == 0:
		e.place.Most = scratchMemory
	case o.Memory < 0:
		e.place.Most = 0
	}
	return e
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "this machine"
	}
	return name
}

// RunOptions of one run; the zero value runs everything.
type RunOptions struct {
	// Stop, when closed, makes the run take no more work, finish what is in flight and record it.
	Stop <-chan struct{}
	// Confirm is asked before the first write of a first run, which creates contacts and fires automations. Without it, or
	// when it says no, such a run is held.
	Confirm func(owlatsync.Summary) (bool, error)
	// Full lists Owlat's contacts first and corrects the ledger to what they are, so that changes made in Owlat are set right.
	Full bool
	// Part is which rows are applied. The others are skipped, and nothing is removed. Approve does not read it.
	Part owlatsync.Part
	// Observers are told what happens.
	Observers []progress.Observer
}

// PlanOptions of one plan; the zero value is usable.
type PlanOptions struct {
	// Each is told what would become of every row but the unchanged ones, in the order of the source. Its error ends the plan.
	Each func(Decision) error
	// Observers are told what happens, but for the rows.
	Observers []progress.Observer
}

// Decision is what a plan holds for a row, or what became of it.
type Decision = step.Decision

// Why a run ended as it did.
type (
	// SourceError says that the source could not be read to its end.
	SourceError = scan.SourceError
	// StoppedError says that no request would pass.
	StoppedError = remote.StoppedError
)

// Errors that end runs.
var (
	ErrInterrupted = apply.ErrInterrupted
	ErrUnavailable = apply.ErrUnavailable
)

// FieldsOf returns the fields of a contact of Owlat.
func FieldsOf(c *owlat.Contact) owlatsync.Texts { return remote.FieldsOf(c) }

// ContactRequest returns the request that creates a contact with the fields that are not nil.
func ContactRequest(email string, fields [owlatsync.NumContactFields]*string) owlat.CreateContactRequest {
	return remote.Request(email, fields)
}

// NewJudge returns a judge of the rows of the sync, for those who want to know before a plan which ones would not be sent.
func NewJudge(s Sync) *scan.Judge { return scan.NewJudge(s.Policies()) }

// State returns how the sync's run stands that goes on in this engine; ok is false where there is none. It may be called at any time.
func (e *Engine) State(sync string) (s progress.State, ok bool) {
	e.mu.Lock()
	t := e.running[sync]
	e.mu.Unlock()
	if t == nil {
		return s, false
	}
	return t.State(), true
}

// goesOn notes that a run of the sync goes on, until what it returns is called. One that has lost its lock may end after its successor
// began.
func (e *Engine) goesOn(sync string, t *progress.Teller) (rest func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running[sync] = t
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.running[sync] == t {
			delete(e.running, sync)
		}
	}
}

// Run brings Owlat in step with the source. Every row read but the unchanged ones is told in a progress.RowDone, also those that the
// run does not reach. The report is returned with an error too, as far as the run came, unless it could not begin. Guards
// are asked before the first write; of several held runs of a sync only the latest keeps its plan. Cancelling ctx aborts:
// requests in flight are given up and their outcomes found out by the next run.
//
// Errors: *ledger.LockedError, *ledger.DeploymentError, ledger.ErrLockLost, *SourceError (nothing was applied), *StoppedError,
// ErrUnavailable, ErrInterrupted, *HeldError, the context's cause, that of Confirm, or the ledger's. Rows that failed are no error:
// the report counts them.
func (e *Engine) Run(ctx context.Context, s Sync, o RunOptions) (*owlatsync.Report, error) {
	return e.run(ctx, &s, o, 0)
}

// Approve applies the plan of the held run with the number although guards hold it. The source is read again, and the plan is applied
// only if it is still exactly what would be done, and as far as that run was to.
//
// Errors: those of Run, and *ledger.NoRunError, *NotHeldError, ErrPartForgotten, ErrOldPlan (nothing was done) and *MovedError
// (nothing was applied).
func (e *Engine) Approve(ctx context.Context, s Sync, held int64, o RunOptions) (*owlatsync.Report, error) {
	return e.run(ctx, &s, o, held)
}
