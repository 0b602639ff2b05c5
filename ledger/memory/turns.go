package memory

import (
	"context"
	"reflect"
	"time"

	"owlatsync/ledger"
)

var _ ledger.Turns = (*lock)(nil)

// PauseRun implements ledger.Turns.
func (k *lock) PauseRun(ctx context.Context, id int64) error {
	return k.use(ctx, "let a run wait in ledger", func(s *store) error {
		r, err := s.run(id)
		if err != nil {
			return err
		}
		if r.Status != ledger.StatusRunning {
			return &ledger.RunEndedError{Run: id, Status: r.Status}
		}
		r.Status = ledger.StatusWaiting
		return nil
	})
}

// ResumeRun implements ledger.Turns.
func (k *lock) ResumeRun(ctx context.Context, id int64) error {
	return k.use(ctx, "let a run go on in ledger", func(s *store) error {
		r, err := s.run(id)
		if err != nil {
			return err
		}
		if r.Status != ledger.StatusWaiting {
			return &ledger.RunEndedError{Run: id, Status: r.Status}
		}
		r.Status, r.Epoch, r.Heartbeat = ledger.StatusRunning, k.epoch, moment(time.Now())
		return nil
	})
}

var _ ledger.Queue = (*Ledger)(nil)

// Enqueue implements ledger.Queue.
func (o *opening) Enqueue(ctx context.Context, run ledger.Run) (id int64, isNew bool, err error) {
	err = o.use(ctx, "queue a run in ledger", func(s *store) error {
		for _, r := range s.runs {
			if r.Status == ledger.StatusQueued && r.Sync == run.Sync && r.Full == run.Full && r.Approves == run.Approves && reflect.DeepEqual(r.Part, run.Part) {
				id = r.ID
				return nil
			}
		}
		if _, err := s.sync(run.Sync); err != nil {
			return err
		}
		s.lastRun++
		id, isNew = s.lastRun, true
		run.ID, run.Status, run.Epoch, run.Heartbeat, run.PlanForm = id, ledger.StatusQueued, 0, time.Time{}, 0
		s.runs = append(s.runs, &runState{Run: copyOfRun(run)})
		return nil
	})
	return id, isNew, err
}

// Queued implements ledger.Queue.
func (o *opening) Queued(ctx context.Context) (runs []ledger.Run, err error) {
	err = o.use(ctx, "read queued runs of ledger", func(s *store) error {
		for _, r := range s.runs {
			if r.Status == ledger.StatusQueued {
				runs = append(runs, copyOfRun(r.Run))
			}
		}
		return nil
	})
	return runs, err
}

// Dequeue implements ledger.Queue.
func (o *opening) Dequeue(ctx context.Context, id int64, status ledger.Status, message string) (was bool, err error) {
	err = o.use(ctx, "end a queued run in ledger", func(s *store) error {
		r, err := s.run(id)
		if err != nil {
			return err
		}
		if was = r.Status == ledger.StatusQueued; was {
			r.Status, r.Message, r.Finished = status, message, moment(time.Now())
		}
		return nil
	})
	return was, err
}
