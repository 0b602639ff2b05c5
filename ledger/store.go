package ledger

import (
	"context"
	"iter"
	"time"
)

// Store is a ledger: the durable memory of what Owlat holds for the rows of every sync of one deployment. It joins what its users
// need: a Reader for planning, a Lock with its Writer for applying, a Journal of the runs and a Queue of those to come, an Inbox and a
// Mailbox for news from outside a run, an Outbox for what is to be told elsewhere, the Rounds that look for people who have left, an Audit of who asked for what, and an Archive for care. All go by one Clock. All methods are safe for concurrent use. Times keep at least millisecond precision and come back in UTC.
// Texts may hold any bytes, except Note, Message and Reason, which are UTF-8.
type Store interface {
	Clock
	Reader
	Journal
	Queue
	Inbox
	Mailbox
	Outbox
	Rounds
	Audit
	Archive

	// Acquire takes the lock. If another holder has it, Acquire fails with a *LockedError, or waits if the claim says so. It fails
	// with a *DeploymentError if the ledger is tied to another deployment than the claim's.
	Acquire(ctx context.Context, claim Claim) (Lock, error)
}

// Reader is what planning needs to know. It needs no lock. While a run goes on, each call answers as of one instant.
type Reader interface {
	Clock
	Heard

	// Deployment returns the base URL of the deployment that the ledger is tied to, empty if it is not tied yet.
	Deployment(ctx context.Context) (string, error)
	// Index streams what the diff needs of every entry of the sync that has not departed, in no particular order. Departed entries
	// cost next to nothing.
	Index(ctx context.Context, sync string) iter.Seq2[IndexEntry, error]
	// Entries returns the sync's entries with the given keys, by key. It leaves out keys without an entry.
	Entries(ctx context.Context, sync string, keys []string) (map[string]*Entry, error)
	// Numbered returns the sync's entries with the given numbers of the Index, in no particular order. It leaves out numbers without
	// an entry.
	Numbered(ctx context.Context, sync string, numbers []int64) ([]*Entry, error)
	// All streams every complete entry of the sync, departed ones too, in the order of the keys. Other methods may be called while it streams.
	All(ctx context.Context, sync string) iter.Seq2[*Entry, error]
	// Open streams the entries of the sync that are not in step with their rows as last seen, in no particular order. Its time
	// grows only with their number. Departed entries are not among them.
	Open(ctx context.Context, sync string) iter.Seq2[*Entry, error]
	// Departed streams the departed entries of the sync whose terms are others than the given ones, in no particular order. Its time
	// grows only with their number.
	Departed(ctx context.Context, sync, terms string) iter.Seq2[*Entry, error]
	// Pending streams the entries of the sync that have an Asked, the latest first. Its time grows only with those that the caller
	// takes.
	Pending(ctx context.Context, sync string) iter.Seq2[*Entry, error]
	// Holders returns the entries of all syncs whose Email or Identity is one of the normalised addresses.
	Holders(ctx context.Context, addresses []string) ([]Holder, error)
	// Sharers returns the entries of all syncs that stand for one of the contacts.
	Sharers(ctx context.Context, contactIDs []string) ([]Holder, error)
	// OptOuts returns the known opt-outs of the contacts.
	OptOuts(ctx context.Context, contactIDs []string) ([]OptOut, error)
	// Forgotten returns the normalised addresses that belong to a forgotten person; it leaves out the others.
	Forgotten(ctx context.Context, addresses []string) (map[string]bool, error)
	// Standing counts the sync's entries by their state.
	Standing(ctx context.Context, sync string) (Standing, error)
	// SyncState returns the part of Standing whose time does not grow with the entries.
	SyncState(ctx context.Context, sync string) (SyncState, error)
	// Bookmark returns how far the sync has read its source, the zero value if that is not known.
	Bookmark(ctx context.Context, sync string) (Bookmark, error)
}

