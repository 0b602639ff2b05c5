package reconcile

import (
	"cmp"
	"context"
	"log/slog"
	"os"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/apply"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/scan"
	"owlatsync/reconcile/scratch"
	"owlatsync/reconcile/step"
)

// Engine runs syncs against one deployment with one ledger. It is safe for concurrent use; the ledger allows one run at a time.
type Engine struct {
	client  *owlat.Client
	ledger  ledger.Store
	log     *slog.Logger
	workers int
	place   scratch.Place
	owner   ledger.Owner
	outside *owlat.Client
	parted  func(ctx context.Context, d Departure) error
	locks   locks
	running running
}

// Options are the options of an engine. The zero value is usable.
type Options struct {
	Logger *slog.Logger // nil: nothing is logged; lines hold row keys and short hashes, never addresses

	// Workers is the most rows that are worked on at once; 0 means what an owlat.Pool allows. Below that limit the number follows
	// the pace and the time that Owlat takes to answer.
	Workers int
	// Scratch is the folder for temporary files; empty means the system's. A run makes them when its plan is too large for Memory.
	// They hold personal data, and end with the process.
	Scratch string
	// Memory is about how many bytes of each kind of work stay in memory before temporary files are made; 0 means 4 MiB, a negative
	// number none.
	Memory int
	// Outside is the client of plans, which have no lock; nil: they have the engine's own. The limiter of the engine's own is then for
	// those alone who hold the lock.
	Outside *owlat.Client
	// Shared says that other machines send with the same key while they hold the lock. The first lock then begins with the budget
	// spent. Every later one does, if another holder had the ledger since the one before.
	Shared bool
	// Departed durably records that a person has left topics, which was found by reading memberships: it notes the opt-outs (see
	// Departure.OptOuts), and tells whom it concerns. It may be called by several goroutines. Nil: the opt-outs are noted. An error stops the run.
	Departed func(ctx context.Context, d Departure) error
}

// Departure is what was found by reading: a person has left topics.
type Departure = consent.Departure

// scratchMemory has room for several thousand rows or steps.
const scratchMemory = 4 << 20

