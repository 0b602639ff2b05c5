package cluster

import (
	"context"
	"math/rand/v2"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"owlatsync/internal/cluster/crew"
)

// lookout looks for what is missing.
type lookout struct{ *Node }

// mostApart is the longest time between two looks.
func (n lookout) mostApart() time.Duration { return n.o.Look * 9 / 8 }

// endedBy is how long after the end of a lease a look finds it ended for certain.
const endedBy = 20 * time.Millisecond

// run looks again and again: at regular times, and as soon as the lease of a home ends that nobody renews.
func (n lookout) run(ctx context.Context) {
	soonest := n.mostApart()
	for failures := 0; ; {
		timer := time.NewTimer(min(n.mostApart()-rand.N(n.o.Look/4), soonest+endedBy+rand.N(endedBy)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		c, done := context.WithTimeout(ctx, n.o.Look*2)
		var err error
		soonest, err = n.look(c)
		done()
		switch {
		case err == nil:
			failures = 0
		case ctx.Err() == nil:
			if failures++; failures == 3 {
				n.log.Warn("PostgreSQL does not say what there is to do", "error", err)
			}
		}
	}
}

// needy is a deployment that has no home and needs one.
type needy struct {
	Deployment string
	Epoch      int64
}

// missing is how long a node may not have been seen that takes part.
func (n *Node) missing() time.Duration { return n.o.Look * 5 / 2 }

// needyQuery finds deployments with something to do, or that always have a home, whose lease is nobody's, and for which no home is
// asked. A queued run may have no job, if who asked for it died in between; one that broke off is made again by its home, unless that
// is long ago. $1 has the deployments that always have a home, $2 is how long a node may take from a job to the lease. A job that looks as if it were being worked is one that a dead home left. A job for a home that was fetched by a node which
// then died before it took the lease asks for nothing any more; that of a later epoch does. What it takes grows with the homes and not
// with their square: sets are subtracted, and only what is left is looked at one by one.
func (t tables) needyQuery() string {
	brokenOff := func(status string) string {
		return `SELECT d.name FROM ` + t.runs + ` r JOIN ` + t.deployments + ` d ON d.id = r.deployment
			WHERE r.status = '` + status + `' AND r.heartbeat > extract(epoch FROM now() - interval '10 minutes') * 1000000
			AND NOT EXISTS (SELECT FROM ` + t.leases + ` l WHERE l.deployment = r.deployment AND l.kind = 'run' AND l.expires >= now())`
	}
	return `WITH needy AS MATERIALIZED (
		(SELECT args->>'deployment' AS deployment FROM ` + t.jobs + ` WHERE state IN ('available', 'running') AND kind IN ('run', 'call') AND scheduled_at <= now()
		UNION SELECT unnest($1::text[])
		UNION SELECT d.name FROM ` + t.runs + ` r JOIN ` + t.deployments + ` d ON d.id = r.deployment WHERE r.status = 'queued'
		UNION ` + brokenOff("running") + `
		UNION ` + brokenOff("waiting") + `)
		EXCEPT SELECT d.name FROM ` + t.leases + ` l JOIN ` + t.deployments + ` d ON d.id = l.deployment WHERE l.kind = 'home' AND l.expires >= now()
		EXCEPT SELECT args->>'deployment' FROM ` + t.jobs + ` WHERE kind = 'home' AND state IN ('available', 'retryable', 'scheduled', 'running')
			AND (state <> 'running' OR attempted_at > now() - $2::interval))
	SELECT w.deployment, coalesce(l.epoch, 0) FROM needy w` + t.homeLease("w.deployment") + ` WHERE l.expires IS NULL OR l.expires < now()`
}

// stuckQuery gives jobs for homes to all nodes that a node has not taken to which they were given, or that a node fetched which died
// before it took the lease. $1 is how often nodes look; River's queues look every second.
func (t tables) stuckQuery() string {
	return `UPDATE ` + t.jobs + ` j SET state = 'available', scheduled_at = now(), queue = '` + homesQueue + `' WHERE j.kind = 'home' AND j.state IN ('available', 'running') AND (
		j.state = 'available' AND j.queue <> '` + homesQueue + `' AND j.scheduled_at < now() - greatest($1::interval, interval '1.5 seconds')
		OR j.state = 'running' AND j.attempted_at < now() - 2.5 * $1::interval
		AND NOT EXISTS (SELECT FROM ` + t.nodes + ` n WHERE n.id = j.attempted_by[array_upper(j.attempted_by, 1)] AND n.seen >= now() - 3 * $1::interval)
		AND NOT EXISTS (SELECT FROM ` + t.leases + ` l JOIN ` + t.deployments + ` d ON d.id = l.deployment WHERE d.name = j.args->>'deployment' AND l.kind = 'home'
			AND (l.epoch > (j.args->>'epoch')::bigint OR l.expires >= now())))`
}

// lostQuery gives back jobs that any node may do and that nobody works: the node that had them died, or could not tell PostgreSQL how they
// ended. No other is asked for while such a job seems to be worked. $1 is how often nodes look, $2 the longest that a job may take which is
// no chore; a chore whose node lives is left to River.
func (t tables) lostQuery() string {
	return `UPDATE ` + t.jobs + ` j SET state = 'available', scheduled_at = now() WHERE j.kind IN ('write_back', 'due', 'chore') AND j.state = 'running'
		AND j.attempted_at < now() - 2.5 * $1::interval AND (
		j.kind <> 'chore' AND j.attempted_at < now() - 1.5 * $2::interval
		OR NOT EXISTS (SELECT FROM ` + t.nodes + ` n WHERE n.id = j.attempted_by[array_upper(j.attempted_by, 1)] AND n.seen >= now() - 5 * $1::interval))`
}

// greet adds to a batch that this node lives, and the question who else does. What it returns takes the answer in; it is to be called once
// when the batch has been answered.
func (n lookout) greet(b *pgx.Batch) (met func()) {
	told := n.clock.Asks()
	var now time.Time
	b.Queue("INSERT INTO "+n.tables.nodes+` (id, host, pid, version, since, seen, detail) VALUES ($1, $2, $3, $4, now(), now(),
			jsonb_build_object('homes', $5::bigint, 'slots', $6::bigint, 'print', $7::text, 'doubts', $8::bool, 'avoids', to_jsonb($9::text[])))
		ON CONFLICT (id) DO UPDATE SET seen = now(), detail = excluded.detail RETURNING clock_timestamp()`,
		n.o.ID, []byte(n.host), os.Getpid(), n.o.Version, n.crew.Mine(), n.o.Slots, n.alike.print(), n.crew.Flights.Doubts(), n.crew.Flights.Avoided()).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	var nodes []crew.Node
	b.Queue(`SELECT id, coalesce((detail->>'homes')::bigint, 0), coalesce((detail->>'slots')::bigint, 0), coalesce(detail->>'print', ''), coalesce((detail->>'doubts')::bool, false),
		ARRAY(SELECT jsonb_array_elements_text(coalesce(detail->'avoids', '[]'))) FROM `+n.tables.nodes+" WHERE seen > now() - $1::interval", n.missing()).Query(func(rows pgx.Rows) (err error) {
		nodes, err = pgx.CollectRows(rows, pgx.RowToStructByPos[crew.Node])
		return err
	})
	return func() {
		told(now)
		n.compare(nodes)
		n.crew.Meet(nodes)
	}
}

// meet says that this node lives, and sees who else does.
func (n lookout) meet(ctx context.Context) error {
	var b pgx.Batch
	met := n.greet(&b)
	if err := n.o.Pool.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	met()
	return nil
}

// look says that this node lives, sees who else does, and asks for homes that are missing. It returns how long it is until the next lease of a
// home ends, at most the time until the next look: leases that are renewed have longer to live.
func (n lookout) look(ctx context.Context) (soonest time.Duration, err error) {
	soonest = n.mostApart()
	var b pgx.Batch
	met := n.greet(&b)
	var waiting crew.Waiting
	b.Queue("SELECT count(*), (array_agg(args->>'deployment' ORDER BY scheduled_at))[1:100], coalesce((SELECT min(expires) - now() FROM "+n.tables.leases+
		" WHERE kind = 'home' AND expires >= now() AND expires < now() + $1::interval), $1) FROM "+n.tables.jobs+" WHERE state = 'available' AND kind = 'home'", soonest).
		QueryRow(func(row pgx.Row) error { return row.Scan(&waiting.Count, &waiting.First, &soonest) })
	b.Queue(n.tables.stuckQuery(), n.o.Look)
	b.Queue(n.tables.lostQuery(), n.o.Look, passWithin)
	var missing []needy
	b.Queue(n.tables.needyQuery(), n.always(), n.o.Look*3/2).Query(func(rows pgx.Rows) (err error) {
		missing, err = pgx.CollectRows(rows, pgx.RowToStructByPos[needy])
		return err
	})
	if err := n.o.Pool.SendBatch(ctx, &b).Close(); err != nil {
		return n.mostApart(), err
	}
	waiting.Count += int64(len(missing))
	met()
	n.weigh(waiting)
	if n.client == nil || n.ending() || len(missing) == 0 {
		return soonest, nil
	}
	jobs := make([]river.InsertManyParams, len(missing))
	for i, m := range missing {
		jobs[i] = homeAt(n.crew.Place(m.Deployment), m.Deployment, m.Epoch)
	}
	_, err = n.client.InsertMany(ctx, jobs)
	return soonest, err
}
