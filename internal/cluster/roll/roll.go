// Package roll reads which nodes share a ledger in PostgreSQL, and what each of them does. It changes nothing, and belongs to no node.
package roll

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Node is one process of those that share the ledger.
type Node struct {
	ID, Host     string
	PID          int64
	Version      string
	Since, Seen  time.Time // when it began, and when it last told that it lives, by the clock of PostgreSQL
	Silent       bool      // it has not told so for long
	Homes, Slots int64     // deployments that are at home there, and places for them
	Doubts       bool      // nothing may work there
	Runs         []string  // some of the deployments of which it makes a run, in their order
}

const (
	// silentAfter is after how long a node is silent: it says every few seconds that it lives.
	silentAfter = time.Minute
	// goneAfter is how long a silent node is told of.
	goneAfter = time.Hour
	// most is how many nodes are read, and how many deployments of each are named.
	most, named = 200, 20
)

// Read returns the nodes, those that live first, in the order in which they began.
func Read(ctx context.Context, pool *pgxpool.Pool, schema string) ([]Node, error) {
	in := func(name string) string { return pgx.Identifier{schema, name}.Sanitize() }
	rows, err := pool.Query(ctx, `SELECT n.id, encode(n.host, 'escape'), n.pid, n.version, n.since, n.seen, n.seen < now() - $1::interval AS silent,
			coalesce((n.detail->>'homes')::bigint, 0), coalesce((n.detail->>'slots')::bigint, 0), coalesce((n.detail->>'doubts')::bool, false),
			ARRAY(SELECT d.name FROM `+in("leases")+` l JOIN `+in("deployments")+` d ON d.id = l.deployment
				WHERE l.kind = 'run' AND l.expires >= now() AND l.host = n.host AND l.pid = n.pid ORDER BY d.name LIMIT $3)
		FROM `+in("nodes")+` n WHERE n.seen > now() - $2::interval ORDER BY silent, n.since, n.id LIMIT $4`, silentAfter, goneAfter, named, most)
	if err != nil {
		return nil, fmt.Errorf("read the nodes of the ledger: %w", err)
	}
	nodes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Node])
	if err != nil {
		return nil, fmt.Errorf("read the nodes of the ledger: %w", err)
	}
	return nodes, nil
}
