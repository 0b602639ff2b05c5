// Package standing reads the state of a sync from a ledger alone: how many rows are in step, the latest runs, held runs, how far
// the source was read, and what fails. It asks neither Owlat nor a source, and works while a run goes on.
package standing

import (
	"context"
	"iter"
	"os"
	"slices"

	"owlatsync/internal/config"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// Ledger is the part of a ledger that is read.
type Ledger interface {
	ledger.Reader
	ledger.Journal
	// Alive reports whether a run that is recorded as running goes on.
	Alive(ctx context.Context, run ledger.Run) (bool, error)
}

// Sync is the state of one sync.
type Sync struct {
	Sync     config.Sync
	Known    bool // there is a ledger
	Rows     ledger.Standing
	Runs     []ledger.Run // the latest, newest first, without plans
	Held     []HeldRun    // all runs that wait for approval, newest first
	Bookmark ledger.Bookmark
	// Last is the latest of Runs that read its source to the end; nil: none is known.
	Last *ledger.Run
}

// InStep counts the rows in step, without those that the latest run found invalid.
func (s Sync) InStep() int {
	if s.Last == nil {
		return s.Rows.Applied
	}
	return max(0, s.Rows.Applied-s.Last.Report.Turned)
}

// Unsendable counts the rows that the latest run read and could not send.
func (s Sync) Unsendable() int {
	if s.Last == nil {
		return 0
	}
	return s.Last.Report.Unsendable()
}

// HeldRun is a run that a guard holds.
type HeldRun struct {
	ledger.Run
	Partial bool  // it was asked to apply only a part of the rows
	Refused error // why it can no longer be approved; nil if it can
}

// Of returns the state of the sync with at most this many runs, at least one. A nil Ledger means that there is none. A run that is
// recorded as running or waiting and whose process is gone has the status ledger.StatusDied, as the next run will record it.
func Of(ctx context.Context, l Ledger, sync config.Sync, runs int) (st Sync, err error) {
	st.Sync = sync
	if st.Known = l != nil; !st.Known {
		return st, nil
	}
	if st.Rows, err = l.Standing(ctx, sync.Name); err != nil {
		return st, err
	}
	if st.Bookmark, err = l.Bookmark(ctx, sync.Name); err != nil {
		return st, err
	}
	if st.Runs, err = l.Runs(ctx, sync.Name, runs); err != nil {
		return st, err
	}
	for i := range st.Runs {
		if st.Runs[i], err = Now(ctx, l, st.Runs[i]); err != nil {
			return st, err
		}
	}
	ended := func(r ledger.Run) bool { return r.Report != nil && r.Summary != nil }
	if i := slices.IndexFunc(st.Runs, ended); i >= 0 {
		st.Last = &st.Runs[i]
	}
	held, err := l.HeldRuns(ctx, sync.Name)
	for _, r := range held {
		st.Held = append(st.Held, HeldRun{r, !r.Part.Whole(), reconcile.Approvable(r)})
	}
	return st, err
}

// Records reads the records of single runs.
type Records interface {
	Run(ctx context.Context, id int64) (*ledger.Run, error)
	// Alive reports whether a run that is recorded as running goes on.
	Alive(ctx context.Context, run ledger.Run) (bool, error)
}

// Now returns the run as it is: it has the status ledger.StatusDied if its process is gone, as the next run will record it. Now reads
// the run once more then, because it may have ended meanwhile. A waiting run has no lock that tells: whether its process is gone is only
// known on the host of the process.
func Now(ctx context.Context, l Records, run ledger.Run) (ledger.Run, error) {
	switch run.Status {
	case ledger.StatusRunning:
		if goesOn, err := l.Alive(ctx, run); goesOn || err != nil {
			return run, err
		}
	case ledger.StatusWaiting:
		if !gone(run.Owner) {
			return run, nil
		}
	default:
		return run, nil
	}
	now, err := l.Run(ctx, run.ID)
	if err != nil {
		return run, err
	}
	if now.Status == run.Status {
		now.Status, now.Message = ledger.StatusDied, ledger.MessageDied
	}
	return *now, nil
}

// gone reports whether a process of this host has ended. It reports false for one of another host, of which nothing is known here.
func gone(o ledger.Owner) bool {
	if o.PID <= 0 || o.PID == os.Getpid() {
		return false
	}
	host, err := os.Hostname()
	return err == nil && host == o.Host && !exists(o.PID)
}

// Troubles streams what is wrong with the rows of the sync, in the order of their keys.
func Troubles(ctx context.Context, l ledger.Reader, sync string) iter.Seq2[reconcile.Trouble, error] {
	return func(yield func(reconcile.Trouble, error) bool) {
		for e, err := range l.All(ctx, sync) {
			if err != nil {
				yield(reconcile.Trouble{}, err)
				return
			}
			for _, t := range reconcile.Troubles(e, sync, l.Now()) {
				if !yield(t, nil) {
					return
				}
			}
		}
	}
}
