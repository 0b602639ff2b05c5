package cluster

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// crew is what a node knows of the others.
type crew struct {
	mine    atomic.Int64 // homes here, also those that begin
	share   atomic.Int64 // how many homes each node should have; 0: this node is alone
	crowded atomic.Bool  // a home waits for a place

	mu     sync.Mutex
	peers  []node    // that live, and this one
	looked time.Time // when this was last known
}

// seen is when the node last saw the others.
func (c *crew) seen() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.looked
}

// give returns the queue of the node that has the most room for another home, and notes that it has one more. Several nodes that give
// at the same time may give to the same; those that have more than their share let go.
func (c *crew) give() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	best := -1
	for i, p := range c.peers {
		if p.Slots > 0 && (best < 0 || p.Homes*c.peers[best].Slots < c.peers[best].Homes*p.Slots) {
			best = i
		}
	}
	if best < 0 || c.peers[best].Homes >= c.peers[best].Slots {
		return homesQueue
	}
	c.peers[best].Homes++
	return homesQueueOf(c.peers[best].ID)
}

// another returns the queue of some other node, and how many there are.
func (c *crew) another(than string) (queue string, nodes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	others := slices.DeleteFunc(slices.Clone(c.peers), func(p node) bool { return p.ID == than })
	if len(others) == 0 {
		return homesQueue, 0
	}
	return homesQueueOf(others[rand.N(len(others))].ID), len(others)
}

// others is how many other nodes there are.
func (c *crew) others() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(len(c.peers)-1, 0)
}

// untried reports whether there is a node that is not among those that have worked a job.
func (c *crew) untried(by []string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.peers, func(p node) bool { return !slices.Contains(by, p.ID) })
}

// homeAt is a job for a home at the node that has the most room.
func (n *Node) homeAt(deployment string, epoch int64) river.InsertManyParams {
	return river.InsertManyParams{Args: homeArgs{deployment, epoch}, InsertOpts: &river.InsertOpts{Queue: n.crew.give()}}
}

func (c *crew) more(n int64) { c.mine.Add(n) }

// hasItsShare reports whether others should take the next home.
func (c *crew) hasItsShare() bool {
	share := c.share.Load()
	return share > 0 && c.mine.Load() >= share+share/8
}

// lookout looks for what is missing.
type lookout struct{ *Node }

// run looks again and again.
func (n lookout) run(ctx context.Context) {
	for failures := 0; ; {
		timer := time.NewTimer(n.o.Look - n.o.Look/8 + rand.N(n.o.Look/4))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		c, done := context.WithTimeout(ctx, n.o.Look*2)
		err := n.look(c)
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

// node is a row about a node.
type node struct {
	ID           string
	Homes, Slots int64
	Print        string // of its configuration; see alike
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

// look says that this node lives, sees who else does, and asks for homes that are missing.
func (n lookout) look(ctx context.Context) error {
	var b pgx.Batch
	told := n.clock.Asks()
	var now time.Time
	b.Queue("INSERT INTO "+n.tables.nodes+` (id, host, pid, version, since, seen, detail) VALUES ($1, $2, $3, $4, now(), now(), jsonb_build_object('homes', $5::bigint, 'slots', $6::bigint, 'print', $7::text))
		ON CONFLICT (id) DO UPDATE SET seen = now(), detail = excluded.detail RETURNING clock_timestamp()`,
		n.o.ID, []byte(n.host), os.Getpid(), n.o.Version, n.crew.mine.Load(), n.o.Slots, n.alike.print()).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	var nodes []node
	b.Queue("SELECT id, coalesce((detail->>'homes')::bigint, 0), coalesce((detail->>'slots')::bigint, 0), coalesce(detail->>'print', '') FROM "+n.tables.nodes+" WHERE seen > now() - $1::interval", n.missing()).Query(func(rows pgx.Rows) (err error) {
		nodes, err = pgx.CollectRows(rows, pgx.RowToStructByPos[node])
		return err
	})
	var waiting int64
	b.Queue("SELECT count(*) FROM " + n.tables.jobs + " WHERE state = 'available' AND kind = 'home'").QueryRow(func(row pgx.Row) error { return row.Scan(&waiting) })
	b.Queue(n.tables.stuckQuery(), n.o.Look)
	b.Queue(n.tables.lostQuery(), n.o.Look, passWithin)
	var missing []needy
	b.Queue(n.tables.needyQuery(), n.always(), n.o.Look*3/2).Query(func(rows pgx.Rows) (err error) {
		missing, err = pgx.CollectRows(rows, pgx.RowToStructByPos[needy])
		return err
	})
	if err := n.o.Pool.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	told(now)
	n.compare(nodes)
	n.weigh(nodes, waiting+int64(len(missing))) // keeps nodes, and counts in them
	if n.client == nil || n.ending() || len(missing) == 0 {
		return nil
	}
	jobs := make([]river.InsertManyParams, len(missing))
	for i, m := range missing {
		jobs[i] = n.homeAt(m.Deployment, m.Epoch)
	}
	_, err := n.client.InsertMany(ctx, jobs)
	return err
}

// weigh works out the share of each node, and lets homes go that others have room for.
func (n lookout) weigh(nodes []node, waiting int64) {
	homes, slots, room := waiting, int64(0), false
	for _, o := range nodes {
		homes, slots = homes+o.Homes, slots+o.Slots
	}
	count := int64(max(len(nodes), 1))
	share := max((homes+count-1)/count, 1)
	for _, o := range nodes {
		if o.ID != n.o.ID && o.Homes < min(share, o.Slots) {
			room = true
		}
	}
	n.crew.mu.Lock()
	n.crew.peers, n.crew.looked = nodes, time.Now()
	n.crew.mu.Unlock()
	mine := n.crew.mine.Load()
	crowded := waiting > 0 && homes-waiting >= slots
	n.crew.crowded.Store(crowded)
	if n.crew.share.Store(share); count == 1 {
		n.crew.share.Store(0)
	}
	switch {
	case count > 1 && room && mine > share:
		n.shed(int(min(mine-share, max(mine/10, 1))))
	case crowded && mine >= int64(n.o.Slots):
		n.rotate(int(max(waiting/count, 1)))
	}
}

// shed lets go of homes for which others have room: of those that have nothing to do, or else, if there are clearly too many here, of those
// that have had their place for a while.
func (n lookout) shed(most int) {
	all, left := n.eldest(), 0
	for _, h := range all {
		if left < most && !h.Idle().IsZero() {
			h.letGo(hasRoom)
			left++
		}
	}
	if left > 0 || !n.crew.hasItsShare() {
		return
	}
	for _, h := range all[:min(len(all), max(most/2, 1))] {
		if time.Since(h.since) >= n.o.Linger/2 {
			h.letGo(hasRoom)
		}
	}
}

// rotate lets go of homes that have had their place for long, busy or not, because others wait for one.
func (n lookout) rotate(most int) {
	for _, h := range n.eldest() {
		if most == 0 || time.Since(h.since) < atLeast {
			return
		}
		h.letGo(othersToo)
		most--
	}
}

// eldest returns the homes here, the one that came first first.
func (n lookout) eldest() (all []*held) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, h := range n.homes {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b *held) int { return a.since.Compare(b.since) })
	return all
}
