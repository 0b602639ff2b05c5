package postgres

// journal implements ledger.Journal.
type journal struct{ *base }
