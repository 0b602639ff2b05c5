package api

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/internal/events"
	"owlatsync/internal/standing"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/reconcile/progress"
)

// State is how a sync is, in one word.
type State string

const (
	Healthy      State = "healthy"       // its last run was good, and the next one will come; rows of it may fail, which Troubles says
	Running      State = "running"       // a run goes on
	Queued       State = "queued"        // a run waits for its turn
	Held         State = "held"          // a guard holds its last run
	Failing      State = "failing"       // its last run failed
	Stale        State = "stale"         // it has had no good run for too long
	NotScheduled State = "not scheduled" // it runs only when somebody asks
)

// States lists all states.
var States = []State{Healthy, Running, Queued, Held, Failing, Stale, NotScheduled}

// SyncState is how a sync stands.
type SyncState struct {
	standing.Sync
	State State
	Why   string // why it is so if somebody should know, for people; holds no address
	// Next is when the schedule has the next run; zero: never.
	Next time.Time
	// Waits is the held run for whose approval the schedule waits; 0: it waits for none. Next is then when the sync is due all the same; zero: not before.
	Waits int64
	// Approved has the held runs whose plans are being applied, or will be.
	Approved []int64
	// LastGood is when its last good run ended; zero: there was none.
	LastGood time.Time
}

// Troubles says which rows of a sync are not in Owlat as the source has them, and do not get there by themselves at once; empty: none.
func Troubles(s standing.Sync) string {
	var all []string
	if n := s.Rows.Failing; n == 1 {
		all = append(all, "1 row fails")
	} else if n > 1 {
		all = append(all, fmt.Sprintf("%d rows fail", n))
	}
	if n := s.Unsendable(); n > 0 {
		all = append(all, owlatsync.Counted(n, "row")+" cannot be sent")
	}
	return strings.Join(all, ", and ")
}

// Budget is how many requests a second may be sent with the keys of a deployment, and how many are.
type Budget struct {
	Limit float64     // as the configuration and Owlat's latest answers say; 0: neither has said it yet
	Used  float64     // the mean of the last BudgetWindow seconds
	Keys  []KeyBudget // the same of each of several keys, in their order; none where there is only one, or where nothing is known
}

// KeyBudget is the budget of one of several keys.
type KeyBudget struct {
	Limit, Used float64
	Refused     bool // Owlat refuses it, at all or for what needs a scope
}

// BudgetWindow is over how many seconds the use of the budget is a mean.
const BudgetWindow = 10

// Service is what the API needs of what runs. Its methods are safe for concurrent use.
type Service interface {
	// Syncs returns how each configured sync stands, with its latest run, in the order of the configuration.
	Syncs(ctx context.Context) ([]SyncState, error)
	// Personal reports whether the keys of the sync are or hold addresses. It reports true for a sync that is not configured.
	Personal(sync string) bool
	// Progress returns how far a run is; ok is false if it does not go on, or no more is known of it here than its record says.
	Progress(run int64) (state progress.State, ok bool)
	// Budget returns what Owlat allows and what of it is in use; here is false if another node sends, of which nothing is known here.
	Budget() (b Budget, here bool)
	// Ready returns why the service cannot do its work, nil if it can. The reason holds no secret and no address.
	Ready(ctx context.Context) error
}

// Desk takes what people ask for. What it takes is durable before it returns. See turns.Desk, which also says how its methods fail.
type Desk interface {
	// Trigger queues a run of a sync and returns its number.
	Trigger(ctx context.Context, sync string, o turns.Options) (run int64, err error)
	// Approve queues a run that applies the plan of a held run, and returns its number.
	Approve(ctx context.Context, held int64) (run int64, err error)
	// Dismiss decides against the plan of a held run.
	Dismiss(ctx context.Context, held int64) error
	// Cancel takes a queued run back, or makes one that goes on end softly, without waiting for that.
	Cancel(ctx context.Context, run int64) error
}

// Hub tells what happens. See events.Hub.
type Hub interface {
	Subscribe(f events.Filter) (c <-chan events.Event, cancel func())
}

// Ledger is the part of a ledger that is shown, with its audit, which takes in what is asked for.
type Ledger interface {
	ledger.Audit
	standing.Records
	Runs(ctx context.Context, sync string, limit int) ([]ledger.Run, error)
	RunsBefore(ctx context.Context, sync string, number int64, limit int) ([]ledger.Run, error)
	RunsSince(ctx context.Context, sync string, ended time.Time, limit int) ([]ledger.Run, error)
	Briefs(ctx context.Context, sync string, since time.Time, limit int) ([]ledger.Brief, error)
	Feedbacks(ctx context.Context, event, person string, before int64, limit int) ([]ledger.Feedback, error)
	LastFeedback(ctx context.Context) (time.Time, error)
	Round(ctx context.Context) (ledger.Round, error)
}

// Decisions is the part of a ledger that tells of single rows of runs. See ledger.Archive, ledger.Journal and ledger.Reader.
type Decisions interface {
	LinesOfRun(ctx context.Context, want ledger.RunLines) ([]ledger.HistoryLine, error)
	HeldRuns(ctx context.Context, sync string) ([]ledger.Run, error)
	Plan(ctx context.Context, run int64) iter.Seq2[ledger.PlanItem, error]
	PlanPart(ctx context.Context, want ledger.PlanPart) ([]ledger.PlacedItem, error)
	Entries(ctx context.Context, sync string, keys []string) (map[string]*ledger.Entry, error)
}

// Outbox has the deliveries of write-backs. See ledger.Outbox.
type Outbox interface {
	ledger.Clock
	Deliveries(ctx context.Context, state ledger.DeliveryState, limit int) ([]ledger.Delivery, error)
	DeliveryCounts(ctx context.Context) (map[string]map[ledger.DeliveryState]int, error)
	RetryDeliveries(ctx context.Context, ids []int64, now time.Time) (int, error)
}

var (
	_ Desk = turns.Desk{}
	_ Hub  = (*events.Hub)(nil)
)
