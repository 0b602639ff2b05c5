package scale

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/internal/bench/findings"
	"owlatsync/internal/bench/made"
)

// load is what PostgreSQL had to do for the ledger, a second, and who was at home meanwhile.
type load struct {
	Transactions, Statements, Written, Read float64 // statements as pg_stat_statements counts them, rows written, and blocks read from outside the cache
	Numbers                                 float64 // transactions that write, and so have a number
	WAL                                     float64 // bytes
	Working                                 float64 // seconds in which statements were executed, of all connections
	Server, Programs                        float64 // processor seconds of PostgreSQL, and of all nodes
	Homes                                   float64 // on average
	Nodes                                   []nodeLoad
	Tables                                  []tableLoad // those with changes
}

// nodeLoad is what one node had meanwhile.
type nodeLoad struct {
	Homes       float64 // on average
	Connections int     // at most, to the ledger
	Memory      int64   // KB, at most, since it began
}

// most returns the largest of what the nodes had.
func (l load) most(of func(nodeLoad) float64) (most float64) {
	for _, n := range l.Nodes {
		most = max(most, of(n))
	}
	return most
}

func (l load) String() string {
	return fmt.Sprintf("%.0f transactions (%.0f with a number), %.0f statements, %.0f rows written, %.0f blocks read, %.0f bytes of WAL, %.2f s of work, %.2f and %.2f s of processors a second; %.1f homes; nodes %+v",
		l.Transactions, l.Numbers, l.Statements, l.Written, l.Read, l.WAL, l.Working, l.Server, l.Programs, l.Homes, l.Nodes)
}

// tableLoad is what was changed in a table.
type tableLoad struct {
	Name                              string
	Inserted, Updated, Deleted, Hot   int64 // rows; Hot are updates that changed no index
	Dead, Live, Vacuumed, Size, Grown int64 // Dead and Live at the end, Vacuumed is how often
}

// watcher looks at PostgreSQL, and at who is at home.
type watcher struct{ *world }

// counters are numbers that grow.
type counters struct {
	at                                                          time.Time
	transactions, numbers, statements, written, read, wal, exec float64
	server, programs                                            time.Duration
	tables                                                      map[string]tableLoad
}

const (
	databaseQuery = `SELECT clock_timestamp(), xact_commit + xact_rollback, tup_inserted + tup_updated + tup_deleted, blks_read, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0'),
		(SELECT coalesce(sum(calls), 0) FROM pg_stat_statements s WHERE s.dbid = d.datid), (SELECT coalesce(sum(total_exec_time), 0) / 1000 FROM pg_stat_statements s WHERE s.dbid = d.datid), pg_backend_pid(),
		pg_snapshot_xmax(pg_current_snapshot())::text::float8
		 FROM pg_stat_database d WHERE datname = 'ledger'`
	tablesQuery = `SELECT relname, n_tup_ins, n_tup_upd, n_tup_del, n_tup_hot_upd, n_dead_tup, n_live_tup, autovacuum_count, pg_total_relation_size(relid) FROM pg_stat_user_tables WHERE schemaname = $1`
	busiest     = `SELECT calls, round(total_exec_time), left(regexp_replace(query, '\s+', ' ', 'g'), 110) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid AND d.datname = 'ledger' ORDER BY total_exec_time DESC LIMIT 12`
)

func (w watcher) count(ctx context.Context) (c counters, err error) {
	var backend int
	if err := w.rows.QueryRow(ctx, databaseQuery).Scan(&c.at, &c.transactions, &c.written, &c.read, &c.wal, &c.statements, &c.exec, &backend, &c.numbers); err != nil {
		return c, err
	}
	c.server = made.FamilyTime(backend)
	for _, n := range w.nodes {
		c.programs += made.ProcessorTime(n.pid)
	}
	rows, err := w.book.Query(ctx, tablesQuery, schema)
	if err != nil {
		return c, err
	}
	c.tables = make(map[string]tableLoad)
	var t tableLoad
	_, err = pgx.ForEachRow(rows, []any{&t.Name, &t.Inserted, &t.Updated, &t.Deleted, &t.Hot, &t.Dead, &t.Live, &t.Vacuumed, &t.Size}, func() error {
		c.tables[t.Name] = t
		return nil
	})
	return c, err
}

// watch looks at PostgreSQL for a time, and longer until enough says so, at most four times as long. Each is called every second. Both may
// be nil.
func (w watcher) watch(ctx context.Context, span time.Duration, each func(context.Context) error, enough func(context.Context) (bool, error)) (l load, err error) {
	if _, err := w.rows.Exec(ctx, "SELECT pg_stat_statements_reset()"); err != nil {
		return l, err
	}
	before, err := w.count(ctx)
	if err != nil {
		return l, err
	}
	l.Nodes = make([]nodeLoad, len(w.nodes))
	looks := 0
	for began := time.Now(); time.Since(began) < 4*span; looks++ {
		if time.Since(began) >= span {
			if enough == nil {
				break
			}
			if over, err := enough(ctx); over || err != nil {
				if err != nil {
					return l, err
				}
				break
			}
		}
		if err := w.look(ctx, &l); err != nil {
			return l, err
		}
		if each != nil {
			if err := each(ctx); err != nil {
				return l, err
			}
		}
		if err := sleep(ctx, time.Second); err != nil {
			return l, err
		}
	}
	after, err := w.count(ctx)
	if err != nil {
		return l, err
	}
	seconds := after.at.Sub(before.at).Seconds()
	l.Transactions, l.Statements = (after.transactions-before.transactions)/seconds, (after.statements-before.statements)/seconds
	l.Numbers = (after.numbers - before.numbers) / seconds
	l.Written, l.Read = (after.written-before.written)/seconds, (after.read-before.read)/seconds
	l.WAL, l.Working = (after.wal-before.wal)/seconds, (after.exec-before.exec)/seconds
	l.Server, l.Programs = (after.server-before.server).Seconds()/seconds, (after.programs-before.programs).Seconds()/seconds
	for n := range l.Nodes {
		l.Nodes[n].Homes /= float64(looks)
		l.Homes += l.Nodes[n].Homes
	}
	for name, t := range after.tables {
		was := before.tables[name]
		t.Inserted, t.Updated, t.Deleted, t.Hot = t.Inserted-was.Inserted, t.Updated-was.Updated, t.Deleted-was.Deleted, t.Hot-was.Hot
		if t.Vacuumed, t.Grown = t.Vacuumed-was.Vacuumed, t.Size-was.Size; t.Inserted+t.Updated+t.Deleted > 0 {
			l.Tables = append(l.Tables, t)
		}
	}
	return l, w.printBusiest(ctx)
}