// Writer is what the holder of the lock may change. Every method fails with ErrLockLost, and changes nothing, once the lock is
// lost. It also fails after the lock was released.
type Writer interface {
	Turns

	// Record makes the records durable before it returns, all or none. Concurrent calls may share one commit.
	Record(ctx context.Context, records ...Record) error
	// Remove durably removes the sync's entries with the given keys, all or none. Their history stays.
	Remove(ctx context.Context, sync string, keys []string) error
	// SetBookmark durably replaces the sync's bookmark. Bookmarks name rows, so ForgetPerson drops them all, and exports have none.
	SetBookmark(ctx context.Context, sync string, b Bookmark) error
	// KeepRound durably replaces what is known of rounds. Exports have none.
	KeepRound(ctx context.Context, round Round) error

	// BeginRun records a run that starts and returns its number. An ID other than 0 names a queued run of the sync, which begins under
	// that number and keeps its Full and Approves; BeginRun fails with a *NoRunError if there is none. The run gets the lock's epoch and the
	// present time as its heartbeat. BeginRun ignores its Epoch, Heartbeat and PlanForm; an empty status means StatusRunning. All runs
	// still recorded as running become StatusDied with MessageDied, because the holder of the lock knows that none is alive, and so do
	// waiting runs of the sync. The plans of runs that are neither held nor waiting are dropped. The record is durable with the next durable write: before that, a power failure loses a
	// run that has done nothing, and its number.
	BeginRun(ctx context.Context, run Run) (id int64, err error)
	// Beat updates the record of a running run, with the present time as its heartbeat. It need not be durable. A run that waits or has
	// ended stays as it is. Beat fails with a *NoRunError if there is no such run.
	Beat(ctx context.Context, beat Beat) error
	// KeepPlan appends items to the plan of a run that goes on or is held, all or none. They are visible at once and need not be
	// durable before EndRun. KeepPlan fails with a *NoRunError if there is no such run.
	KeepPlan(ctx context.Context, run int64, items []PlanItem) error
	// EndRun durably records the end of a run, all or nothing. It fails with a *NoRunError if there is no such run.
	EndRun(ctx context.Context, ending Ending) error
}

// Journal reads the records of runs. It needs no lock.
type Journal interface {
	// Run returns the run with the number, or fails with a *NoRunError. Its time does not grow with the number of runs.
	Run(ctx context.Context, id int64) (*Run, error)
	// Runs returns the latest runs of the sync, newest first, without those of ModePlan. An empty sync means all syncs, a limit below 1
	// all runs. For one sync its time grows only with what it returns.
	Runs(ctx context.Context, sync string, limit int) ([]Run, error)
	// RunsBefore returns the latest runs of the sync whose numbers are smaller, as Runs does. Its time grows only with what it returns.
	RunsBefore(ctx context.Context, sync string, number int64, limit int) ([]Run, error)
	// RunsSince returns the first runs of the sync that ended at the time or later, by their ends and then their numbers, without those of ModePlan. A limit below 1
	// means all. Its time grows only with what it returns.
	RunsSince(ctx context.Context, sync string, ended time.Time, limit int) ([]Run, error)
	// Briefs returns what plots need of the sync's latest runs that have begun, newest first, without those of ModePlan: of those that ended
	// at the time or later, or have no end and were heard of at the time or later. A limit below 1 means all. Its time grows with what it returns, and
	// little with what else the records of the runs hold.
	Briefs(ctx context.Context, sync string, since time.Time, limit int) ([]Brief, error)
	// HeldRuns returns the sync's runs with StatusHeld, newest first. Its time does not grow with the other runs.
	HeldRuns(ctx context.Context, sync string) ([]Run, error)
	// Plan streams the kept items of a held run by ascending Phase and Order, then in the order in which they were kept.
	Plan(ctx context.Context, run int64) iter.Seq2[PlanItem, error]
	// PlanPart returns a part of the items of Plan, in its order. Its time does not grow with the items that come before After, and with
	// those that it leaves out for the sake of Key or Address.
	PlanPart(ctx context.Context, want PlanPart) ([]PlacedItem, error)
}

// Inbox takes in what does not come from a run. It needs no lock and may be used while a run goes on.
type Inbox interface {
	Clock

	// NoteOptOuts durably records opt-outs, all or none. Of several for one contact and topic the latest counts (see OptOut.Later).
	NoteOptOuts(ctx context.Context, optOuts ...OptOut) error
	// Retry durably lets the next run try failed rows of the sync at once, even parked ones: those with the given keys, or all if
	// there are no keys. It sets their failures to no attempts, not parked and due at now, and adds a line with EventRetry to their
	// history. If the failed step follows from a row's absence, the sync's bookmark becomes due at now. It returns the number of rows.
	// Its time grows with the keys or with the failed rows.
	Retry(ctx context.Context, sync string, keys []string, now time.Time) (rows int, err error)
}

// EventRetry and NoteRetry are the line that Retry adds to the history of a row.
const (
	EventRetry = "retry"
	NoteRetry  = "asked for"
)

