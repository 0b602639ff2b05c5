package ledger

import (
	"context"
	"iter"
	"time"
)

// Store is the durable memory of what Owlat holds for the rows of every sync of one deployment. All methods are safe for
// concurrent use. Times are stored with at least millisecond precision and come back in UTC.
type Store interface {
	// Index streams, in no particular order, what the diff needs of every entry of the sync.
	Index(ctx context.Context, sync string) iter.Seq2[IndexEntry, error]
	// Entries returns the sync's entries with the given keys, by key; keys without an entry are left out.
	Entries(ctx context.Context, sync string, keys []string) (map[string]*Entry, error)
	// Holders returns the entries of all syncs whose Email or Identity is one of the normalised addresses.
	Holders(ctx context.Context, addresses []string) ([]Holder, error)
	// All streams every entry of the sync, whole, in the order of their keys. Record may be called while it streams.
	All(ctx context.Context, sync string) iter.Seq2[*Entry, error]
	// Open streams, in no particular order, the entries of the sync that are not in step with their rows as last seen, in a time
	// that grows with these alone.
	Open(ctx context.Context, sync string) iter.Seq2[*Entry, error]
	// Sharers returns the entries of all syncs that stand for one of the contacts.
	Sharers(ctx context.Context, contactIDs []string) ([]Holder, error)
	// Record makes the records durable, all or none, before it returns. Concurrent calls may share one commit.
	Record(ctx context.Context, records ...Record) error
	// Forget removes the sync's entries with the given keys; history stays.
	Forget(ctx context.Context, sync string, keys []string) error
	// NoteOptOuts durably keeps that persons left topics, all or none; of several for one contact and topic the latest
	// counts.
	NoteOptOuts(ctx context.Context, optOuts ...OptOut) error
	// OptOuts returns the opt-outs of the contacts that are known.
	OptOuts(ctx context.Context, contactIDs []string) ([]OptOut, error)
	// Forgotten tells which of the normalised addresses belong to somebody who was forgotten; the others are left out.
	Forgotten(ctx context.Context, addresses []string) (map[string]bool, error)

	Journal
	PlanStore
}

// Journal keeps the runs.
type Journal interface {
	// Acquire takes the ledger for one run at a time, across processes, and returns what gives it back. It fails with a
	// *LockedError while another live process holds it.
	Acquire(ctx context.Context, purpose string) (release func() error, err error)
	// Bind ties the ledger to the deployment on first use and fails with a *DeploymentError if it is tied to another.
	Bind(ctx context.Context, deployment string) error
	// BeginRun numbers and records a run that starts; EndRun records how it ended.
	BeginRun(ctx context.Context, run Run) (id int64, err error)
	EndRun(ctx context.Context, run Run) error
	// Runs returns the sync's latest runs, newest first; an empty sync means all.
	Runs(ctx context.Context, sync string, limit int) ([]Run, error)
	// HeldRuns returns the sync's runs whose status is StatusHeld, newest first, in a time that does not grow with the others.
	HeldRuns(ctx context.Context, sync string) ([]Run, error)
	// Standing counts the sync's entries.
	Standing(ctx context.Context, sync string) (Standing, error)
	// SyncState tells the part of Standing that does not take longer for many entries.
	SyncState(ctx context.Context, sync string) (SyncState, error)
	// SetAdopted records that the sync has compared its rows with the contacts that Owlat already had.
	SetAdopted(ctx context.Context, sync string) error
	// Bookmark returns how far the sync has read its source, the zero value where that is not known.
	Bookmark(ctx context.Context, sync string) (Bookmark, error)
	// SetBookmark durably replaces the sync's bookmark. Forgetting a person drops all bookmarks, because they name rows; an
	// export has none.
	SetBookmark(ctx context.Context, sync string, b Bookmark) error
}

// PlanStore keeps the items of a run's plan outside memory.
type PlanStore interface {
	// Spool appends items to the plan of the run. They need not be durable before EndRun.
	Spool(ctx context.Context, run int64, items []PlanItem) error
	// Spooled streams the run's items of one phase by ascending Order, then in the sequence of their spooling. Record and
	// Spool may be called while it streams.
	Spooled(ctx context.Context, run int64, phase int) iter.Seq2[PlanItem, error]
	// Unspool drops the run's plan.
	Unspool(ctx context.Context, run int64) error
}

// HistoryKept is how long the history of rows and the records of runs are kept unless somebody says otherwise.
const HistoryKept = 90 * 24 * time.Hour

// Archive is the care of a ledger: what happened to rows, for how long that is kept, and what must not be kept at all. The
// engine does without it.
type Archive interface {
	// Syncs returns the names of all syncs that the ledger knows, in alphabetical order.
	Syncs(ctx context.Context) ([]string, error)
	// History returns what happened to the row, oldest first.
	History(ctx context.Context, sync, key string) ([]HistoryLine, error)
	// Prune removes the lines of history and the records of runs that are older, and returns how many. The latest run of
	// each sync and those that are held stay.
	Prune(ctx context.Context, before time.Time) (int64, error)
	// ForgetPerson erases what the ledger holds of the person with the address, in all syncs, beyond recovery, and keeps
	// only keyed hashes for Forgotten and OptOuts. It returns how many entries there were. It takes the ledger as a run
	// does and fails with a *LockedError while another holds it. Owlat's contact is not touched.
	ForgetPerson(ctx context.Context, address string) (rows int, err error)
}

// HistoryLine is one thing that happened to a row.
type HistoryLine struct {
	At    time.Time
	Run   int64  // zero: outside of a run
	Event string // what happened, such as "created"
	Note  string // more about it, for people; no address
}

// IndexEntry is what the diff needs of an entry.
type IndexEntry struct {
	KeyHash uint64 // HashText(Entry.Key)
	Print   uint64 // Entry.Fingerprint.Lo
	Blank   bool   // Entry.Email is empty
}

// Holder is an entry together with its sync.
type Holder struct {
	Sync  string
	Entry *Entry
}

// Record is one step of a row's history: the entry as it stands now, and what happened.
type Record struct {
	Sync  string
	Run   int64
	Entry *Entry // stored in place of the entry with the same key
	// Replaces is the key of another entry of the sync whose place this one takes, and which goes with the same step; empty:
	// none. That there is none with this key is no error.
	Replaces string
	Event    string // what happened, such as "created"; empty: no line of history
	Note     string // more about it, for people; no address
}

// Standing counts the entries of a sync by how they stand.
type Standing struct {
	Entries int  // all
	Applied int  // in step with their rows as last seen
	Failing int  // with a failure
	Parked  int  // of those, given up until the row changes or somebody says retry
	Adopted bool // SetAdopted was called
}

// SyncState is what a run must know of a sync before it reads the index.
type SyncState struct {
	Adopted bool // SetAdopted was called
	Open    bool // not every entry is in step with its row as last seen
}

// PlanItem is one item of a plan; Body is the engine's own encoding.
type PlanItem struct {
	Phase int
	Order int64
	Key   string
	Body  []byte
}
