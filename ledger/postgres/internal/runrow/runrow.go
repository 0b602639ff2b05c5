// Package runrow is how the ledger in PostgreSQL keeps the record of a run.
package runrow

import (
	"encoding/json"
	"fmt"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/postgres/internal/pgrow"

	"github.com/jackc/pgx/v5"
)

// Insert inserts a run. Its arguments are the deployment, the number, the sync, the epoch, what was asked (full, approves), and those of
// Encode.
const Insert = `INSERT INTO @runs (deployment, id, sync, epoch, full_scan, approves, mode, started, heartbeat, finished, stage, status, message, owner, part,
	report, summary, guards, plan_form) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`

// Replace has the columns of runform.Encode from $4 on.
const Replace = `mode = $4, started = $5, heartbeat = $6, finished = $7, stage = $8, status = $9, message = $10, owner = $11,
	part = $12, report = $13, summary = $14, guards = $15, plan_form = $16`

// Columns are the columns that Scan reads, of runs r and syncs s.
const Columns = `r.id, s.name, r.mode, r.epoch, r.started, r.heartbeat, r.finished, r.stage, r.status, r.message, r.plan_form, r.full_scan, r.approves,
	r.owner, r.part, r.report, r.summary, r.guards`

// Scan reads Columns.
func Scan(rows pgx.Rows) (r ledger.Run, err error) {
	var started, heartbeat, finished pgrow.Moment
	var mode, stage string
	var owner, asked, report, summary, guards []byte
	if err := rows.Scan(&r.ID, &r.Sync, &mode, &r.Epoch, &started, &heartbeat, &finished, &stage, &r.Status, &r.Message, &r.PlanForm, &r.Full, &r.Approves,
		&owner, &asked, &report, &summary, &guards); err != nil {
		return r, err
	}
	r.Mode, r.Stage = ledger.Mode(mode), ledger.Stage(stage)
	r.Started, r.Heartbeat, r.Finished = started.Time, heartbeat.Time, finished.Time
	var part entry.Part
	for _, column := range []struct {
		name string
		text []byte
		into any
	}{
		{"owner", owner, &r.Owner}, {"part", asked, &part}, {"report", report, &r.Report}, {"summary", summary, &r.Summary}, {"guards", guards, &r.Guards},
	} {
		if column.text == nil {
			continue
		}
		if err := json.Unmarshal(column.text, column.into); err != nil {
			return r, fmt.Errorf("%w (the %s of run %d cannot be read)", ledger.ErrCorrupt, column.name, r.ID)
		}
	}
	r.Part = part.Decode()
	return r, nil
}
