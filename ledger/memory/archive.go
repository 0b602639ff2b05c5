package memory

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

// archive implements ledger.Archive.
type archive struct{ *opening }

// Syncs implements ledger.Archive.
func (m archive) Syncs(ctx context.Context) (names []string, err error) {
	err = m.use(ctx, "read syncs of the ledger", func(s *store) error { names = slices.Sorted(maps.Keys(s.syncs)); return nil })
	return names, err
}

// History implements ledger.Archive.
func (m archive) History(ctx context.Context, sync, key string) (lines []ledger.HistoryLine, err error) {
	err = m.use(ctx, "read history of the ledger", func(s *store) error {
		if state := s.syncs[sync]; state != nil {
			lines = slices.Clone(state.history[key])
		}
		return nil
	})
	return lines, err
}

// Changes implements ledger.Archive.
func (m archive) Changes(ctx context.Context, after int64, limit int) (lines []ledger.HistoryLine, err error) {
	err = m.use(ctx, "read history of the ledger", func(s *store) error {
		lines = slices.DeleteFunc(s.lines(), func(l ledger.HistoryLine) bool { return l.Number <= after })
		if limit > 0 && len(lines) > limit {
			lines = lines[:limit]
		}
		return nil
	})
	return lines, err
}

// LinesOfRun implements ledger.Archive.
func (m archive) LinesOfRun(ctx context.Context, want ledger.RunLines) (lines []ledger.HistoryLine, err error) {
	err = m.use(ctx, "read history of the ledger", func(s *store) error {
		for _, l := range s.lines() {
			if l.Run == want.Run && l.Number > want.After && (want.Key == "" || l.Key == want.Key) && (len(want.Events) == 0 || slices.Contains(want.Events, l.Event)) {
				lines = append(lines, l)
			}
		}
		if want.Limit > 0 && len(lines) > want.Limit {
			lines = lines[:want.Limit]
		}
		return nil
	})
	return lines, err
}

// Prune implements ledger.Archive.
func (m archive) Prune(ctx context.Context, before time.Time) (n int64, err error) {
	err = m.use(ctx, "prune ledger", func(s *store) error {
		for _, state := range s.syncs {
			for key, lines := range state.history {
				kept := slices.DeleteFunc(lines, func(l ledger.HistoryLine) bool { return l.At.Before(before) })
				n += int64(len(lines) - len(kept))
				state.history[key] = kept
			}
		}
		latest := make(map[string]*runState)
		for _, r := range s.runs {
			if r.Status != ledger.StatusQueued && r.Status != ledger.StatusCancelled {
				latest[r.Sync] = r
			}
		}
		had := len(s.runs)
		s.runs = slices.DeleteFunc(s.runs, func(r *runState) bool {
			last := latest[r.Sync]
			return !r.Started.IsZero() && r.Started.Before(before) && (r.Status.Ended() || r.Status == ledger.StatusRunning) && last != nil && r.ID < last.ID
		})
		n += int64(had-len(s.runs)) + s.heard.prune(before) + s.pruneAudit(before)
		return nil
	})
	return n, err
}

// ForgetPerson implements ledger.Archive.
func (m archive) ForgetPerson(ctx context.Context, address string) (rows int, err error) {
	address = owlatsync.LowerAddress(owlatsync.Trim(address))
	if !strings.Contains(address, "@") {
		return 0, errors.New("forget a person in the ledger: what was given is no address")
	}
	lock, err := locker(m).acquire(ctx, ledger.Claim{Purpose: "forgetting a person"})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	err = lock.use(ctx, "forget a person in the ledger", func(s *store) error {
		if s.secret == nil {
			s.secret = make([]byte, ledger.HashSize)
			if _, err := rand.Read(s.secret); err != nil {
				return err
			}
		}
		rows = s.forget(address)
		return nil
	})
	return rows, err
}

// forget removes the entries with the address or for the same contacts, and everything else about their rows.
func (s *store) forget(address string) (rows int) {
	contacts, addresses := make(map[string]bool), map[string]bool{address: true}
	s.heard.tie(addresses, contacts)
	for _, state := range s.syncs {
		state.bookmark = ledger.Bookmark{}
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
			state.remove(key)
			delete(state.history, key)
			s.forgetInRuns(name, key)
			rows++
		}
	}
	s.heard.tieBack(contacts, addresses)
	delete(addresses, "")
	for i := range s.audit {
		for address := range addresses {
			s.audit[i].Who = strings.ReplaceAll(s.audit[i].Who, address, ledger.ForgottenText)
		}
	}
	s.heard.forget(s.secret, contacts, addresses)
	for address := range addresses {
		for _, r := range s.runs {
			r.plan = slices.DeleteFunc(r.plan, func(item ledger.PlanItem) bool { return slices.Contains(item.Addresses, ledger.HashText(address)) })
		}
		s.forgotten[string(ledger.HashAddress(s.secret, address))] = true
	}
	for of, o := range s.optOuts {
		if contacts[of.contact] {
			delete(s.optOuts, of)
			o.ContactID = ledger.HashContact(s.secret, of.contact)
			s.leave(o)
		}
	}
	return rows
}

// forgetInRuns removes a row from the plans and parts of runs.
func (s *store) forgetInRuns(sync, key string) {
	for _, r := range s.runs {
		if r.Sync != sync {
			continue
		}
		r.plan = slices.DeleteFunc(r.plan, func(item ledger.PlanItem) bool { return item.Key == key })
		for i, only := range r.Part.Only {
			if only == key {
				r.Part.Only[i] = ledger.ForgottenText // a part without keys would mean all rows
			}
		}
	}
}
