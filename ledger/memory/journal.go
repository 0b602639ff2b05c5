package memory

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"owlatsync/ledger"
)

// journal implements ledger.Journal.
type journal struct{ *opening }

// Run implements ledger.Journal.
func (m journal) Run(ctx context.Context, id int64) (run *ledger.Run, err error) {
	err = m.use(ctx, "read runs of the ledger", func(s *store) error {
		r, err := s.run(id)
		if err == nil {
			run = new(copyOfRun(r.Run))
		}
		return err
	})
	return run, err
}

// Runs implements ledger.Journal.
func (m journal) Runs(ctx context.Context, sync string, limit int) ([]ledger.Run, error) {
	return m.runs(ctx, limit, func(r *runState) bool { return (sync == "" || r.Sync == sync) && r.Mode != ledger.ModePlan })
}

// RunsBefore implements ledger.Journal.
func (m journal) RunsBefore(ctx context.Context, sync string, number int64, limit int) ([]ledger.Run, error) {
	return m.runs(ctx, limit, func(r *runState) bool { return r.Sync == sync && r.Mode != ledger.ModePlan && r.ID < number })
}

// RunsSince implements ledger.Journal.
func (m journal) RunsSince(ctx context.Context, sync string, ended time.Time, limit int) ([]ledger.Run, error) {
	runs, err := m.runs(ctx, 0, func(r *runState) bool {
		return r.Sync == sync && r.Mode != ledger.ModePlan && !r.Finished.IsZero() && !r.Finished.Before(ended)
	})
	slices.SortFunc(runs, func(a, b ledger.Run) int { return cmp.Or(a.Finished.Compare(b.Finished), cmp.Compare(a.ID, b.ID)) })
	if limit >= 1 && len(runs) > limit {
		runs = runs[:limit]
	}
	return runs, err
}

// Briefs implements ledger.Journal.
func (m journal) Briefs(ctx context.Context, sync string, since time.Time, limit int) (briefs []ledger.Brief, err error) {
	runs, err := m.runs(ctx, limit, func(r *runState) bool {
		last := r.Finished
		if last.IsZero() {
			last = r.Heartbeat
		}
		return r.Sync == sync && r.Mode != ledger.ModePlan && !r.Started.IsZero() && !last.IsZero() && !last.Before(since)
	})
	for i := range runs {
		briefs = append(briefs, runs[i].Brief())
	}
	return briefs, err
}

// HeldRuns implements ledger.Journal.
func (m journal) HeldRuns(ctx context.Context, sync string) ([]ledger.Run, error) {
	return m.runs(ctx, 0, func(r *runState) bool { return r.Sync == sync && r.Status == ledger.StatusHeld })
}

func (m journal) runs(ctx context.Context, limit int, wanted func(*runState) bool) (runs []ledger.Run, err error) {
	err = m.use(ctx, "read runs of the ledger", func(s *store) error {
		for _, r := range slices.Backward(s.runs) {
			if wanted(r) && (limit < 1 || len(runs) < limit) {
				runs = append(runs, copyOfRun(r.Run))
			}
		}
		return nil
	})
	return runs, err
}

// Plan implements ledger.Journal. It streams what was kept when it began.
func (m journal) Plan(ctx context.Context, run int64) iter.Seq2[ledger.PlanItem, error] {
	return stream(ctx, m.opening, func(s *store) (items []ledger.PlanItem) {
		for _, placed := range s.planOf(run) {
			items = append(items, placed.PlanItem)
		}
		return items
	})
}

// PlanPart implements ledger.Journal.
func (m journal) PlanPart(ctx context.Context, want ledger.PlanPart) (items []ledger.PlacedItem, err error) {
	err = m.use(ctx, "read plan of the ledger", func(s *store) error {
		for _, item := range s.planOf(want.Run) {
			if (want.Key == "" || item.Key == want.Key) && (want.Address == 0 || slices.Contains(item.Addresses, want.Address)) && (want.After == nil || comparePlaces(item.Place, *want.After) > 0) && (want.Limit < 1 || len(items) < want.Limit) {
				items = append(items, item)
			}
		}
		return nil
	})
	return items, err
}

// planOf returns the plan of a run in its order.
func (s *store) planOf(run int64) (items []ledger.PlacedItem) {
	r, err := s.run(run)
	if err != nil {
		return nil
	}
	for i, item := range r.plan {
		item.Body, item.Addresses = bytes.Clone(item.Body), cloneFilled(item.Addresses)
		items = append(items, ledger.PlacedItem{PlanItem: item, Place: ledger.PlanPlace{Phase: item.Phase, Order: item.Order, Number: int64(i)}})
	}
	slices.SortFunc(items, func(a, b ledger.PlacedItem) int { return comparePlaces(a.Place, b.Place) })
	return items
}

func comparePlaces(a, b ledger.PlanPlace) int {
	return cmp.Or(cmp.Compare(a.Phase, b.Phase), cmp.Compare(a.Order, b.Order), cmp.Compare(a.Number, b.Number))
}

// inbox implements ledger.Inbox.
type inbox struct{ *opening }

// NoteOptOuts implements ledger.Inbox.
func (m inbox) NoteOptOuts(ctx context.Context, optOuts ...ledger.OptOut) error {
	return m.use(ctx, "note opt-outs in ledger", func(s *store) error {
		for _, o := range optOuts {
			if err := o.Check(); err != nil {
				return err
			}
		}
		for _, o := range optOuts {
			s.leave(o)
		}
		return nil
	})
}

// leave keeps an opt-out unless a later one is known.
func (s *store) leave(o ledger.OptOut) {
	of := optOutPlace{o.ContactID, o.Topic}
	o.At, o.Since, o.Written = moment(o.At), moment(o.Since), moment(o.Written)
	s.optOuts[of] = o.Later(s.optOuts[of])
}

// Retry implements ledger.Inbox.
func (m inbox) Retry(ctx context.Context, sync string, keys []string, now time.Time) (rows int, err error) {
	err = m.use(ctx, "let failed rows of the ledger be tried", func(s *store) error {
		state := s.syncs[sync]
		for _, e := range state.sorted() {
			if e.Failure == nil || len(keys) > 0 && !slices.Contains(keys, e.Key) {
				continue
			}
			e.Failure.Attempts, e.Failure.Parked, e.Failure.NextTry = 0, false, moment(now)
			if e.Failure.Absence && state.bookmark.Mark != "" && (state.bookmark.Due.IsZero() || now.Before(state.bookmark.Due)) {
				state.bookmark.Due = moment(now)
			}
			s.note(state, ledger.HistoryLine{Key: e.Key, At: moment(m.Now()), Event: ledger.EventRetry, Note: ledger.NoteRetry})
			rows++
		}
		return nil
	})
	return rows, err
}
