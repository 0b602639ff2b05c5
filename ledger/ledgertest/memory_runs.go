package ledgertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

// Bind implements ledger.Journal.
func (m *Memory) Bind(ctx context.Context, deployment string) error {
	err := m.use(ctx, func(s *store) error {
		switch {
		case deployment == "":
			return errors.New("the deployment has no name")
		case s.deployment == "":
			s.deployment = deployment
		case s.deployment != deployment:
			return &ledger.DeploymentError{Bound: s.deployment, Configured: deployment}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("bind ledger: %w", err)
	}
	return nil
}

// BeginRun implements ledger.Journal. What earlier runs of the sync left of their plans is dropped, unless they are held.
func (m *Memory) BeginRun(ctx context.Context, run ledger.Run) (id int64, err error) {
	err = m.use(ctx, func(s *store) error {
		if _, err := s.sync(run.Sync); err != nil {
			return err
		}
		for _, r := range s.runs {
			if r.Sync == run.Sync && r.Status != ledger.StatusHeld {
				r.plan = nil
			}
		}
		id = int64(len(s.runs)) + 1
		run.ID = id
		s.runs = append(s.runs, &runState{Run: copyOfRun(run)})
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("begin run in ledger: %w", err)
	}
	return id, nil
}

// run returns the run with that number.
func (s *store) run(id int64) (*runState, error) {
	if id < 1 || id > int64(len(s.runs)) || s.runs[id-1].pruned {
		return nil, fmt.Errorf("the ledger knows no run %d", id)
	}
	return s.runs[id-1], nil
}

// EndRun implements ledger.Journal.
func (m *Memory) EndRun(ctx context.Context, run ledger.Run) error {
	err := m.use(ctx, func(s *store) error {
		r, err := s.run(run.ID)
		if err != nil {
			return err
		}
		run.Sync = r.Sync
		r.Run = copyOfRun(run)
		return nil
	})
	if err != nil {
		return fmt.Errorf("end run in ledger: %w", err)
	}
	return nil
}

// Runs implements ledger.Journal. A limit below 1 means all.
func (m *Memory) Runs(ctx context.Context, sync string, limit int) ([]ledger.Run, error) {
	var runs []ledger.Run
	err := m.use(ctx, func(s *store) error {
		for _, r := range slices.Backward(s.runs) {
			if !r.pruned && (sync == "" || r.Sync == sync) && (limit < 1 || len(runs) < limit) {
				runs = append(runs, copyOfRun(r.Run))
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read runs of the ledger: %w", err)
	}
	return runs, nil
}

// HeldRuns implements ledger.Journal.
func (m *Memory) HeldRuns(ctx context.Context, sync string) ([]ledger.Run, error) {
	runs, err := m.Runs(ctx, sync, 0)
	return slices.DeleteFunc(runs, func(r ledger.Run) bool { return r.Status != ledger.StatusHeld }), err
}

// Standing implements ledger.Journal.
func (m *Memory) Standing(ctx context.Context, sync string) (standing ledger.Standing, err error) {
	err = m.use(ctx, func(s *store) error {
		state := s.syncs[sync]
		if state == nil {
			return nil
		}
		standing = ledger.Standing{Entries: len(state.entries), Adopted: state.adopted}
		for _, e := range state.entries {
			switch {
			case e.Failure != nil:
				standing.Failing++
				if e.Failure.Parked {
					standing.Parked++
				}
			case !e.Fingerprint.IsZero():
				standing.Applied++
			}
		}
		return nil
	})
	if err != nil {
		return ledger.Standing{}, fmt.Errorf("count entries of the ledger: %w", err)
	}
	return standing, nil
}

// SyncState implements ledger.Journal.
func (m *Memory) SyncState(ctx context.Context, sync string) (ledger.SyncState, error) {
	s, err := m.Standing(ctx, sync)
	return ledger.SyncState{Adopted: s.Adopted, Open: s.Applied < s.Entries}, err
}

// SetAdopted implements ledger.Journal.
func (m *Memory) SetAdopted(ctx context.Context, sync string) error {
	err := m.use(ctx, func(s *store) error {
		state, err := s.sync(sync)
		if err == nil {
			state.adopted = true
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("record adoption in ledger: %w", err)
	}
	return nil
}

// Bookmark implements ledger.Journal.
func (m *Memory) Bookmark(ctx context.Context, sync string) (b ledger.Bookmark, err error) {
	err = m.use(ctx, func(s *store) error {
		if state := s.syncs[sync]; state != nil {
			b = state.bookmark
			b.Again = slices.Clone(b.Again)
		}
		return nil
	})
	if err != nil {
		return ledger.Bookmark{}, fmt.Errorf("read a bookmark of the ledger: %w", err)
	}
	return b, nil
}

// SetBookmark implements ledger.Journal.
func (m *Memory) SetBookmark(ctx context.Context, sync string, b ledger.Bookmark) error {
	err := m.use(ctx, func(s *store) error {
		state, err := s.sync(sync)
		if err == nil {
			state.bookmark = b
			state.bookmark.Full, state.bookmark.Due = moment(b.Full), moment(b.Due)
			state.bookmark.Again = slices.Clone(b.Again)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("record a bookmark in ledger: %w", err)
	}
	return nil
}

// Spool implements ledger.PlanStore.
func (m *Memory) Spool(ctx context.Context, run int64, items []ledger.PlanItem) error {
	if len(items) == 0 {
		return nil
	}
	err := m.use(ctx, func(s *store) error {
		r, err := s.run(run)
		if err != nil {
			return err
		}
		for _, item := range items {
			item.Body = bytes.Clone(item.Body)
			r.plan = append(r.plan, item)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("spool plan in ledger: %w", err)
	}
	return nil
}

// Spooled implements ledger.PlanStore. It gives what was spooled when it began.
func (m *Memory) Spooled(ctx context.Context, run int64, phase int) iter.Seq2[ledger.PlanItem, error] {
	return stream(ctx, m, func(s *store) (items []ledger.PlanItem) {
		r, err := s.run(run)
		if err != nil {
			return nil
		}
		for _, item := range r.plan {
			if item.Phase == phase {
				item.Body = bytes.Clone(item.Body)
				items = append(items, item)
			}
		}
		byOrder(items)
		return items
	})
}

// Unspool implements ledger.PlanStore.
func (m *Memory) Unspool(ctx context.Context, run int64) error {
	err := m.use(ctx, func(s *store) error {
		if r, err := s.run(run); err == nil {
			r.plan = nil
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("drop plan in ledger: %w", err)
	}
	return nil
}

// copyOfRun returns a run that shares nothing with r.
func copyOfRun(r ledger.Run) ledger.Run {
	r.Started, r.Finished = moment(r.Started), moment(r.Finished)
	if r.Status == "" {
		r.Status = ledger.StatusRunning
	}
	if r.Report != nil {
		report := *r.Report
		report.Outcomes = maps.Clone(report.Outcomes)
		r.Report = new(owlatsync.Report)
		*r.Report = report
	}
	return r
}

// Syncs implements ledger.Archive.
func (m *Memory) Syncs(ctx context.Context) (names []string, err error) {
	err = m.use(ctx, func(s *store) error { names = slices.Sorted(maps.Keys(s.syncs)); return nil })
	return names, err
}

// History implements ledger.Archive.
func (m *Memory) History(ctx context.Context, sync, key string) (lines []ledger.HistoryLine, err error) {
	err = m.use(ctx, func(s *store) error {
		if state := s.syncs[sync]; state != nil {
			lines = slices.Clone(state.history[key])
		}
		return nil
	})
	return lines, err
}

// Prune implements ledger.Archive.
func (m *Memory) Prune(ctx context.Context, before time.Time) (n int64, err error) {
	err = m.use(ctx, func(s *store) error {
		for _, state := range s.syncs {
			for key, lines := range state.history {
				kept := slices.DeleteFunc(lines, func(l ledger.HistoryLine) bool { return l.At.Before(before) })
				n += int64(len(lines) - len(kept))
				state.history[key] = kept
			}
		}
		latest := make(map[string]*runState)
		for _, r := range s.runs {
			latest[r.Sync] = r
		}
		for _, r := range s.runs {
			if !r.pruned && r.Started.Before(before) && r.Status != ledger.StatusHeld && latest[r.Sync] != r {
				r.pruned, r.plan = true, nil
				n++
			}
		}
		return nil
	})
	return n, err
}

// Forgotten implements ledger.Store.
func (m *Memory) Forgotten(ctx context.Context, addresses []string) (map[string]bool, error) {
	forgotten := make(map[string]bool)
	err := m.use(ctx, func(s *store) error {
		for _, address := range addresses {
			if s.forgotten[address] {
				forgotten[address] = true
			}
		}
		return nil
	})
	return forgotten, err
}

// ForgetPerson implements ledger.Archive, but keeps the addresses as they are for Forgotten: in memory there is nothing
// to protect from a reader.
func (m *Memory) ForgetPerson(ctx context.Context, address string) (rows int, err error) {
	address = owlatsync.LowerAddress(owlatsync.Trim(address))
	if !strings.Contains(address, "@") {
		return 0, errors.New("forget a person in the ledger: what was given is no address")
	}
	release, err := m.Acquire(ctx, "forgetting a person")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, release()) }()
	err = m.use(ctx, func(s *store) error {
		rows = s.forget(address)
		return nil
	})
	return rows, err
}

// forget removes the entries with the address or for the same contacts, and what else is known of them.
func (s *store) forget(address string) (rows int) {
	for _, state := range s.syncs {
		state.bookmark = ledger.Bookmark{}
	}
	contacts, addresses := make(map[string]bool), map[string]bool{address: true}
	for _, state := range s.syncs {
		for _, e := range state.entries {
			if e.ContactID != "" && (e.Email == address || e.Identity == address || e.Key == address) {
				contacts[e.ContactID] = true
			}
		}
	}
	for name, state := range s.syncs {
		for key, e := range state.entries {
			if !contacts[e.ContactID] && e.Email != address && e.Identity != address && key != address {
				continue
			}
			addresses[e.Email], addresses[e.Identity] = true, true
			delete(state.entries, key)
			delete(state.history, key)
			for _, r := range s.runs {
				if r.Sync == name {
					r.plan = slices.DeleteFunc(r.plan, func(item ledger.PlanItem) bool { return item.Key == key })
				}
			}
			rows++
		}
	}
	delete(addresses, "")
	maps.Copy(s.forgotten, addresses)
	return rows
}
