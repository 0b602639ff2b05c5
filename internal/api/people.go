package api

import (
	"context"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/ways"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

// Rows is the part of a ledger that has rows and persons, and takes what operators ask for about them. The API shows nothing of it: the
// page does.
type Rows interface {
	ledger.Reader
	History(ctx context.Context, sync, key string) ([]ledger.HistoryLine, error)
	Feedbacks(ctx context.Context, event, person string, before int64, limit int) ([]ledger.Feedback, error)
	Run(ctx context.Context, id int64) (*ledger.Run, error)
	AllSuppressions(ctx context.Context, limit int) ([]ledger.Suppression, error)
	Retry(ctx context.Context, sync string, keys []string, now time.Time) (rows int, err error)
	Lift(ctx context.Context, address string) (was bool, err error)
	ForgetPerson(ctx context.Context, address string) (rows int, err error)
}

// Inquiry finds out about rows what the ledger does not know. Its methods are safe for concurrent use.
type Inquiry interface {
	// Configured returns the syncs of the configuration, in its order.
	Configured() []config.Sync
	// Ways returns how it becomes known who has left, and what Owlat can be told.
	Ways() ways.Ways
	// Contact asks Owlat for a contact, within the budget of the key. It fails as owlat's Contacts.Get does.
	Contact(ctx context.Context, id string) (*owlat.Contact, error)
	// Members asks on which topics a contact is, which takes nothing of the key's budget. It returns nil without the unsubscribe secret that it needs. It fails
	// as owlat's Preferences.Get does.
	Members(ctx context.Context, id string) (*owlat.ContactPreferences, error)
	// Unsent returns rows that the latest run of the sync that read all rows could not send; ok is false if that run was made before this process began, or by another.
	Unsent(sync string) (rows Unsent, ok bool)
	// Read reads the source of a sync. It tells each row as it is read, which is valid during the call, and then each that cannot be sent; see may be nil.
	// An error of each ends it, and comes back.
	Read(ctx context.Context, sync config.Sync, see func(*owlatsync.Row), each func(reconcile.Trouble) error) error
}

// Unsent is rows that a run could not send, the first of them.
type Unsent struct {
	Run  int64
	At   time.Time // when the run began
	Rows []UnsentRow
	Cut  bool // there are more
}

// UnsentRow is one of them, without its address, and without a key that may hold one.
type UnsentRow struct {
	reconcile.Trouble
	Hash uint64 // ledger.HashText of the address as the source has it, trimmed and lower-cased; 0: it has none
}
