package postgres

// inbox implements ledger.Inbox.
type inbox struct{ *base }
