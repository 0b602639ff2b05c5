package sqlite

import (
	"context"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/auditrow"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// auditor implements ledger.Audit.
type auditor struct{ *base }

// NoteAudit implements ledger.Audit.
func (a auditor) NoteAudit(ctx context.Context, line ledger.AuditLine) error {
	return a.update(ctx, "note an audit line in ledger", dbfile.Durable, func(t *tx) error {
		if err := line.Check(); err != nil {
			return err
		}
		line.Number, line.At = 0, a.Now()
		return auditrow.Add(t.Tx, &line)
	})
}

// AuditLines implements ledger.Audit.
func (a auditor) AuditLines(ctx context.Context, before int64, limit int) ([]ledger.AuditLine, error) {
	found, err := auditrow.Latest(ctx, a.f, before, limit)
	return reading(ctx, "audit lines", found, err)
}
