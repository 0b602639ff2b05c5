package postgres

// archive implements ledger.Archive.
type archive struct {
	*base
	locker locker
}
