package cluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/tests/cluster/programs"
)

// TestSoakOfClocks has the second of two nodes take over from the first and give back again, while its own clock is ten minutes behind, or
// ahead. In the ledger nothing shows that: runs follow each other, and none counts as dead or is due at a wrong time.
func TestSoakOfClocks(t *testing.T) {
	inSoak(t)
	t.Parallel()
	wrong, err := programs.WrongClock()
	if err != nil {
		t.Fatal(err)
	}
	skewed := changed(t, wrong...)
	for seed := range uint64(2) { // of which an odd one is behind
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := world(t, Options{Nodes: 2, Deployments: []string{"a", "b"}, Rate: rate, Seed: seed, Shared: true, Skewed: skewed})
			w.Live(t.Context())
			<-time.After(3 * time.Second)
			for _, n := range []*Node{w.Nodes[0], w.Nodes[1], w.Nodes[0]} { // who is left has all homes
				if err := w.Mischief.happen(t.Context(), Trouble{Kind: Killed, Node: n.Number}, takenOverWithin+3*time.Second); err != nil {
					t.Fatal(err)
				}
				<-time.After(5 * time.Second)
			}
			for _, found := range judged(t, w) {
				t.Error(found)
			}
			misdated(t, w)
		})
	}
}

// misdated looks for times in the ledger that are not of PostgreSQL's clock.
func misdated(t *testing.T, w *World) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), w.Ledger.DSN(w.Ledger.Addr(), "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	const apart = 60_000_000 // microseconds: a run that was asked for may begin after a later one
	for what, query := range map[string]string{
		"runs that began before an earlier one of their sync": `SELECT count(*) FROM owlat_sync.runs r JOIN owlat_sync.runs p USING (deployment, sync)
			WHERE p.id < r.id AND r.started < p.started - $1`,
		"runs whose last sign of life is long after their end, or still to come": `SELECT count(*) FROM owlat_sync.runs
			WHERE heartbeat > coalesce(finished, 0) + $1 AND finished IS NOT NULL OR heartbeat > extract(epoch FROM clock_timestamp()) * 1000000 + $1`,
		"lines of history that are older than earlier ones": `SELECT count(*) FROM owlat_sync.history h JOIN owlat_sync.history p USING (deployment)
			WHERE p.number = h.number - 1 AND h.at < p.at - $1`,
	} {
		var found int
		if err := conn.QueryRow(t.Context(), query, apart).Scan(&found); err != nil {
			t.Fatal(what, err)
		}
		if found > 0 {
			t.Errorf("%d %s", found, what)
		}
	}
}
