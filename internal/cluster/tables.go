package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// tables are the names of tables, ready for statements.
type tables struct{ jobs, leases, deployments, syncs, runs, deliveries, nodes string }

func tablesIn(schema string) tables {
	in := func(name string) string { return pgx.Identifier{schema, name}.Sanitize() }
	return tables{
		jobs: in("river_job"), leases: in("leases"), deployments: in("deployments"), syncs: in("syncs"), runs: in("runs"), deliveries: in("deliveries"), nodes: in("nodes"),
	}
}

// homeLease joins the lease of a home to a deployment's name.
func (t tables) homeLease(name string) string {
	return " LEFT JOIN " + t.deployments + " d ON d.name = " + name + " LEFT JOIN " + t.leases + " l ON l.deployment = d.id AND l.kind = 'home'"
}

// orphaned is what River's list of errors says of a job whose home ended without a word.
const orphaned = "the node that worked it ended without a word"

// takeUp puts back what dead homes of a deployment seem to work. What was asked of them for somebody who waited is not done again: it
// may have taken effect. The job of the home itself may name an early lease too, if it was tried before.
func (n keeper) takeUp(ctx context.Context, h *held) error {
	rows, err := n.o.Pool.Query(ctx, `SELECT id, kind, attempt, coalesce(metadata ? 'cancel_attempted_at', false) FROM `+n.tables.jobs+`
		WHERE state = 'running' AND (queue = $1 OR kind = 'home' AND args->>'deployment' = $2 AND (args->>'epoch')::bigint < $3 - 1 AND id <> $4)`,
		h.queue, h.name, h.lease.Epoch(), h.job)
	if err != nil {
		return fmt.Errorf("look for what an earlier home left: %w", err)
	}
	type orphan struct {
		ID        int64
		Kind      string
		Attempt   int
		Cancelled bool
	}
	orphans, err := pgx.CollectRows(rows, pgx.RowToStructByPos[orphan])
	if err != nil {
		return fmt.Errorf("look for what an earlier home left: %w", err)
	}
	now := n.clock.Now()
	rescue := riverdriver.JobRescueManyParams{Schema: n.o.Schema, StuckHorizon: now.Add(time.Hour)}
	for _, o := range orphans {
		text, err := json.Marshal(rivertype.AttemptError{At: now.UTC(), Attempt: o.Attempt, Error: orphaned})
		if err != nil {
			return err
		}
		state, finalized := rivertype.JobStateAvailable, (*time.Time)(nil)
		switch {
		case o.Cancelled:
			state, finalized = rivertype.JobStateCancelled, &now
		case o.Kind != runArgs{}.Kind():
			state, finalized = rivertype.JobStateDiscarded, &now
		}
		rescue.ID, rescue.Error, rescue.State = append(rescue.ID, o.ID), append(rescue.Error, text), append(rescue.State, string(state))
		rescue.FinalizedAt, rescue.ScheduledAt = append(rescue.FinalizedAt, finalized), append(rescue.ScheduledAt, now)
	}
	if len(orphans) == 0 {
		return nil
	}
	if _, err := n.driver.GetExecutor().JobRescueMany(ctx, &rescue); err != nil {
		return fmt.Errorf("take up what an earlier home left: %w", err)
	}
	return nil
}
