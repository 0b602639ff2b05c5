package postgres

// outbox implements ledger.Outbox.
type outbox struct{ *base }