// look adds up who is at home where.
func (w watcher) look(ctx context.Context, l *load) error {
	rows, err := w.book.Query(ctx, "SELECT pid, count(*)::float8 FROM "+schema+".leases WHERE kind = 'home' AND expires > clock_timestamp() GROUP BY pid")
	if err != nil {
		return err
	}
	var pid int
	var homes float64
	if _, err = pgx.ForEachRow(rows, []any{&pid, &homes}, func() error {
		for i, n := range w.nodes {
			if n.pid == pid {
				l.Nodes[i].Homes += homes
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if rows, err = w.rows.Query(ctx, "SELECT application_name, count(*) FROM pg_stat_activity WHERE datname = 'ledger' GROUP BY 1"); err != nil {
		return err
	}
	var name string
	var connections int
	_, err = pgx.ForEachRow(rows, []any{&name, &connections}, func() error {
		for i, n := range w.nodes {
			if n.name == name {
				l.Nodes[i].Connections = max(l.Nodes[i].Connections, connections)
			}
		}
		return nil
	})
	return err
}

// printConnections tells what the connections of the first node did last.
func (w watcher) printConnections(ctx context.Context) error {
	rows, err := w.rows.Query(ctx, `SELECT count(*), left(regexp_replace(query, '\s+', ' ', 'g'), 80) FROM pg_stat_activity WHERE datname = 'ledger' AND application_name = $1 GROUP BY 2 ORDER BY 1 DESC`, w.nodes[0].name)
	if err != nil {
		return err
	}
	var connections int
	var text string
	_, err = pgx.ForEachRow(rows, []any{&connections, &text}, func() error {
		fmt.Fprintf(w.log, "  %3d connections of %s: %s\n", connections, w.nodes[0].name, text)
		return nil
	})
	return err
}

// printBusiest tells what took PostgreSQL longest.
func (w watcher) printBusiest(ctx context.Context) error {
	rows, err := w.rows.Query(ctx, busiest)
	if err != nil {
		return err
	}
	var calls, took int64
	var text string
	_, err = pgx.ForEachRow(rows, []any{&calls, &took, &text}, func() error {
		fmt.Fprintf(w.log, "  %8d calls %7d ms  %s\n", calls, took, text)
		return nil
	})
	return err
}

// reported is the time after which PostgreSQL counts in all that its connections have done.
const reported = 12 * time.Second

// rest waits until nothing is going on.
func (w watcher) rest(ctx context.Context) error {
	working := 0
	for began, quiet := time.Now(), 0; quiet < 5; {
		if time.Since(began) > w.size.Settle {
			return fmt.Errorf("the nodes do not come to rest within %s: %d jobs and runs are still to be done; %s", w.size.Settle, working, w.nodes[0].lastWords())
		}
		err := w.book.QueryRow(ctx, `SELECT (SELECT count(*) FROM `+schema+`.river_job WHERE kind IN ('run', 'due', 'call') AND state IN ('available', 'running', 'retryable', 'scheduled'))
			+ (SELECT count(*) FROM `+schema+`.runs WHERE status IN ('running', 'waiting', 'queued')) + (SELECT count(*) FROM `+schema+`.river_job WHERE kind = 'home' AND state <> 'running' AND finalized_at IS NULL)`).Scan(&working)
		if err != nil {
			return err
		}
		if quiet++; working > 0 {
			quiet = 0
		}
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
	return sleep(ctx, reported)
}

// tableSize is how much room a table takes.
type tableSize struct {
	Name           string
	Table, Indexes int64 // bytes
}

// sizes returns the tables that grow with the contacts, and how many entries there are.
func (w watcher) sizes(ctx context.Context) (all []tableSize, entries int, err error) {
	rows, err := w.book.Query(ctx, `SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class WHERE relnamespace = $1::regnamespace AND relname IN ('entries', 'packs') ORDER BY 1`, schema)
	if err != nil {
		return nil, 0, err
	}
	if all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[tableSize]); err != nil {
		return nil, 0, err
	}
	indexes, err := w.book.Query(ctx, `SELECT c.relname, pg_relation_size(c.oid), 0::bigint FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
		WHERE i.indrelid = $1::regclass ORDER BY 2 DESC`, schema+".entries")
	if err != nil {
		return nil, 0, err
	}
	var each tableSize
	if _, err := pgx.ForEachRow(indexes, []any{&each.Name, &each.Table, &each.Indexes}, func() error {
		fmt.Fprintf(w.log, "%s: %s bytes\n", each.Name, findings.Count(int(each.Table)))
		return nil
	}); err != nil {
		return nil, 0, err
	}
	return all, w.size.Deployments*w.size.Contacts + w.size.Syncs*w.size.Each, nil
}
