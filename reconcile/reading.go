package reconcile

import (
	"context"
	"fmt"
	"iter"
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
	source   Incremental // nil: all rows are read, or those with some keys
	picked   Keyed       // nil: rows are not read by keys alone
	keys     []string    // those that are asked for besides what the bookmark names
	settings string
	bookmark ledger.Bookmark
	changes  bool // only rows that changed since the bookmark are read, or those with some keys
	told     *owlatsync.Reading
	scan     owlatsync.Scan
	again    again

	times int      // how often the source was read, or is
	unfit bool     // an earlier reading left more rows out of step than can be named
	rest  []string // rows that earlier readings left out of step, if only changes are read
	made  int      // rows that the ledger did not know before earlier readings, if only changes are read
}

// asked is what a run is asked to read, of which it reads as much as it must.
type asked struct {
	ledger ledger.Reader
	sync   *Sync
	full   bool              // all rows
	keys   []string          // only the rows with these keys
	like   *owlatsync.Report // what the held run has read whose plan is made again; nil: there is none
}

// reading decides how much of the source a run reads.
func (a asked) reading(ctx context.Context) (*reading, error) {
	if r, err := a.onlyKeys(ctx); r != nil || err != nil {
		return r, err
	}
	s, full, like := a.sync, a.full, a.like
	r := &reading{again: again{now: a.ledger.Now, recreate: s.OnRemoteDelete == RemoteDeleteRecreate, any: s.Policies().Crowds()}, times: 1}
	source, ok := s.Source.(Incremental)
	if !ok || s.FullEvery <= 0 || source.Settings() == "" {
		return r, nil
	}
	var err error
	if r.bookmark, err = a.ledger.Bookmark(ctx, s.Name); err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	r.source, r.settings = source, s.settings(source)
	now := a.ledger.Now()
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

// onlyKeys returns the reading of a run that reads by keys alone, nil if it must read more.
func (a asked) onlyKeys(ctx context.Context) (*reading, error) {
	s := a.sync
	source, ok := s.Source.(Keyed)
	if !ok || len(a.keys) == 0 || a.full || !source.Picks() {
		return nil, nil
	}
	state, err := a.ledger.SyncState(ctx, s.Name)
	if err != nil {
		return nil, readLedger(err)
	}
	if !state.Adopted || !state.SetBack.IsZero() {
		return nil, nil
	}
	b, err := a.ledger.Bookmark(ctx, s.Name)
	if err != nil {
		return nil, readLedger(err)
	}
	several := s.Policies().Crowds()
	incremental, follows := s.Source.(Incremental)
	known := follows && s.FullEvery > 0 && b.Mark != "" && b.Settings == s.settings(incremental)
	if several && !known {
		return nil, nil // duplicates that the ledger does not know may have a say
	}
	keys := slices.Clone(a.keys)
	slices.Sort(keys)
	keys = slices.Compact(keys)
	r := &reading{
		picked: source, keys: keys, bookmark: b, changes: true, again: again{now: a.ledger.Now, recreate: s.OnRemoteDelete == RemoteDeleteRecreate, any: several}, times: 1,
		told: &owlatsync.Reading{Mode: owlatsync.ReadKeys, Keys: len(keys)},
	}
	if follows {
		r.told.NextFull = b.NextFull(s.FullEvery)
	}
	return r, nil
}

// rows streams the rows that the run reads.
func (r *reading) rows(ctx context.Context, all Source) iter.Seq2[*owlatsync.Row, error] {
	switch {
	case r.picked != nil:
		return r.picked.Pick(ctx, func(ctx context.Context) ([]string, error) { return r.scan.Again(ctx) })
	case r.source == nil:
		return all.Rows(ctx)
	}
	return r.source.Scan(ctx, &r.scan)
}

// named returns the keys of rows that are read whether or not they changed, besides those that other rows lead to.
func (r *reading) named() []string {
	if r.picked != nil && !r.again.any {
		return slices.Concat(r.keys, r.rest)
	}
	return slices.Concat(r.keys, r.bookmark.Again, r.rest)
}

// settings hashes everything that makes an unchanged row ask for something else, or that selects other rows.
func (s *Sync) settings(source Incremental) string {
	text := fmt.Sprintf("%d %s %+v %q %q %q %+v", scan.FingerprintVersion, source.Settings(), s.Topics, s.Nulls, s.OnMissing, s.OnRemoteDelete, s.Events)
	if s.Match {
		text += fmt.Sprintf(" events alone, facts since %s", s.Since)
	}
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

// afresh prepares for reading the source once more. Changes are read from the same mark on, so that nothing is left out that is not
// done yet; unreached are rows of the plan that may not be among them.
func (r *reading) afresh(unreached []string) {
	r.times++
	if r.changes {
		rest, fit := r.again.keys()
		r.rest, r.made = append(rest, unreached...), r.made+r.again.made
		r.unfit = r.unfit || !fit
	}
	r.again = again{now: r.again.now, recreate: r.again.recreate, any: r.again.any}
	r.scan = owlatsync.Scan{Since: r.scan.Since}
}

// keep returns the bookmark of a run that came to its end, nil if the source has none. It names the rows that the run left out of
// step: the next run reads them again by key.
func (r *reading) keep(p owlatsync.Summary, started time.Time) *ledger.Bookmark {
	if r.picked != nil {
		return r.keepKeys()
	}
	if r.source == nil {
		return nil
	}
	b := ledger.Bookmark{Settings: r.settings, Mark: r.scan.Mark, Full: r.bookmark.Full, Due: r.bookmark.Due, Entries: max(0, p.Entries+r.again.made-r.again.left)}
	switch due := r.again.due; {
	case !r.changes:
		b.Full, b.Due = started, due
	case !due.IsZero() && (b.Due.IsZero() || due.Before(b.Due)):
		b.Due = due
	}
	var fit bool
	if b.Again, fit = r.again.keys(); !fit || r.unfit {
		b = ledger.Bookmark{} // only a scan of all rows finds them all
	}
	return &b
}

// keepKeys returns the bookmark after a run of some keys: as far as before, and with the rows that this run left out of step.
func (r *reading) keepKeys() *ledger.Bookmark {
	if r.bookmark.Mark == "" {
		return nil // the next run reads all rows
	}
	b := r.bookmark
	b.Entries = max(0, b.Entries+r.made+r.again.made)
	keys, fit := r.again.keys()
	if r.again.any { // those that were in the bookmark were read again
		b.Again = nil
	}
	b.Again = slices.Concat(b.Again, r.rest, keys)
	slices.Sort(b.Again)
	if b.Again = slices.Compact(b.Again); !fit || r.unfit || len(b.Again) > againMost {
		b = ledger.Bookmark{}
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
	now      func() time.Time
	recreate bool // the next run creates deleted contacts again
	any      bool // what duplicates say counts, so that all must be read

	failed     []string
	duplicates []string  // and invalid rows
	made       int       // rows that the ledger did not know
	left       int       // rows that have departed
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
	case outcome == owlatsync.Duplicate, outcome == owlatsync.Invalid:
		if len(a.duplicates) <= againMost {
			a.duplicates = append(a.duplicates, key)
		}
	}
}

// Spoilt takes in a row that was in step and is invalid now: every run counts it until it is mended.
func (a *again) Spoilt(key string) {
	if len(a.failed) <= againMost {
		a.failed = append(a.failed, key)
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
		a.Waits(a.now())
	}
}

// Made counts a row that the ledger did not know.
func (a *again) Made() { a.made++ }

// Left counts rows that have departed.
func (a *again) Left(rows int) { a.left += rows }

// keys returns the rows to read again; fit is false if more failed than fit. Duplicates and invalid rows come last: those that do not fit wait for a
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
