package home

import (
	"context"

	"owlatsync"
	"owlatsync/internal/turns"
)

// foundNothing reports whether a run looked for keys of which neither the source nor the ledger knows any.
func (r *runner) foundNothing(ctx context.Context, j *turns.Job, report *owlatsync.Report) bool {
	if r.astray == nil || len(j.Keys) == 0 || report == nil || report.Rows > 0 || report.Reading == nil || report.Reading.Mode != owlatsync.ReadKeys {
		return false
	}
	known, err := r.ledger.Entries(ctx, j.Sync, j.Keys)
	return err == nil && len(known) == 0
}
