package ledger

import (
	"context"
	"iter"
	"time"
)

// Store is a ledger: the durable memory of what Owlat holds for the rows of every sync of one deployment. It is put together from
// what its users need: a Reader for planning, a Lock (with its Writer) for applying, a Journal of the runs, an Inbox for
// what Owlat tells by itself, and an Archive for the care of it. All methods are safe for concurrent use. Times are stored with at least
// millisecond precision and come back in UTC. Texts may hold any bytes but those of Note, Message and Reason, which are UTF-8.
type Store interface {
	Reader
	Journal
	Inbox
	Archive

	// Acquire takes the lock. While another holds it, it fails with a *LockedError, or waits if the claim says so. It fails with a
	// *DeploymentError if the ledger is tied to another deployment than the claim's.
	Acquire(ctx context.Context, claim Claim) (Lock, error)
}

// Reader is what planning needs to know. It needs no lock; while a run goes on, each call answers as of one instant.
type Reader interface {
	// Deployment returns the base URL of the deployment that the ledger is tied to, empty where it is not tied yet.
	Deployment(ctx context.Context) (string, error)
	// Index streams, in no particular order, what the diff needs of every entry of the sync.
	Index(ctx context.Context, sync string) iter.Seq2[IndexEntry, error]
	// Entries returns the sync's entries with the given keys, by key; keys without an entry are left out.
	Entries(ctx context.Context, sync string, keys []string) (map[string]*Entry, error)
	// All streams every entry of the sync, whole, in the order of their keys. Other methods may be called while it streams.
	All(ctx context.Context, sync string) iter.Seq2[*Entry, error]
	// Open streams, in no particular order, the entries of the sync that are not in step with their rows as last seen, in a time
	// that grows with these alone.
	Open(ctx context.Context, sync string) iter.Seq2[*Entry, error]
	// Holders returns the entries of all syncs whose Email or Identity is one of the normalised addresses.
	Holders(ctx context.Context, addresses []string) ([]Holder, error)
	// Sharers returns the entries of all syncs that stand for one of the contacts.
	Sharers(ctx context.Context, contactIDs []string) ([]Holder, error)
	// OptOuts returns the opt-outs of the contacts that are known.
	OptOuts(ctx context.Context, contactIDs []string) ([]OptOut, error)
	// Forgotten tells which of the normalised addresses belong to somebody who was forgotten; the others are left out.
	Forgotten(ctx context.Context, addresses []string) (map[string]bool, error)
	// Standing counts the sync's entries.
	Standing(ctx context.Context, sync string) (Standing, error)
	// SyncState tells the part of Standing that does not take longer for many entries.
	SyncState(ctx context.Context, sync string) (SyncState, error)
	// Bookmark returns how far the sync has read its source, the zero value where that is not known.
	Bookmark(ctx context.Context, sync string) (Bookmark, error)
}

// Writer is what a holder of the lock may change. Every method fails with ErrLockLost, and changes nothing, once the lock is lost,
// and fails too once it is given back.
type Writer interface {
	// Record makes the records durable, all or none, before it returns. Concurrent calls may share one commit.
	Record(ctx context.Context, records ...Record) error
	// Remove durably removes the sync's entries with the given keys, all or none; history stays.
	Remove(ctx context.Context, sync string, keys []string) error
	// SetBookmark durably replaces the sync's bookmark. Forgetting a person drops all bookmarks, because they name rows; an
	// export has none.
	SetBookmark(ctx context.Context, sync string, b Bookmark) error

	// BeginRun numbers and records a run that starts, with the lock's epoch and the present time as its heartbeat; its ID, Epoch,
	// Heartbeat and PlanForm are not read, and an empty status is StatusRunning. Runs of all syncs that are still recorded as running
	// become StatusDied with MessageDied, as whoever has the lock knows that none is alive, and the plans of runs that are not held
	// are dropped. The record is durable after the next durable write: a power failure before that takes with it a run that
	// has done nothing, and its number.
	BeginRun(ctx context.Context, run Run) (id int64, err error)
	// Beat brings the record of a run that goes on up to date, with the present time as its heartbeat. It need not be durable. A run
	// that has ended stays as it is. It fails with a *NoRunError where there is no run with the number.
	Beat(ctx context.Context, beat Beat) error
	// KeepPlan appends items to the plan that is kept for the run, which goes on or is held, all or none. They are visible at once
	// and need not be durable before EndRun. It fails with a *NoRunError where there is no run with the number.
	KeepPlan(ctx context.Context, run int64, items []PlanItem) error
	// EndRun durably records the end of a run, all of the ending or none. It fails with a *NoRunError where there is no run with
	// the number.
	EndRun(ctx context.Context, ending Ending) error
}

// Journal tells of the runs. It needs no lock.
type Journal interface {
	// Run returns the run with the number; it fails with a *NoRunError where there is none. Its time does not grow with the others.
	Run(ctx context.Context, id int64) (*Run, error)
	// Runs returns the sync's latest runs, newest first; an empty sync means all, a limit below 1 all of them.
	Runs(ctx context.Context, sync string, limit int) ([]Run, error)
	// HeldRuns returns the sync's runs whose status is StatusHeld, newest first, in a time that does not grow with the others.
	HeldRuns(ctx context.Context, sync string) ([]Run, error)
	// Plan streams the items that are kept for a held run by ascending Phase and Order, then in the sequence of their keeping.
	Plan(ctx context.Context, run int64) iter.Seq2[PlanItem, error]
}

