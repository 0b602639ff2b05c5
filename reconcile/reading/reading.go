// Package reading decides how much of its source a run reads, and what the ledger keeps of how far it has read: the bookmark, with
// the rows that are read again by key.
package reading

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
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/scan"
)

// Most is the most unchanged rows that a run reads again by key. If more are out of step, the next run reads all rows.
const Most = 1000

// Reading is how a run reads its source.
type Reading struct {
	Changes bool               // only rows that changed since the bookmark are read, or those with some keys
	Told    *owlatsync.Reading // nil: nothing, because such a sync always reads all rows
	Scan    owlatsync.Scan
	Again   Again
	Times   int // how often the source was read, or is

	source   scan.Incremental // nil: all rows are read, or those with some keys
	picked   scan.Keyed       // nil: rows are not read by keys alone
	keys     []string         // those that are asked for besides what the bookmark names
	settings string
	bookmark ledger.Bookmark

	unfit bool     // an earlier reading left more rows out of step than can be named
	rest  []string // rows that earlier readings left out of step, if only changes are read
	made  int      // rows that the ledger did not know before earlier readings, if only changes are read
}

// Asked is what a run is asked to read, of which it reads as much as it must.
type Asked struct {
	Ledger    ledger.Reader
	Policies  *policy.Policies
	Source    scan.Source
	FullEvery time.Duration     // after which all rows of an Incremental source are read again
	Full      bool              // all rows
	Keys      []string          // only the rows with these keys
	Like      *owlatsync.Report // what the held run has read whose plan is made again; nil: there is none
}

// Reading decides how much of the source a run reads.
func (a Asked) Reading(ctx context.Context) (*Reading, error) {
	if r, err := a.onlyKeys(ctx); r != nil || err != nil {
		return r, err
	}
	r := &Reading{Again: a.again(), Times: 1}
	source, ok := a.Source.(scan.Incremental)
	if !ok || a.FullEvery <= 0 || source.Settings() == "" {
		return r, nil
	}
	var err error
	if r.bookmark, err = a.Ledger.Bookmark(ctx, a.Policies.Sync); err != nil {
		return nil, readLedger(err)
	}
	r.source, r.settings = source, settings(a.Policies, source)
	now := a.Ledger.Now()
	next := r.bookmark.Next(a.FullEvery)
	why := ""
	switch {
	case a.Full:
		why = "asked for"
	case a.Like != nil && a.Like.Reading != nil && a.Like.Reading.Mode == owlatsync.ReadAll:
		why = "the held run did"
	case r.bookmark.Mark == "":
		why = "no earlier scan is known"
	case r.bookmark.Settings != r.settings:
		why = "the configuration of the sync has changed"
	case a.Like != nil: // the plan can only be the same if the same rows are read
	case r.bookmark.Full.After(now):
		why = "the last scan of all rows lies in the future: the clock was set back"
	case !now.Before(next) && !r.bookmark.Due.IsZero():
		why = "what follows from rows that left the source is still to be done"
	case !now.Before(next):
		why = fmt.Sprintf("the last scan of all rows began %s", r.bookmark.Full.UTC().Format(time.RFC3339))
	}
	if why != "" {
		r.Told = &owlatsync.Reading{Mode: owlatsync.ReadAll, Reason: why, NextFull: now.Add(a.FullEvery)}
		return r, nil
	}
	r.Changes = true
	r.Told = &owlatsync.Reading{Mode: owlatsync.ReadChanges, NextFull: next}
	r.Scan.Since = r.bookmark.Mark
	return r, nil
}

