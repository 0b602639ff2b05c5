package memory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"owlatsync/ledger"
)

// queue implements ledger.Queue.
type queue struct{ *opening }

// Enqueue implements ledger.Queue.
func (m queue) Enqueue(ctx context.Context, run ledger.Run) (id int64, isNew bool, err error) {
	err = m.use(ctx, "queue a run in ledger", func(s *store) error {
		if _, err := s.sync(run.Sync); err != nil {
			return err
		}
		for _, r := range s.runs {
			if r.Status == ledger.StatusQueued && r.Sync == run.Sync && r.Mode == run.Mode && r.Full == run.Full && r.Approves == run.Approves &&
				r.Part.Limit == run.Part.Limit && slices.Equal(r.Part.Only, run.Part.Only) {
				id = r.ID
				return nil
			}
		}
		run.Status, run.Epoch, run.Heartbeat, run.PlanForm = ledger.StatusQueued, 0, time.Time{}, 0
		id, isNew = s.addRun(run), true
		return nil
	})
	return id, isNew, err
}

// Queued implements ledger.Queue.
func (m queue) Queued(ctx context.Context) ([]ledger.Run, error) {
	runs, err := journal(m).runs(ctx, 0, func(r *runState) bool { return r.Status == ledger.StatusQueued })
	slices.Reverse(runs)
	return runs, err
}

// Dequeue implements ledger.Queue.
func (m queue) Dequeue(ctx context.Context, id int64, status ledger.Status, message string) (was bool, err error) {
	err = m.use(ctx, "take a queued run of the ledger back", func(s *store) error {
		if !status.Ended() {
			return fmt.Errorf("run %d is to end as %q", id, status)
		}
		r, err := s.run(id)
		if err != nil {
			return err
		}
		if was = r.Status == ledger.StatusQueued; was {
			r.Status, r.Message, r.Finished = status, message, moment(m.Now())
		}
		return nil
	})
	return was, err
}

// Dismiss implements ledger.Queue.
func (m queue) Dismiss(ctx context.Context, id int64) (was bool, err error) {
	err = m.use(ctx, "dismiss a held run of the ledger", func(s *store) error {
		r, err := s.run(id)
		if err != nil {
			return err
		}
		if was = r.Status == ledger.StatusHeld; was {
			r.Status = ledger.StatusDismissed
			r.drop()
		}
		return nil
	})
	return was, err
}

// PauseRun implements ledger.Turns.
func (k *lock) PauseRun(ctx context.Context, id int64) error {
	return k.use(ctx, "let a run of the ledger wait", func(s *store) error {
		r, err := s.run(id)
		if err != nil {
			return err
		}
		if r.Status != ledger.StatusRunning && r.Status != ledger.StatusWaiting {
			return &ledger.RunEndedError{Run: id, Status: r.Status}
		}
		r.Status, r.Heartbeat = ledger.StatusWaiting, moment(k.Now())
		return nil
	})
}

// ResumeRun implements ledger.Turns.
func (k *lock) ResumeRun(ctx context.Context, id int64) error {
	return k.use(ctx, "let a run of the ledger go on", func(s *store) error {
		r, err := s.run(id)
		if err != nil {
			return err
		}
		if r.Status != ledger.StatusWaiting {
			return &ledger.RunEndedError{Run: id, Status: r.Status}
		}
		s.bury("") // no sync has an empty name
		r.Status, r.Epoch, r.Heartbeat = ledger.StatusRunning, k.epoch, moment(k.Now())
		return nil
	})
}
