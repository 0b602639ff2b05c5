package postgres

import (
	"context"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/auditrow"
	"owlatsync/ledger/postgres/internal/server"
)

// auditor implements ledger.Audit.
type auditor struct{ *base }

// NoteAudit implements ledger.Audit.
func (a auditor) NoteAudit(ctx context.Context, line ledger.AuditLine) error {
	return a.update(ctx, "note an audit line in ledger", server.Durable, func(t *tx) error {
		line.At = a.Now()
		return auditrow.Note(t, &line)
	})
}

// AuditLines implements ledger.Audit.
func (a auditor) AuditLines(ctx context.Context, before int64, limit int) ([]ledger.AuditLine, error) {
	found, err := auditrow.Latest(ctx, a.query, before, limit)
	return reading(ctx, "audit lines", found, err)
}
