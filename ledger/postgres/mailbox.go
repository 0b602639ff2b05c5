package postgres

// mailbox implements ledger.Mailbox.
type mailbox struct{ *base }
