package memory

import (
	"context"
	"slices"
	"time"

	"owlatsync/ledger"
)

// auditor implements ledger.Audit.
type auditor struct{ *opening }

// NoteAudit implements ledger.Audit.
func (m auditor) NoteAudit(ctx context.Context, line ledger.AuditLine) error {
	return m.use(ctx, "note an audit line in ledger", func(s *store) error {
		if err := line.Check(); err != nil {
			return err
		}
		line.Number, line.At = 0, m.Now()
		return s.addAudit(line)
	})
}

// AuditLines implements ledger.Audit.
func (m auditor) AuditLines(ctx context.Context, before int64, limit int) (found []ledger.AuditLine, err error) {
	err = m.use(ctx, "read audit lines of the ledger", func(s *store) error {
		for _, line := range slices.Backward(s.audit) {
			if (before == 0 || line.Number < before) && (limit < 1 || len(found) < limit) {
				found = append(found, line)
			}
		}
		return nil
	})
	return found, err
}

// addAudit adds a line under its number, which must be larger than all before; 0 means the next number.
func (s *store) addAudit(line ledger.AuditLine) error {
	switch {
	case line.Number == 0:
		line.Number = s.lastAudit + 1
	case line.Number <= s.lastAudit:
		return ledger.ErrContradiction
	}
	s.lastAudit, line.At = line.Number, moment(line.At)
	s.audit = append(s.audit, line)
	return nil
}

// pruneAudit removes the lines from before the time.
func (s *store) pruneAudit(before time.Time) int64 {
	had := len(s.audit)
	s.audit = slices.DeleteFunc(s.audit, func(l ledger.AuditLine) bool { return l.At.Before(before) })
	return int64(had - len(s.audit))
}