// New returns an engine. The client's limiter is the budget (Invariant 5): all engines of a key must share one client, unless they take
// turns by the lock of one ledger.
func New(client *owlat.Client, store ledger.Store, o Options) *Engine {
	e := &Engine{
		client: client, ledger: store, log: o.Logger, workers: o.Workers, place: scratch.Place{Folder: o.Scratch, Most: o.Memory},
		owner: ledger.Owner{Host: hostname(), PID: os.Getpid()}, outside: cmp.Or(o.Outside, client), parted: o.Departed,
		locks: locks{client: client, ledger: store, shared: o.Shared}, running: running{tellers: make(map[string]*progress.Teller)},
	}
	if e.parted == nil {
		e.parted = func(ctx context.Context, d Departure) error { return store.NoteOptOuts(ctx, d.OptOuts()...) }
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

// RunOptions are the options of one run. The zero value runs everything.
type RunOptions struct {
	// Stop ends the run when it is closed: the run takes no more work, finishes what is in flight and records it.
	Stop <-chan struct{}
	// Confirm is asked before the first write of a first run, which creates contacts and fires automations. If it is nil or says
	// no, such a run is held.
	Confirm func(owlatsync.Summary) (bool, error)
	// Full lists Owlat's contacts first and corrects the ledger to them, so that the run sets right what was changed in Owlat.
	Full bool
	// Part says which rows are applied. The others are skipped, and nothing is removed. Approve ignores it: it takes the part of
	// the held run.
	Part owlatsync.Part
	// CreateMissing creates the contacts of rows that were exported for Owlat's importer (Export) and that Owlat does not have, as those of new rows.
	// Without it such rows fail: an import may be yet to come, and whoever was deleted since the import must not come back by itself.
	CreateMissing bool
	// Review holds the run if its plan has anything to send, as a guard does: then somebody looks at the plan, and approves it or not.
	Review bool
	// Run is the number of a queued run of the sync, which begins under that number; 0: the run gets the next one. If the run cannot
	// begin, it stays queued.
	Run int64
	// Turn lets runs of other syncs have their turn while this one goes on; nil: they wait for its end.
	Turn Turn
	// Seat lets the run wait while too many others read and compare; nil: it never waits for that.
	Seat Seat
	// Keys, if there are any, lets the run read just the rows with these keys, and those that hold their addresses. Nothing follows from
	// a key that no row has. Rows that fail are remembered, as by a run of changes. The run reads its source as if there were no Keys if
	// Full is set, if the source is not Keyed, before the first run of the sync that came to its end, or if the ledger is older than what
	// was done. Approve ignores it: it reads the rows of the held plan if that run read by keys.
	Keys []string
	// MayMove is asked by Approve if the plan differs from the held one. If it says yes, the plan is applied as it is now. Nil says no.
	MayMove func(Move) bool
	// Observers are told what happens.
	Observers []progress.Observer
}

// PlanOptions are the options of one plan. The zero value is usable.
type PlanOptions struct {
	// Each is told every decision, in the order of the source, but not that of an unchanged row unless a consent of it is left alone. Its
	// error ends the plan.
	Each func(Decision) error
	// Observers are told what happens, except for the outcomes of rows.
	Observers []progress.Observer
}

// Decision is what a plan says about a row, or what became of it.
type Decision = step.Decision

// Why a run ended as it did.
type (
	// SourceError says that the source could not be read to the end.
	SourceError = scan.SourceError
	// StoppedError says that Owlat would refuse every request.
	StoppedError = remote.StoppedError
)

// Errors that end runs.
var (
	ErrInterrupted = apply.ErrInterrupted
	ErrUnavailable = apply.ErrUnavailable
)

// FieldsOf returns the synced fields of a contact.
func FieldsOf(c *owlat.Contact) owlatsync.Texts { return remote.FieldsOf(c) }

// ContactRequest returns the request that creates a contact with the fields that are not nil.
func ContactRequest(email string, fields [owlatsync.NumContactFields]*string) owlat.CreateContactRequest {
	return remote.Request(email, fields)
}

// NewJudge returns a judge that tells, without a plan, which rows of the sync would not be sent.
func NewJudge(s Sync) *scan.Judge { return scan.NewJudge(s.Policies()) }

// State returns the state of the sync's run in this engine; ok is false if none goes on. It may be called at any time.
func (e *Engine) State(sync string) (s progress.State, ok bool) { return e.running.state(sync) }

// Run brings Owlat in step with the source. It tells the outcome of every row but unchanged ones in a progress.RowDone, also of
// rows that it does not reach. The guards are asked before the first write; only the latest held run of a sync keeps its plan. Run
// returns the report so far with an error too, unless the run could not begin. A run that takes longer than Sync.Fresh reads the
// source again and plans what is left, as often as it takes; the guards are asked about what is new. It is one run all the same. Cancelling ctx aborts the run: requests in flight
// are given up, and the next run finds out their outcomes.
//
// Errors: *ledger.LockedError, *ledger.DeploymentError, *ledger.NoRunError (Run is not queued any more), *ledger.RunEndedError (another run of the
// sync began while this one waited), ledger.ErrLockLost, *SourceError (nothing of that reading was applied), *StoppedError,
// ErrUnavailable, ErrInterrupted, *HeldError, the context's cause, the error of Confirm, or the ledger's. Failed rows are no error:
// the report counts them.
func (e *Engine) Run(ctx context.Context, s Sync, o RunOptions) (*owlatsync.Report, error) {
	return e.run(ctx, &s, o, 0)
}

// Approve applies the plan of the held run with that number although guards hold it. It reads the source again, and applies the
// plan only if that is still exactly what would be done. In a long run the approval covers what is left of that plan, and no more. It applies the part that the held run was asked for.
//
// Errors: those of Run, and *ledger.NoRunError, *NotHeldError, ErrPartForgotten, ErrOldPlan (nothing was done) and *MovedError
// (nothing was applied).
func (e *Engine) Approve(ctx context.Context, s Sync, held int64, o RunOptions) (*owlatsync.Report, error) {
	return e.run(ctx, &s, o, held)
}
