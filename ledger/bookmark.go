package ledger

import "time"

// Bookmark is how far a sync has read its source. Only a run that came to its end sets it. The zero value means that nothing is
// known: the next run reads all rows.
type Bookmark struct {
	Settings string    // hash of the source and the sync when it was set
	Mark     string    // owlatsync.Scan.Mark of the last scan
	Full     time.Time // when the last run of all rows began
	Due      time.Time // when a run must read all rows before their time has come; zero: never
	Entries  int       // about how many entries the sync has: those of runs that did not end are not counted
	Again    []string  // keys of rows that are out of step: the next run reads them even if they do not change
}

// Next returns when a run must read all rows; every is the time between such runs.
func (b Bookmark) Next(every time.Duration) time.Time {
	next := b.Full.Add(every)
	if !b.Due.IsZero() && b.Due.Before(next) {
		next = b.Due
	}
	return next
}

// NextFull returns when a run of the sync must read all rows again; zero means the next run.
func (b Bookmark) NextFull(every time.Duration) time.Time {
	if b.Mark == "" {
		return time.Time{}
	}
	return b.Next(every)
}