// EventOptedOut is the line of a row whose person a run opted out of everything in Owlat.
const EventOptedOut = "opted out of everything"

// EventLifted is the line of a row whose address somebody suppresses no longer.
const EventLifted = "suppression lifted"

// EventRowLeft is the line of a row that has left the source, from the run that noticed it.
const EventRowLeft = "row left"

// HistoryKept is how long the history of rows and the records of runs are kept by default.
const HistoryKept = 90 * 24 * time.Hour

// Archive is the care of a ledger: the history of rows, how long it is kept, the forgetting of persons, and moving the ledger. The
// engine does without it.
type Archive interface {
	// Syncs returns the names of all known syncs in alphabetical order.
	Syncs(ctx context.Context) ([]string, error)
	// History returns the history of the row, oldest first.
	History(ctx context.Context, sync, key string) ([]HistoryLine, error)
	// Changes returns the history of all rows after the line with the number, oldest first; 0 means from the beginning. It returns
	// at most limit lines; a limit below 1 means all. A caller that goes on from the last number it got misses only what was pruned
	// or forgotten.
	Changes(ctx context.Context, after int64, limit int) ([]HistoryLine, error)
	// LinesOfRun returns the lines of history that a run has added, in the order of recording. Its time grows with the lines that were
	// added while the run went on, and not with the others.
	LinesOfRun(ctx context.Context, want RunLines) ([]HistoryLine, error)
	// Prune removes older lines of history, records of runs, audit lines, feedback with its deliveries, and what is Known, and returns how many. The
	// latest run of each sync that has begun, runs that are held, queued or waiting, and feedback with a waiting delivery stay. It needs
	// no lock.
	Prune(ctx context.Context, before time.Time) (int64, error)
	// ForgetPerson erases everything that the ledger holds about the person with the address, in all syncs and beyond recovery. It
	// keeps only keyed hashes for Forgotten, OptOuts and Suppressions, and until Prune the hashes of feedback, so that TakeIn knows a
	// repetition. Audit lines stay, as they name no person of a row; only in their Who the address is replaced. It returns how many entries it erased. It takes the lock as a run does, and fails with a *LockedError while another
	// holds it. It does not touch Owlat's contact.
	ForgetPerson(ctx context.Context, address string) (rows int, err error)

	// Snapshot calls read with everything that the ledger holds as of one instant, and returns its error as it is. Other methods
	// may be called meanwhile.
	Snapshot(ctx context.Context, read func(Snapshot) error) error
	// Load calls write to put a snapshot into an empty ledger, all or nothing. It fails with ErrNotEmpty if the ledger holds
	// anything but a tie to the same deployment. It takes the lock as a run does. It returns the error of write as it is.
	Load(ctx context.Context, deployment string, write func(Loader) error) error
}

// Snapshot is a ledger as of one instant, for export and examination. It has no plans, no bookmarks, no rounds, no feedback and no deliveries,
// and nothing of what is Known. Only one stream may be used
// at a time.
type Snapshot interface {
	Deployment() string                     // empty: none yet
	ForgetSecret() []byte                   // key of the hashes of forgotten addresses, of HashSize; nil: nobody was forgotten
	LastNumber() int64                      // of the latest line of history, even if it was pruned or forgotten; 0: there never was one
	Syncs() iter.Seq2[SyncRecord, error]    // in the order in which they came
	Runs() iter.Seq2[Run, error]            // by ascending number
	Entries() iter.Seq2[Holder, error]      // those of each sync in the order of their first records
	History() iter.Seq2[HistoryLine, error] // oldest first
	OptOuts() iter.Seq2[OptOut, error]      // contacts of forgotten persons have their hashed names
	// Suppressions are in the order of their addresses; those of forgotten persons have their hashed names.
	Suppressions() iter.Seq2[Suppression, error]
	Forgotten() iter.Seq2[[]byte, error] // hashes of addresses, of HashSize
	Audit() iter.Seq2[AuditLine, error]  // oldest first
}

