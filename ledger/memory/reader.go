package memory

import (
	"context"
	"iter"
	"maps"
	"slices"

	"owlatsync/ledger"
)

// reader implements ledger.Reader.
type reader struct{ *opening }

// Deployment implements ledger.Reader.
func (m reader) Deployment(ctx context.Context) (deployment string, err error) {
	err = m.use(ctx, "read the ledger's deployment", func(s *store) error { deployment = s.deployment; return nil })
	return deployment, err
}

// Index implements ledger.Reader.
func (m reader) Index(ctx context.Context, sync string) iter.Seq2[ledger.IndexEntry, error] {
	return stream(ctx, m.opening, func(s *store) (all []ledger.IndexEntry) {
		state := s.syncs[sync]
		for _, e := range state.sorted() {
			if e.Departed == "" {
				all = append(all, ledger.IndexEntry{Number: state.first[e.Key], KeyHash: ledger.HashText(e.Key), Print: e.Fingerprint.Lo, Blank: e.Email == ""})
			}
		}
		return all
	})
}

// Numbered implements ledger.Reader.
func (m reader) Numbered(ctx context.Context, sync string, numbers []int64) (found []*ledger.Entry, err error) {
	err = m.use(ctx, "read entries of the ledger", func(s *store) error {
		state := s.syncs[sync]
		for _, e := range state.sorted() {
			if slices.Contains(numbers, state.first[e.Key]) {
				found = append(found, copyOf(e))
			}
		}
		return nil
	})
	return found, err
}

// Departed implements ledger.Reader.
func (m reader) Departed(ctx context.Context, sync, terms string) iter.Seq2[*ledger.Entry, error] {
	return stream(ctx, m.opening, func(s *store) (departed []*ledger.Entry) {
		for _, e := range s.syncs[sync].sorted() {
			if e.Departed != "" && e.Departed != terms {
				departed = append(departed, copyOf(e))
			}
		}
		return departed
	})
}

// All implements ledger.Reader.
func (m reader) All(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return stream(ctx, m.opening, func(s *store) (all []*ledger.Entry) {
		for _, e := range s.syncs[sync].sorted() {
			all = append(all, copyOf(e))
		}
		return all
	})
}

// Open implements ledger.Reader.
func (m reader) Open(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return stream(ctx, m.opening, func(s *store) (open []*ledger.Entry) {
		for _, e := range s.syncs[sync].sorted() {
			if e.Departed == "" && (e.Fingerprint.IsZero() || e.Failure != nil) {
				open = append(open, copyOf(e))
			}
		}
		return open
	})
}

// Pending implements ledger.Reader.
func (m reader) Pending(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return stream(ctx, m.opening, func(s *store) (asked []*ledger.Entry) {
		for _, e := range s.syncs[sync].sorted() {
			if !e.Asked().IsZero() {
				asked = append(asked, copyOf(e))
			}
		}
		slices.SortStableFunc(asked, func(a, b *ledger.Entry) int { return b.Asked().Compare(a.Asked()) })
		return asked
	})
}