// Inbox takes in what does not come from a run. It needs no lock and may be used while one goes on.
type Inbox interface {
	// NoteOptOuts durably keeps that persons left topics, all or none; of several for one contact and topic the latest
	// counts.
	NoteOptOuts(ctx context.Context, optOuts ...OptOut) error
	// Retry durably lets the next run try failed rows of the sync at once, parked ones too: those with the given keys, or all if
	// there are none. Their failures get no attempts, are not parked and are due at now, and their history gets a line with
	// EventRetry. It returns how many there are, in a time that grows with the keys, or with the failed rows.
	Retry(ctx context.Context, sync string, keys []string, now time.Time) (rows int, err error)
}

// EventRetry and NoteRetry are the line of history of a row that Retry made due.
const (
	EventRetry = "retry"
	NoteRetry  = "asked for"
)

// HistoryKept is how long the history of rows and the records of runs are kept unless somebody says otherwise.
const HistoryKept = 90 * 24 * time.Hour

// Archive is the care of a ledger: what happened to rows, for how long that is kept, what must not be kept at all, and how it is
// moved. The engine does without it.
type Archive interface {
	// Syncs returns the names of all syncs that the ledger knows, in alphabetical order.
	Syncs(ctx context.Context) ([]string, error)
	// History returns what happened to the row, oldest first.
	History(ctx context.Context, sync, key string) ([]HistoryLine, error)
	// Changes returns what happened to rows of all syncs after the line with the number (0: from the beginning), oldest first, at
	// most limit lines; a limit below 1 means all. Whoever keeps the last number it got and asks again misses nothing but what was
	// pruned or forgotten.
	Changes(ctx context.Context, after int64, limit int) ([]HistoryLine, error)
	// Prune removes the lines of history and the records of runs that are older, and returns how many. The latest run of
	// each sync and those that are held stay. It needs no lock.
	Prune(ctx context.Context, before time.Time) (int64, error)
	// ForgetPerson erases what the ledger holds of the person with the address, in all syncs, beyond recovery, and keeps
	// only keyed hashes for Forgotten and OptOuts. It returns how many entries there were. It takes the lock as a run
	// does and fails with a *LockedError while another holds it. Owlat's contact is not touched.
	ForgetPerson(ctx context.Context, address string) (rows int, err error)

	// Snapshot calls read with all that the ledger holds as of one instant, and returns its error as it is. Other methods may be
	// called meanwhile.
	Snapshot(ctx context.Context, read func(Snapshot) error) error
	// Load calls write with what puts a snapshot into a ledger that holds nothing but perhaps a deployment, all or none of it. It takes
	// the lock as a run does. It fails with ErrNotEmpty where the ledger holds something already, another deployment included, and
	// with the error of write as it is.
	Load(ctx context.Context, deployment string, write func(Loader) error) error
}

// Snapshot is a ledger as of one instant, for export and examination. It has no plans and no bookmarks. One stream is used at a
// time.
type Snapshot interface {
	Deployment() string   // empty: none yet
	ForgetSecret() []byte // under which forgotten addresses are hashed, of HashSize; nil: nobody was forgotten
	LastNumber() int64    // of the latest line of history, though it be pruned or forgotten; 0: there never was one
	Syncs() iter.Seq2[SyncRecord, error]
	Runs() iter.Seq2[Run, error]            // by ascending number
	Entries() iter.Seq2[Holder, error]      // in the order of their first records
	History() iter.Seq2[HistoryLine, error] // oldest first
	OptOuts() iter.Seq2[OptOut, error]      // as they are kept: contacts of forgotten persons by their hashed names
	Forgotten() iter.Seq2[[]byte, error]    // hashes of addresses, of HashSize
}

// Loader takes in what a Snapshot gave. A line that contradicts one before it is an error that matches ErrContradiction. Syncs
// that a line names come to be with it.
type Loader interface {
	SetForgetSecret(secret []byte) error
	AddSync(s SyncRecord) error
	// AddRun adds a run under its number. One that was held becomes StatusSuperseded, because its plan is not there.
	AddRun(r Run) error
	AddEntry(h Holder) error
	// AddHistory adds a line under its number, which is larger than that of every line before, or under the next one where it is 0.
	AddHistory(line HistoryLine) error
	// SetLastNumber lets numbers of lines that are recorded later be larger than n. It comes after all AddHistory.
	SetLastNumber(n int64) error
	AddOptOut(o OptOut) error
	AddForgotten(hash []byte) error
}

// SyncRecord is what a ledger keeps of a sync itself.
type SyncRecord struct {
	Name    string
	Adopted bool // its rows were compared with the contacts that Owlat already had
}

// HistoryLine is one thing that happened to a row.
type HistoryLine struct {
	Number int64 // in the ledger: larger than that of every line before; 0 where it is not known
	Sync   string
	Key    string
	At     time.Time
	Run    int64  // zero: outside of a run
	Event  string // what happened, such as "created"
	Note   string // more about it, for people; no address
}

// IndexEntry is what the diff needs of an entry.
type IndexEntry struct {
	KeyHash uint64 // HashText(Entry.Key)
	Print   uint64 // Entry.Fingerprint.Lo, 0 for an entry that is in doubt or was never applied completely
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
	Adopted bool // see Ending
}

// SyncState is what a run must know of a sync before it reads the index.
type SyncState struct {
	Adopted bool // see Ending
	Open    bool // not every entry is in step with its row as last seen
}

// PlanItem is one item of a plan; Body is the engine's own encoding.
type PlanItem struct {
	Phase int
	Order int64
	Key   string
	Body  []byte
}
