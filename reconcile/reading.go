package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/zeebo/xxh3"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/scan"
)

// DefaultFullEvery is how often a run reads all rows of an Incremental source if the sync does not say.
const DefaultFullEvery = 24 * time.Hour

// againMost is the most unchanged rows that a run reads again by key. If more are out of step, the next run reads all rows.
const againMost = 1000

// reading is how a run reads its source.
type reading struct {
	source   Incremental // nil: all rows are read
	settings string
	bookmark ledger.Bookmark
	changes  bool // only rows that changed since the bookmark are read
	told     *owlatsync.Reading
	scan     owlatsync.Scan
	again    again
}

// readingOf decides how much of the source a run reads. Full demands all rows. Like is the report of the held run whose plan is
// made again, or nil.
func (e *Engine) readingOf(ctx context.Context, s *Sync, full bool, like *owlatsync.Report) (*reading, error) {
	r := &reading{again: again{recreate: s.OnRemoteDelete == RemoteDeleteRecreate, any: s.Policies().AnyConsent()}}
	source, ok := s.Source.(Incremental)
	if !ok || s.FullEvery <= 0 || source.Settings() == "" {
		return r, nil
	}
	var err error
	if r.bookmark, err = e.ledger.Bookmark(ctx, s.Name); err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	r.source, r.settings = source, s.settings(source)
	now := time.Now()
	next := r.bookmark.Next(s.FullEvery)
	why := ""
	switch {
	case full:
		why = "asked for"
	case like != nil && like.Reading != nil && like.Reading.Mode == owlatsync.ReadAll:
		why = "the held run did"
	case r.bookmark.Mark == "":
		why = "no earlier scan is known"
	case r.bookmark.Settings != r.settings:
		why = "the configuration of the sync has changed"
	case like != nil: // the plan can only be the same if the same rows are read
	case r.bookmark.Full.After(now):
		why = "the last scan of all rows lies in the future: the clock was set back"
	case !now.Before(next) && !r.bookmark.Due.IsZero():
		why = "what follows from rows that left the source is still to be done"
	case !now.Before(next):
		why = fmt.Sprintf("the last scan of all rows began %s", r.bookmark.Full.UTC().Format(time.RFC3339))
	}
	if why != "" {
		r.told = &owlatsync.Reading{Mode: owlatsync.ReadAll, Reason: why, NextFull: now.Add(s.FullEvery)}
		return r, nil
	}
	r.changes = true
	r.told = &owlatsync.Reading{Mode: owlatsync.ReadChanges, NextFull: next}
	r.scan.Since = r.bookmark.Mark
	return r, nil
}

// settings hashes everything that makes an unchanged row ask for something else, or that selects other rows.
func (s *Sync) settings(source Incremental) string {
	text := fmt.Sprintf("%d %s %+v %q %q %q %+v", scan.FingerprintVersion, source.Settings(), s.Topics, s.Nulls, s.OnMissing, s.OnRemoteDelete, s.Events)
	if s.Duplicates == ConsentAny {
		text += " a yes of any duplicate"
	}
	return strconv.FormatUint(xxh3.HashString(text), 16)
}

// begin drops the bookmark before a run of all rows writes anything, so that the next run reads all rows if this one does not end.
func (r *reading) begin(ctx context.Context, w ledger.Writer, sync string) error {
	if r.source == nil || r.changes || r.bookmark.Mark == "" {
		return nil
	}
	return setBookmark(ctx, w, sync, ledger.Bookmark{})
}

// keep returns the bookmark of a run that came to its end, nil if the source has none. It names the rows that the run left out of
// step: the next run reads them again by key.
func (r *reading) keep(p owlatsync.Summary, started time.Time) *ledger.Bookmark {
	if r.source == nil {
		return nil
	}
	b := ledger.Bookmark{Settings: r.settings, Mark: r.scan.Mark, Full: r.bookmark.Full, Due: r.bookmark.Due, Entries: r.again.made + p.Entries}
	switch due := r.again.due; {
	case !r.changes:
		b.Full, b.Due = started, due
	case !due.IsZero() && (b.Due.IsZero() || due.Before(b.Due)):
		b.Due = due
	}
	var fit bool
	if b.Again, fit = r.again.keys(); !fit {
		b = ledger.Bookmark{} // only a scan of all rows finds them all
	}
	return &b
}

func setBookmark(ctx context.Context, w ledger.Writer, sync string, b ledger.Bookmark) error {
	if err := w.SetBookmark(ctx, sync, b); err != nil {
		return fmt.Errorf("record how far the source was read: %w", err)
	}
	return nil
}

// again gathers the rows that a run leaves out of step. It is used by one goroutine at a time.
type again struct {
	recreate bool // the next run creates deleted contacts again
	any      bool // what duplicates say counts, so that all must be read

	failed     []string
	duplicates []string
	made       int       // rows that the ledger did not know
	due        time.Time // when absences are tried again; zero: never
}

// Note takes in the outcome of a row.
func (a *again) Note(key string, outcome owlatsync.Outcome) {
	switch {
	case key == "":
	case outcome == owlatsync.Failed, outcome == owlatsync.Skipped && a.recreate:
		if len(a.failed) <= againMost {
			a.failed = append(a.failed, key)
		}
	case outcome == owlatsync.Duplicate:
		if len(a.duplicates) <= againMost {
			a.duplicates = append(a.duplicates, key)
		}
	}
}

// Waits notes that the consequence of an absence was put off until that time.
func (a *again) Waits(until time.Time) {
	if a.due.IsZero() || until.Before(a.due) {
		a.due = until
	}
}

// Absent takes in the outcome of a row that left the source; e is its entry now.
func (a *again) Absent(outcome owlatsync.Outcome, e *ledger.Entry) {
	switch f := e.Failure; {
	case outcome == owlatsync.Removed, outcome == owlatsync.Failed && f != nil && f.Parked:
	case outcome == owlatsync.Failed && f != nil:
		a.Waits(f.NextTry)
	default:
		a.Waits(time.Now())
	}
}

// Made counts a row that the ledger did not know.
func (a *again) Made() { a.made++ }

// keys returns the rows to read again; fit is false if more failed than fit. Duplicates come last: those that do not fit wait for a
// scan of all rows, unless their consents count.
func (a *again) keys() (keys []string, fit bool) {
	if len(a.failed) > againMost || a.any && len(a.failed)+len(a.duplicates) > againMost {
		return nil, false
	}
	keys = append(keys, a.failed...)
	keys = append(keys, a.duplicates[:min(len(a.duplicates), againMost-len(keys))]...)
	slices.Sort(keys)
	return slices.Compact(keys), true
}
