package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// overdue is the chore that looks which syncs are.
const overdue = "overdue"

// chores is how many chores a node does at a time.
const chores = 20

// standing are the chores that every cluster has. Each looks for what was missed, because whoever should have seen to it died, or because
// nobody led when a time came.
func (n calendar) standing() []Chore {
	return []Chore{
		{Name: overdue, Every: time.Hour, Within: 5 * time.Minute, Do: n.overdue},
		{Name: "write_backs", Every: 30 * time.Second, Within: time.Minute, Do: n.undelivered},
		{Name: "nodes", Every: time.Hour, Within: time.Minute, Do: n.forgetNodes},
	}
}

// overdue asks for runs of the syncs whose time has passed since they began last.
func (n calendar) overdue(ctx context.Context) error {
	rows, err := n.o.Pool.Query(ctx, `SELECT d.name, s.name, max(r.started) FROM `+n.tables.runs+` r JOIN `+n.tables.deployments+` d ON d.id = r.deployment
		JOIN `+n.tables.syncs+` s ON s.id = r.sync WHERE r.started IS NOT NULL AND r.status NOT IN ('queued', 'cancelled') AND r.part IS NULL AND r.mode <> 'plan' GROUP BY d.name, s.name`)
	if err != nil {
		return fmt.Errorf("look when syncs ran last: %w", err)
	}
	last := make(map[string]map[string]time.Time)
	var deployment string
	var sync []byte
	var started int64
	_, err = pgx.ForEachRow(rows, []any{&deployment, &sync, &started}, func() error {
		if last[deployment] == nil {
			last[deployment] = make(map[string]time.Time)
		}
		last[deployment][string(sync)] = time.UnixMicro(started)
		return nil
	})
	if err != nil {
		return fmt.Errorf("look when syncs ran last: %w", err)
	}
	return n.Overdue(ctx, last)
}

// undelivered asks for passes over what is due to be written back, for which nobody has asked.
func (n calendar) undelivered(ctx context.Context) error {
	rows, err := n.o.Pool.Query(ctx, `SELECT DISTINCT d.name FROM `+n.tables.deliveries+` w JOIN `+n.tables.deployments+` d ON d.id = w.deployment
		WHERE w.state = 'waiting' AND w.due <= extract(epoch FROM now()) * 1000000`)
	if err != nil {
		return fmt.Errorf("look for what is to be written back: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("look for what is to be written back: %w", err)
	}
	for _, name := range names {
		if err := n.Errands().Deliver(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// forgetNodes forgets nodes that have not been seen for a day.
func (n calendar) forgetNodes(ctx context.Context) error {
	if _, err := n.o.Pool.Exec(ctx, "DELETE FROM "+n.tables.nodes+" WHERE seen < now() - interval '1 day'"); err != nil {
		return fmt.Errorf("forget nodes that are gone: %w", err)
	}
	return nil
}
