package ledger

import "time"

// Bookmark is how far a sync has read its source. It is set by runs that came to their end, and only then; the zero value
// stands for nothing known, so that the next run reads all rows.
type Bookmark struct {
	Settings string    // of what the source and the sync were when it was set
	Mark     string    // owlatsync.Scan.Mark of the last scan
	Full     time.Time // when the last run began that read all rows
	Due      time.Time // when all rows are to be read although the time has not come; zero: not before
	Entries  int       // of the sync, about: those that a run made which came to no end are not counted
	Again    []string  // keys of rows that are not in step, and so are read whether or not they change
}

// Next is when all rows are to be read.
func (b Bookmark) Next(every time.Duration) time.Time {
	next := b.Full.Add(every)
	if !b.Due.IsZero() && b.Due.Before(next) {
		next = b.Due
	}
	return next
}

// NextFull returns when a run of the sync reads all rows again; zero where the next one does.
func (b Bookmark) NextFull(every time.Duration) time.Time {
	if b.Mark == "" {
		return time.Time{}
	}
	return b.Next(every)
}