// onlyKeys returns the reading of a run that reads by keys alone, nil if it must read more.
func (a Asked) onlyKeys(ctx context.Context) (*Reading, error) {
	source, ok := a.Source.(scan.Keyed)
	if !ok || len(a.Keys) == 0 || a.Full || !source.Picks() {
		return nil, nil
	}
	state, err := a.Ledger.SyncState(ctx, a.Policies.Sync)
	if err != nil {
		return nil, readLedger(err)
	}
	if !state.Adopted || !state.SetBack.IsZero() {
		return nil, nil
	}
	b, err := a.Ledger.Bookmark(ctx, a.Policies.Sync)
	if err != nil {
		return nil, readLedger(err)
	}
	several := a.Policies.Crowds()
	incremental, follows := a.Source.(scan.Incremental)
	known := follows && a.FullEvery > 0 && b.Mark != "" && b.Settings == settings(a.Policies, incremental)
	if several && !known {
		return nil, nil // duplicates that the ledger does not know may have a say
	}
	keys := slices.Clone(a.Keys)
	slices.Sort(keys)
	keys = slices.Compact(keys)
	r := &Reading{
		picked: source, keys: keys, bookmark: b, Changes: true, Again: a.again(), Times: 1,
		Told: &owlatsync.Reading{Mode: owlatsync.ReadKeys, Keys: len(keys)},
	}
	if follows {
		r.Told.NextFull = b.NextFull(a.FullEvery)
	}
	return r, nil
}

// again returns what gathers the rows that the run leaves out of step.
func (a Asked) again() Again {
	return Again{now: a.Ledger.Now, recreate: a.Policies.OnRemoteDelete == policy.RemoteDeleteRecreate, any: a.Policies.Crowds()}
}

// Rows streams the rows that the run reads.
func (r *Reading) Rows(ctx context.Context, all scan.Source) iter.Seq2[*owlatsync.Row, error] {
	switch {
	case r.picked != nil:
		return r.picked.Pick(ctx, func(ctx context.Context) ([]string, error) { return r.Scan.Again(ctx) })
	case r.source == nil:
		return all.Rows(ctx)
	}
	return r.source.Scan(ctx, &r.Scan)
}

// Entries returns how many entries the ledger has as far as a run of changes can tell, with those that its earlier readings have made.
func (r *Reading) Entries() int { return r.bookmark.Entries + r.made }

// Named returns the keys of rows that are read whether or not they changed, besides those that other rows lead to.
func (r *Reading) Named() []string {
	if r.picked != nil && !r.Again.any {
		return slices.Concat(r.keys, r.rest)
	}
	return slices.Concat(r.keys, r.bookmark.Again, r.rest)
}

// settings hashes everything that makes an unchanged row ask for something else, or that selects other rows.
func settings(p *policy.Policies, source scan.Incremental) string {
	text := fmt.Sprintf("%d %s %+v %q %q %q %+v", scan.FingerprintVersion, source.Settings(), p.Topics, p.Nulls, p.OnMissing, p.OnRemoteDelete, p.Events)
	if p.Match {
		text += fmt.Sprintf(" events alone, facts since %s", p.Since)
	}
	if p.Duplicates == policy.ConsentAny {
		text += " a yes of any duplicate"
	}
	return strconv.FormatUint(xxh3.HashString(text), 16)
}

// Begin drops the bookmark before a run of all rows writes anything, so that the next run reads all rows if this one does not end.
func (r *Reading) Begin(ctx context.Context, w ledger.Writer, sync string) error {
	if r.source == nil || r.Changes || r.bookmark.Mark == "" {
		return nil
	}
	return SetBookmark(ctx, w, sync, ledger.Bookmark{})
}

// Afresh prepares for reading the source once more. Changes are read from the same mark on, so that nothing is left out that is not
// done yet; unreached are rows of the plan that may not be among them.
func (r *Reading) Afresh(unreached []string) {
	r.Times++
	if r.Changes {
		rest, fit := r.Again.keys()
		r.rest, r.made = append(rest, unreached...), r.made+r.Again.made
		r.unfit = r.unfit || !fit
	}
	r.Again = Again{now: r.Again.now, recreate: r.Again.recreate, any: r.Again.any}
	r.Scan = owlatsync.Scan{Since: r.Scan.Since}
}

