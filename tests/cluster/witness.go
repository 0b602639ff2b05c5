package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// schema is where the ledger is in PostgreSQL.
const schema = "owlat_sync"

// witness makes PostgreSQL write down who takes each lease and who gives it back, on its own clock, whatever the nodes say.
const witness = `
CREATE SCHEMA witness;
CREATE TABLE witness.leases (number BIGINT GENERATED ALWAYS AS IDENTITY, deployment BIGINT, kind TEXT, epoch BIGINT, holder BIGINT, pid BIGINT, at TIMESTAMPTZ, released BOOLEAN);
CREATE FUNCTION witness.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF NEW.holder = OLD.holder AND NEW.epoch = OLD.epoch AND NOT (NEW.expires = '-infinity' AND OLD.expires <> '-infinity') THEN
      RETURN NULL;
    END IF;
  END IF;
  INSERT INTO witness.leases (deployment, kind, epoch, holder, pid, at, released)
    VALUES (NEW.deployment, NEW.kind, NEW.epoch, NEW.holder, NEW.pid, clock_timestamp(), NEW.expires = '-infinity');
  RETURN NULL;
END $$;
CREATE TRIGGER witness AFTER INSERT OR UPDATE ON ` + schema + `.leases FOR EACH ROW EXECUTE FUNCTION witness.note();
`

// watchLeases makes the tables of the ledger and lets the witness watch its leases.
func (w *World) watchLeases(ctx context.Context) error {
	if _, err := w.Nodes[0].Ask("ledger", "migrate"); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, w.Ledger.DSN(w.Ledger.Addr(), "postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, witness); err != nil {
		return fmt.Errorf("let the leases be watched: %w", err)
	}
	return nil
}

// leases tells who might work when: as PostgreSQL wrote it down, and for a ledger in a file, which belongs to one service, as long as
// that lived.
func (w clerk) leases(ctx context.Context, e *Evidence) error {
	if w.Ledger != nil {
		conn, err := pgx.Connect(ctx, w.Ledger.DSN(w.Ledger.Addr(), "postgres"))
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close(ctx) }()
		if e.Leases, err = w.witnessed(ctx, conn); err != nil {
			return err
		}
	}
	for _, n := range w.Nodes {
		if w.Ledger != nil {
			break // nobody but the shared ledger gives the right
		}
		n.mu.Lock()
		for name := range w.Owlats {
			for _, l := range n.lives {
				e.Leases = append(e.Leases, Lease{Deployment: name, Kind: home, Node: n.Number, Span: l.Span})
			}
		}
		n.mu.Unlock()
	}
	return nil
}

// witnessed reads what the witness wrote down.
func (w clerk) witnessed(ctx context.Context, conn *pgx.Conn) (all []Lease, err error) {
	found, err := conn.Query(ctx, "SELECT d.name, l.kind, l.epoch, l.pid, l.at, l.released FROM witness.leases l JOIN "+schema+".deployments d ON d.id = l.deployment ORDER BY l.number")
	if err != nil {
		return nil, err
	}
	open := make(map[string]int) // where in all the present lease of a deployment and kind is
	var name, kind string
	var epoch, pid int64
	var at time.Time
	var released bool
	_, err = pgx.ForEachRow(found, []any{&name, &kind, &epoch, &pid, &at, &released}, func() error {
		if before, held := open[name+" "+kind]; held {
			all[before].To = at
			delete(open, name+" "+kind)
		}
		if !released {
			open[name+" "+kind] = len(all)
			all = append(all, Lease{Deployment: name, Kind: kind, Epoch: epoch, Node: w.nodeOf(int(pid)), Span: Span{From: at}})
		}
		return nil
	})
	return all, err
}

// nodeOf returns the number of the node whose process had the number, 0 if none had.
func (w *World) nodeOf(pid int) int {
	for _, n := range w.Nodes {
		if n.has(pid) {
			return n.Number
		}
	}
	return 0
}