// Entries implements ledger.Reader.
func (m reader) Entries(ctx context.Context, sync string, keys []string) (map[string]*ledger.Entry, error) {
	found := make(map[string]*ledger.Entry)
	err := m.use(ctx, "read entries of the ledger", func(s *store) error {
		if state := s.syncs[sync]; state != nil {
			for _, key := range keys {
				if e := state.entries[key]; e != nil {
					found[key] = copyOf(e)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Holders implements ledger.Reader.
func (m reader) Holders(ctx context.Context, addresses []string) ([]ledger.Holder, error) {
	return m.holders(ctx, func(e *ledger.Entry) bool {
		return e.Email != "" && slices.Contains(addresses, e.Email) || e.Identity != "" && slices.Contains(addresses, e.Identity)
	})
}

// Sharers implements ledger.Reader.
func (m reader) Sharers(ctx context.Context, contactIDs []string) ([]ledger.Holder, error) {
	return m.holders(ctx, func(e *ledger.Entry) bool { return e.ContactID != "" && slices.Contains(contactIDs, e.ContactID) })
}

// holders returns the wanted entries of all syncs, in the order of syncs and keys.
func (m reader) holders(ctx context.Context, wanted func(*ledger.Entry) bool) (found []ledger.Holder, err error) {
	err = m.use(ctx, "look up holders in the ledger", func(s *store) error {
		for _, name := range slices.Sorted(maps.Keys(s.syncs)) {
			for _, e := range s.syncs[name].sorted() {
				if wanted(e) {
					found = append(found, ledger.Holder{Sync: name, Entry: copyOf(e)})
				}
			}
		}
		return nil
	})
	return found, err
}

// OptOuts implements ledger.Reader.
func (m reader) OptOuts(ctx context.Context, contactIDs []string) (found []ledger.OptOut, err error) {
	err = m.use(ctx, "read opt-outs of the ledger", func(s *store) error {
		contacts := make(map[string]string, len(contactIDs)) // by their stored names
		for _, id := range contactIDs {
			contacts[id] = id
			if s.secret != nil {
				contacts[ledger.HashContact(s.secret, id)] = id
			}
		}
		latest := make(map[optOutPlace]ledger.OptOut)
		for of, o := range s.optOuts {
			if id, wanted := contacts[of.contact]; wanted {
				o.ContactID = id
				latest[optOutPlace{id, of.topic}] = o.Later(latest[optOutPlace{id, of.topic}])
			}
		}
		found = slices.Collect(maps.Values(latest))
		return nil
	})
	return found, err
}

// Round implements ledger.Rounds.
func (m reader) Round(ctx context.Context) (round ledger.Round, err error) {
	err = m.use(ctx, "read the rounds of the ledger", func(s *store) error { round = s.round; return nil })
	return round, err
}

// Forgotten implements ledger.Reader.
func (m reader) Forgotten(ctx context.Context, addresses []string) (map[string]bool, error) {
	forgotten := make(map[string]bool)
	err := m.use(ctx, "look up who was forgotten in the ledger", func(s *store) error {
		for _, address := range addresses {
			if s.secret != nil && s.forgotten[string(ledger.HashAddress(s.secret, address))] {
				forgotten[address] = true
			}
		}
		return nil
	})
	return forgotten, err
}

// Standing implements ledger.Reader.
func (m reader) Standing(ctx context.Context, sync string) (standing ledger.Standing, err error) {
	err = m.use(ctx, "count entries of the ledger", func(s *store) error {
		state := s.syncs[sync]
		if state == nil {
			standing.SetBack = s.setBack
			return nil
		}
		standing = ledger.Standing{Adopted: state.adopted, SetBack: state.setBack}
		for _, e := range state.entries {
			if e.Departed != "" {
				standing.Departed++
				continue
			}
			standing.Entries++
			if s.hasLeft(e.ContactID) {
				standing.OptedOut++
			}
			if !e.Asked().Before(m.Now().Add(-ledger.ConfirmWithin)) {
				standing.Asked++
			}
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
	return standing, err
}

// hasLeft reports whether an opt-out of a contact is known.
func (s *store) hasLeft(contact string) bool {
	for of := range s.optOuts {
		if of.contact == contact {
			return true
		}
	}
	return false
}

// SyncState implements ledger.Reader.
func (m reader) SyncState(ctx context.Context, sync string) (ledger.SyncState, error) {
	s, err := m.Standing(ctx, sync)
	return ledger.SyncState{Adopted: s.Adopted, Open: s.Applied < s.Entries, SetBack: s.SetBack}, err
}

// Bookmark implements ledger.Reader.
func (m reader) Bookmark(ctx context.Context, sync string) (b ledger.Bookmark, err error) {
	err = m.use(ctx, "read a bookmark of the ledger", func(s *store) error {
		if state := s.syncs[sync]; state != nil {
			b = state.bookmark
			b.Again = slices.Clone(b.Again)
		}
		return nil
	})
	return b, err
}
