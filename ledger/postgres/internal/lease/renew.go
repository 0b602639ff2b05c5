package lease

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger/postgres/internal/server"
)

// renewer renews the leases of this process, all with one statement, on a connection of its own: others may keep those of the pool busy.
type renewer struct {
	leases *Leases
	ctx    context.Context // ends when the renewer is to end
	cancel context.CancelFunc
	ended  chan struct{}
	conn   *pgx.Conn // nil: there is none
}

func startRenewer(s *Leases) *renewer {
	r := &renewer{leases: s, ended: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	go r.run()
	return r
}

func (r *renewer) stop() {
	r.cancel()
	<-r.ended
}

// warnAgain is how often it is said that leases cannot be renewed, which is tried several times a second.
const warnAgain = 30 * time.Second

// run renews until there is nothing to renew.
func (r *renewer) run() {
	defer close(r.ended)
	defer r.cancel()
	defer r.disconnect()
	t := r.leases.timing
	var warned time.Time // zero: the leases were renewed since
	for wait := t.Renew; ; {
		select {
		case <-r.ctx.Done():
			return
		case <-time.After(wait):
		}
		held := r.leases.all()
		if len(held) == 0 {
			return
		}
		wait = t.Renew
		if err := r.renew(held); err == nil {
			warned = time.Time{}
		} else {
			if r.ctx.Err() == nil && time.Since(warned) >= warnAgain {
				warned = time.Now()
				r.leases.db.Log.Warn("leases could not be renewed", "leases", len(held), "error", server.Explain(r.ctx, err))
			}
			r.disconnect()
			wait = t.Renew / 8 // the next connection may be better
		}
	}
}

// renewLeases renews the leases that have not ended. It leaves out rows that somebody else is about to change, so that one lease does not
// hold all others up, and tells of every lease whether it is still there.
const renewLeases = `WITH mine AS (SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) AS m (deployment, kind, epoch, holder)),
	free AS (SELECT l.deployment, l.kind FROM @leases l JOIN mine USING (deployment, kind, epoch, holder) WHERE l.expires > clock_timestamp()
		ORDER BY l.deployment, l.kind FOR UPDATE OF l SKIP LOCKED),
	renewed AS (UPDATE @leases l SET expires = clock_timestamp() + $5::bigint * interval '1 microsecond' FROM free f
		WHERE l.deployment = f.deployment AND l.kind = f.kind RETURNING l.deployment, l.kind)
	SELECT m.holder, r.deployment IS NOT NULL, coalesce(l.expires > clock_timestamp(), false)
	FROM mine m LEFT JOIN renewed r USING (deployment, kind) LEFT JOIN @leases l USING (deployment, kind, epoch, holder)`

// renew renews leases. One that is no longer there is lost.
func (r *renewer) renew(held []*Lease) error {
	db, timing := r.leases.db, r.leases.timing
	ctx, cancel := context.WithTimeout(r.ctx, timing.Renew*3/4)
	defer cancel()
	if r.conn == nil {
		config := db.Pool.Config().ConnConfig
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			return err
		}
		r.conn = conn
	}
	n := len(held)
	deployments, kinds, epochs, holders := make([]int64, n), make([]string, n), make([]int64, n), make([]int64, n)
	byHolder := make(map[int64]*Lease, n)
	for i, l := range held {
		deployments[i], kinds[i], epochs[i], holders[i] = l.Deployment, l.Kind, l.Number, l.Holder
		byHolder[l.Holder] = l
	}
	asked := Steady()
	rows, err := r.conn.Query(ctx, db.SQL(renewLeases), deployments, kinds, epochs, holders, timing.Life.Microseconds())
	return server.EachRow(rows, err, func(rows pgx.Rows) error {
		var holder int64
		var renewed, there bool
		if err := rows.Scan(&holder, &renewed, &there); err != nil {
			return err
		}
		switch l := byHolder[holder]; {
		case renewed:
			l.relyOn(asked)
		case !there:
			l.Lose(ErrTaken)
		}
		return nil
	})
}

func (r *renewer) disconnect() {
	if r.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = r.conn.Close(ctx)
	r.conn = nil
}
