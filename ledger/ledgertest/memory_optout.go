package ledgertest

import (
	"context"
	"errors"
	"slices"

	"owlatsync/ledger"
)

// NoteOptOuts implements ledger.Store.
func (m *Memory) NoteOptOuts(ctx context.Context, optOuts ...ledger.OptOut) error {
	return m.use(ctx, func(s *store) error {
		for _, o := range optOuts {
			if o.ContactID == "" || o.Topic == "" || o.At.IsZero() {
				return errors.New("an opt-out names no contact, no topic or no time")
			}
		}
		for _, o := range optOuts {
			of := [2]string{o.ContactID, o.Topic}
			if o.At.After(s.optOuts[of]) {
				s.optOuts[of] = o.At.UTC()
			}
		}
		return nil
	})
}

// OptOuts implements ledger.Store.
func (m *Memory) OptOuts(ctx context.Context, contactIDs []string) (found []ledger.OptOut, err error) {
	err = m.use(ctx, func(s *store) error {
		for of, at := range s.optOuts {
			if slices.Contains(contactIDs, of[0]) {
				found = append(found, ledger.OptOut{ContactID: of[0], Topic: of[1], At: at})
			}
		}
		return nil
	})
	return found, err
}
