package postgres

// syncReader reads what the ledger knows about syncs and persons besides entries.
type syncReader struct{ *base }
