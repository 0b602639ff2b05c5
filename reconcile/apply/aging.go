package apply

import (
	"errors"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
)

// ErrStale ends the application of a plan whose time is over, or that gives way to others, although steps are left. Their outcomes are not told.
var ErrStale = errors.New("the source must be read again")

// SoFar is what the plans that one run applies have in common. The zero value is that of a run that has applied none.
type SoFar struct {
	pool    *owlat.Pool
	topics  *remote.Topics
	chosen  map[uint64]int // rows taken on, by the hashes of their keys, and in which plan first, if the part has a limit
	plans   int            // that were applied, or are
	erred   bool           // a row has failed
	failing int            // rows in a row that failed because of the server
	looks   int            // contacts looked at for whether Owlat was waiting for a confirmation before
	unread  bool           // an add is unsure, and its membership was not read
}

// Unread reports whether an add became unsure although memberships can be read, and its own was not. It is for the time after the run.
func (f *SoFar) Unread() bool { return f.unread }

// within reports whether the limit of the part allows the row. It is for one goroutine.
func (f *SoFar) within(part owlatsync.Part, s *step.Step) bool {
	if part.Limit <= 0 || len(f.chosen) < part.Limit {
		return true
	}
	_, chosen := f.chosen[ledger.HashText(s.Row.Key)]
	return chosen
}

// choose counts the row for the limit of the part, once in a run.
func (f *SoFar) choose(part owlatsync.Part, s *step.Step) {
	row := ledger.HashText(s.Row.Key)
	if _, chosen := f.chosen[row]; part.Limit > 0 && !chosen {
		f.chosen[row] = f.plans
	}
}

// release forgets that a row was taken on that was not begun: in the next stretch consents that rows withdraw come before it. It is for
// one goroutine.
func (f *SoFar) release(s *step.Step) {
	row := ledger.HashText(s.Row.Key)
	if f.chosen[row] == f.plans && !s.WithdrawsEarly() { // else a part of it may be done
		delete(f.chosen, row)
	}
}

// aging ends the application of a plan that has become too old.
type aging struct{ *run }

// age ends the run if its plan is too old, or if it gives way. The run is locked.
func (a aging) age() {
	if a.ended == nil && (!a.Until.IsZero() && !time.Now().Before(a.Until) || a.GivesWay != nil && a.GivesWay()) {
		a.ended = ErrStale
	}
}

// stale reports whether the run takes no more work only because its plan is too old, once what is in flight is finished.
func (a aging) stale() bool {
	a.mu.Lock()
	stale := errors.Is(a.ended, ErrStale)
	a.mu.Unlock()
	if !stale {
		return false
	}
	a.pool.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return errors.Is(a.ended, ErrStale)
}

// leave reports whether a row that has waited for its turn is left, because the plan is too old by now, and keeps its step; nil is
// the early part of one.
func (a aging) leave(s *step.Step) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.age()
	if !errors.Is(a.ended, ErrStale) {
		return false
	}
	if s != nil {
		a.left = append(a.left, s)
	}
	return true
}
