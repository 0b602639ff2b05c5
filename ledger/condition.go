package ledger

// Condition is what a ledger was found to be without opening it.
type Condition struct {
	Missing    bool   // there is none yet: opening creates it
	Outdated   bool   // an older version wrote it: opening migrates it
	Deployment string // that the ledger belongs to; empty: none yet, or not known of an outdated one
}
