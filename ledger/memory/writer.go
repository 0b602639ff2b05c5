package memory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"owlatsync/ledger"
)

// Record implements ledger.Writer. An entry needs a sync and a key; a zero ChangedAt becomes the present time.
func (k *lock) Record(ctx context.Context, records ...ledger.Record) error {
	return k.use(ctx, "record in ledger", func(s *store) error {
		for _, r := range records {
			if r.Entry == nil || r.Sync == "" || r.Entry.Key == "" {
				return errors.New("a record names no entry, no sync or no key")
			}
			if r.Replaces == r.Entry.Key {
				return errors.New("a record replaces itself")
			}
		}
		now := moment(k.Now())
		for _, r := range records {
			state, err := s.sync(r.Sync)
			if err != nil {
				return err
			}
			s.put(state, r.Entry)
			if e := state.entries[r.Entry.Key]; e.ChangedAt.IsZero() {
				e.ChangedAt = now
			}
			state.remove(r.Replaces) // no entry has an empty key
			if r.Event != "" {
				s.note(state, ledger.HistoryLine{Key: r.Entry.Key, At: now, Run: r.Run, Event: r.Event, Note: r.Note})
			}
		}
		return nil
	})
}

// Remove implements ledger.Writer.
func (k *lock) Remove(ctx context.Context, sync string, keys []string) error {
	return k.use(ctx, "remove from ledger", func(s *store) error {
		if len(keys) == 0 {
			return nil
		}
		state, err := s.sync(sync)
		if err != nil {
			return err
		}
		for _, key := range keys {
			state.remove(key)
		}
		return nil
	})
}

// SetBookmark implements ledger.Writer.
func (k *lock) SetBookmark(ctx context.Context, sync string, b ledger.Bookmark) error {
	return k.use(ctx, "record a bookmark in ledger", func(s *store) error {
		state, err := s.sync(sync)
		if err == nil {
			state.mark(b)
		}
		return err
	})
}

// KeepRound implements ledger.Writer.
func (k *lock) KeepRound(ctx context.Context, round ledger.Round) error {
	return k.use(ctx, "record a round in ledger", func(s *store) error {
		s.round = round.UTC()
		return nil
	})
}

func (s *syncState) mark(b ledger.Bookmark) {
	b.Full, b.Due, b.Again = moment(b.Full), moment(b.Due), slices.Clone(b.Again)
	s.bookmark = b
}

// BeginRun implements ledger.Writer.
func (k *lock) BeginRun(ctx context.Context, run ledger.Run) (id int64, err error) {
	err = k.use(ctx, "begin run in ledger", func(s *store) error {
		if _, err := s.sync(run.Sync); err != nil {
			return err
		}
		run.Epoch, run.Heartbeat, run.PlanForm = k.epoch, k.Now(), 0
		if run.ID != 0 {
			r, err := s.run(run.ID)
			if err != nil || r.Sync != run.Sync || r.Status != ledger.StatusQueued {
				return &ledger.NoRunError{Sync: run.Sync, Run: run.ID}
			}
			run.Full, run.Approves = r.Full, r.Approves
			s.bury(run.Sync)
			id, r.Run = run.ID, copyOfRun(run)
			return nil
		}
		s.bury(run.Sync)
		id = s.addRun(run)
		return nil
	})
	return id, err
}

// addRun adds a run under the next number.
func (s *store) addRun(run ledger.Run) int64 {
	s.lastRun++
	run.ID = s.lastRun
	s.runs = append(s.runs, &runState{Run: copyOfRun(run)})
	return run.ID
}

// bury gives runs their end that are recorded as running, and those of the sync that wait.
func (s *store) bury(sync string) {
	for _, r := range s.runs {
		if r.Status == ledger.StatusRunning || r.Status == ledger.StatusWaiting && r.Sync == sync {
			r.Status, r.Message = ledger.StatusDied, ledger.MessageDied
			r.drop()
		}
	}
}

// drop drops the plan of the run.
func (r *runState) drop() { r.plan, r.PlanForm = nil, 0 }

// Beat implements ledger.Writer.
func (k *lock) Beat(ctx context.Context, beat ledger.Beat) error {
	return k.use(ctx, "note in ledger how far a run is", func(s *store) error {
		r, err := s.run(beat.Run)
		if err != nil || r.Status != ledger.StatusRunning {
			return err
		}
		r.Stage, r.Heartbeat = beat.Stage, moment(k.Now())
		if beat.Report != nil {
			r.Report = copyOfReport(beat.Report)
		}
		if beat.Summary != nil {
			r.Summary = copyOfSummary(beat.Summary)
		}
		return nil
	})
}

// KeepPlan implements ledger.Writer.
func (k *lock) KeepPlan(ctx context.Context, run int64, items []ledger.PlanItem) error {
	return k.use(ctx, "keep plan in ledger", func(s *store) error {
		r, err := s.run(run)
		if err != nil || len(items) == 0 {
			return err
		}
		if r.Status != ledger.StatusRunning && r.Status != ledger.StatusHeld {
			return fmt.Errorf("run %d has ended as %q and keeps no plan", run, r.Status)
		}
		for _, item := range items {
			item.Body, item.Addresses = bytes.Clone(item.Body), cloneFilled(item.Addresses)
			r.plan = append(r.plan, item)
		}
		return nil
	})
}

// EndRun implements ledger.Writer.
func (k *lock) EndRun(ctx context.Context, ending ledger.Ending) error {
	return k.use(ctx, "end run in ledger", func(s *store) error {
		r, err := s.run(ending.Run.ID)
		if err != nil {
			return err
		}
		for id, status := range ending.Settled {
			if status == ledger.StatusHeld || status == "" {
				return fmt.Errorf("run %d is to be settled as %q", id, status)
			}
		}
		ended := ending.Run
		ended.Sync, ended.Epoch, ended.Heartbeat, ended.Full, ended.Approves = r.Sync, r.Epoch, k.Now(), r.Full, r.Approves
		r.Run = copyOfRun(ended)
		if r.Status != ledger.StatusHeld {
			r.drop()
		}
		state := s.syncs[r.Sync]
		if ending.Adopted {
			state.adopted, state.setBack = true, time.Time{}
		}
		if ending.Bookmark != nil {
			state.mark(*ending.Bookmark)
		}
		for id, status := range ending.Settled {
			if r, err := s.run(id); err == nil && r.Status == ledger.StatusHeld {
				r.Status = status
				r.drop()
			}
		}
		return nil
	})
}
