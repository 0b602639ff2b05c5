package ledger

// Condition is the state of a ledger that was examined without opening it.
type Condition struct {
	Missing    bool   // there is no ledger yet: opening creates it
	Outdated   bool   // an older version wrote it: opening migrates it
	Newer      bool   // a newer version has migrated it, and this one still works with it
	Deployment string // the deployment that the ledger belongs to; empty: none yet, or the ledger is outdated
}

// Migration is one step that brings a ledger of an older version up to date.
type Migration struct {
	Of      string // whose tables it is about: "ledger" or "river"
	Version int    // its number among those
	Name    string // what it is about, in a few words
}

// Migrations say what brings a ledger up to date.
type Migrations struct {
	Version int         // of the ledger as it is, 0: there is none
	Newest  int         // version that this program knows; it may be older than the ledger
	Missing []Migration // what is to be done, in order
}