// Keep returns the bookmark of a run that came to its end, nil if the source has none. It names the rows that the run left out of
// step: the next run reads them again by key.
func (r *Reading) Keep(plan owlatsync.Summary, started time.Time) *ledger.Bookmark {
	if r.picked != nil {
		return r.keepKeys()
	}
	if r.source == nil {
		return nil
	}
	b := ledger.Bookmark{Settings: r.settings, Mark: r.Scan.Mark, Full: r.bookmark.Full, Due: r.bookmark.Due, Entries: max(0, plan.Entries+r.Again.made-r.Again.left)}
	switch due := r.Again.due; {
	case !r.Changes:
		b.Full, b.Due = started, due
	case !due.IsZero() && (b.Due.IsZero() || due.Before(b.Due)):
		b.Due = due
	}
	var fit bool
	if b.Again, fit = r.Again.keys(); !fit || r.unfit {
		b = ledger.Bookmark{} // only a scan of all rows finds them all
	}
	return &b
}

// keepKeys returns the bookmark after a run of some keys: as far as before, and with the rows that this run left out of step.
func (r *Reading) keepKeys() *ledger.Bookmark {
	if r.bookmark.Mark == "" {
		return nil // the next run reads all rows
	}
	b := r.bookmark
	b.Entries = max(0, b.Entries+r.made+r.Again.made)
	keys, fit := r.Again.keys()
	if r.Again.any { // those that were in the bookmark were read again
		b.Again = nil
	}
	b.Again = slices.Concat(b.Again, r.rest, keys)
	slices.Sort(b.Again)
	if b.Again = slices.Compact(b.Again); !fit || r.unfit || len(b.Again) > Most {
		b = ledger.Bookmark{}
	}
	return &b
}

// SetBookmark records a bookmark at once.
func SetBookmark(ctx context.Context, w ledger.Writer, sync string, b ledger.Bookmark) error {
	if err := w.SetBookmark(ctx, sync, b); err != nil {
		return fmt.Errorf("record how far the source was read: %w", err)
	}
	return nil
}

// Again gathers the rows that a run leaves out of step. It is used by one goroutine at a time.
type Again struct {
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
func (a *Again) Note(key string, outcome owlatsync.Outcome) {
	switch {
	case key == "":
	case outcome == owlatsync.Failed, outcome == owlatsync.Skipped && a.recreate:
		if len(a.failed) <= Most {
			a.failed = append(a.failed, key)
		}
	case outcome == owlatsync.Duplicate, outcome == owlatsync.Invalid:
		if len(a.duplicates) <= Most {
			a.duplicates = append(a.duplicates, key)
		}
	}
}

// Spoilt takes in a row that was in step and is invalid now: every run counts it until it is mended.
func (a *Again) Spoilt(key string) {
	if len(a.failed) <= Most {
		a.failed = append(a.failed, key)
	}
}

// Waits notes that the consequence of an absence was put off until that time.
func (a *Again) Waits(until time.Time) {
	if a.due.IsZero() || until.Before(a.due) {
		a.due = until
	}
}

// Absent takes in the outcome of a row that left the source; e is its entry now.
func (a *Again) Absent(outcome owlatsync.Outcome, e *ledger.Entry) {
	switch f := e.Failure; {
	case outcome == owlatsync.Removed, outcome == owlatsync.Failed && f != nil && f.Parked:
	case outcome == owlatsync.Failed && f != nil:
		a.Waits(f.NextTry)
	default:
		a.Waits(a.now())
	}
}

// Made counts a row that the ledger did not know.
func (a *Again) Made() { a.made++ }

// Left counts rows that have departed.
func (a *Again) Left(rows int) { a.left += rows }

// keys returns the rows to read again; fit is false if more failed than fit. Duplicates and invalid rows come last: those that do not fit wait for a
// scan of all rows, unless their consents count.
func (a *Again) keys() (keys []string, fit bool) {
	if len(a.failed) > Most || a.any && len(a.failed)+len(a.duplicates) > Most {
		return nil, false
	}
	keys = append(keys, a.failed...)
	keys = append(keys, a.duplicates[:min(len(a.duplicates), Most-len(keys))]...)
	slices.Sort(keys)
	return slices.Compact(keys), true
}

func readLedger(err error) error { return fmt.Errorf("read the ledger: %w", err) }
