package postgres

// runQueue implements ledger.Queue.
type runQueue struct{ *base }
