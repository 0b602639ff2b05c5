package ledger

// Condition is the state of a ledger that was examined without opening it.
type Condition struct {
	Missing    bool   // there is no ledger yet: opening creates it
	Outdated   bool   // an older version wrote it: opening migrates it
	Deployment string // the deployment that the ledger belongs to; empty: none yet, or the ledger is outdated
}