// Loader takes in what a Snapshot gave. It returns an error that matches ErrContradiction for a line that contradicts an earlier
// one. A line that names a new sync creates it.
type Loader interface {
	// SetForgetSecret sets the key of the hashes of forgotten addresses, of HashSize, once.
	SetForgetSecret(secret []byte) error
	// AddSync adds a sync, or what is said of one that is there already.
	AddSync(s SyncRecord) error
	// AddRun adds a run under its number. A held run becomes StatusSuperseded, because its plan is not there, a queued run
	// StatusCancelled, and a waiting run StatusDied.
	AddRun(r Run) error
	// AddEntry adds an entry of a sync. A key that the sync has already contradicts it.
	AddEntry(h Holder) error
	// AddHistory adds a line under its number, which must be larger than all before; 0 means the next number.
	AddHistory(line HistoryLine) error
	// SetLastNumber makes the numbers of later lines larger than n. It comes after all AddHistory.
	SetLastNumber(n int64) error
	// AddOptOut adds an opt-out, as NoteOptOuts does.
	AddOptOut(o OptOut) error
	// AddSuppression adds a suppression of an address or of a contact.
	AddSuppression(s Suppression) error
	// AddForgotten adds the hash of the address of a forgotten person, of HashSize.
	AddForgotten(hash []byte) error
	// AddAudit adds a line under its number, which must be larger than all before; 0 means the next number.
	AddAudit(line AuditLine) error
}

// SyncRecord is what a ledger keeps about a sync itself.
type SyncRecord struct {
	Name    string
	Adopted bool      // the sync has compared its rows with Owlat's existing contacts
	SetBack time.Time // see SyncState
}

// HistoryLine is one thing that happened to a row.
type HistoryLine struct {
	Number int64 // ascends within the ledger; 0: not known
	Sync   string
	Key    string
	At     time.Time
	Run    int64  // 0: outside a run
	Event  string // what happened, such as "created"
	Note   string // more about it, for people; no address
}

// RunLines says which lines of history of a run are wanted.
type RunLines struct {
	Run    int64
	Events []string // only with one of these; empty: any
	Key    string   // only of the row with this key; empty: any
	After  int64    // only with a larger number
	Limit  int      // the most; below 1: all
}

// IndexEntry is what the diff needs of an entry.
type IndexEntry struct {
	Number  int64  // names the entry within its sync, for Numbered
	KeyHash uint64 // HashText(Entry.Key)
	Print   uint64 // Entry.Fingerprint.Lo; 0 if the entry is in doubt or was never applied completely
	Blank   bool   // Entry.Email is empty
}

// Holder is an entry together with its sync.
type Holder struct {
	Sync  string
	Entry *Entry
}

// Record is one step of a row's history: the new entry, and what happened.
type Record struct {
	Sync  string
	Run   int64
	Entry *Entry // replaces the entry with the same key
	// Replaces is the key of another entry of the sync that this record removes; empty: none. It is no error if there is no such
	// entry.
	Replaces string
	Event    string // what happened, such as "created"; empty: no line of history
	Note     string // more about it, for people; no address
}

// Standing counts the entries of a sync by their state.
type Standing struct {
	Entries  int       // all entries but departed ones
	Applied  int       // in step with their rows as last seen
	Failing  int       // with a failure
	Parked   int       // failing and given up until the row changes or Retry
	Asked    int       // whose people were asked to confirm within ConfirmWithin: Entry.Asked is no longer ago
	OptedOut int       // for whose contact an OptOut is known
	Departed int       // departed entries, which count nowhere else
	Adopted  bool      // see Ending
	SetBack  time.Time // see SyncState
}

// SyncState is what a run must know about a sync before it reads the index.
type SyncState struct {
	Adopted bool // see Ending
	Open    bool // some entry is not in step with its row as last seen
	// SetBack is when the ledger was noticed to be older than what was done. Its entries were made safe then (see SetBack). It is
	// zero once a run has come to its end since; see Ending. It holds for a sync that the ledger does not know yet, too.
	SetBack time.Time
}

// PlanPart says which items of a plan are wanted.
type PlanPart struct {
	Run int64
	Key string // only of the row with this key; empty: any
	// Address is HashText of the normalised address that items must concern; 0: any.
	Address uint64
	After   *PlanPlace // only later ones; nil: from the first
	Limit   int        // the most; below 1: all
}

// PlanPlace is the place of an item in its plan; Number tells those of one Phase and Order apart.
type PlanPlace struct {
	Phase         int
	Order, Number int64
}

// PlacedItem is an item with its place.
type PlacedItem struct {
	PlanItem
	Place PlanPlace
}

// PlanItem is one item of a plan; Body is the engine's own encoding.
type PlanItem struct {
	Phase int
	Order int64
	Key   string
	// Addresses has HashText of every normalised address that the item concerns: ForgetPerson drops the items of a person by them.
	Addresses []uint64
	Body      []byte
}
