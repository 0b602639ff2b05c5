package scale

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// share is what one node had of the work.
type share struct {
	Homes    float64 // on average
	Runs     int
	Single   int // of these runs: of deployments with one sync
	Requests int
}

// waits are those of syncs that compete with each other.
type waits struct {
	Syncs         int
	Runs          int           // that began
	Fewest, Most  int           // runs of one sync
	Median, Worst time.Duration // from due to begun
	Fair          time.Duration // in which each could begin once
	Run           time.Duration // how long a run took, the median of those that have ended
}

// Times is the longest wait over the fair share.
func (w waits) Times() float64 { return w.Worst.Seconds() / w.Fair.Seconds() }

// due is when a sync was due.
type due struct {
	deployment, sync string
	at               time.Time
}

// begun is when a run of a sync began.
type begun struct {
	deployment, sync string
	at               time.Time
	took             time.Duration // 0: it goes on
	pid              int
}

// judge works out how even the work was.
type judge struct{ *world }

// weigh works out how even the work was since from.
func (w judge) weigh(ctx context.Context, from time.Time, into *result) error {
	now, err := w.now(ctx)
	if err != nil {
		return err
	}
	dues, err := w.dues(ctx, from)
	if err != nil {
		return err
	}
	runs, err := w.runs(ctx, from)
	if err != nil {
		return err
	}
	into.Spread = make([]share, len(w.nodes))
	for _, r := range runs {
		for i, n := range w.nodes {
			if n.pid == r.pid {
				into.Spread[i].Runs++
				if r.deployment != many {
					into.Spread[i].Single++
				}
			}
		}
	}
	into.Single = weigh(dues, runs, w.size.Deployments, from, now, func(deployment string) bool { return deployment != many })
	into.Many = weigh(dues, runs, w.size.Syncs, from, now, func(deployment string) bool { return deployment == many })
	into.All = weigh(dues, runs, w.size.Deployments+w.size.Syncs, from, now, func(string) bool { return true })
	return nil
}

// allBegan reports whether every sync has begun since from.
func (w judge) allBegan(ctx context.Context, from time.Time) (all bool, err error) {
	err = w.book.QueryRow(ctx, "SELECT count(DISTINCT sync) >= $2 FROM "+schema+".runs WHERE started >= $1", from.UnixMicro(), w.size.Deployments+w.size.Syncs).Scan(&all)
	return all, err
}

func (w judge) dues(ctx context.Context, from time.Time) (all []due, err error) {
	rows, err := w.book.Query(ctx, `SELECT args->>'deployment', args->>'sync', created_at FROM `+schema+`.river_job WHERE kind = 'due' AND created_at >= $1`, from)
	if err != nil {
		return nil, err
	}
	var d due
	_, err = pgx.ForEachRow(rows, []any{&d.deployment, &d.sync, &d.at}, func() error {
		all = append(all, d)
		return nil
	})
	return all, err
}

func (w judge) runs(ctx context.Context, from time.Time) (all []begun, err error) {
	rows, err := w.book.Query(ctx, `SELECT d.name, convert_from(s.name, 'UTF8'), r.started, coalesce(r.finished - r.started, 0), coalesce((convert_from(r.owner, 'UTF8')::json->>'pid')::int, 0) FROM `+schema+`.runs r
		JOIN `+schema+`.deployments d ON d.id = r.deployment JOIN `+schema+`.syncs s ON s.id = r.sync WHERE r.started >= $1 ORDER BY r.started`, from.UnixMicro())
	if err != nil {
		return nil, err
	}
	var b begun
	var started, took int64
	_, err = pgx.ForEachRow(rows, []any{&b.deployment, &b.sync, &started, &took, &b.pid}, func() error {
		b.at, b.took = time.UnixMicro(started), time.Duration(took)*time.Microsecond
		all = append(all, b)
		return nil
	})
	return all, err
}

// weigh works out the waits of some deployments. The runs are in the order of their times; who has not begun by now has waited until now.
func weigh(dues []due, runs []begun, syncs int, from, now time.Time, of func(deployment string) bool) waits {
	type sync struct{ deployment, name string }
	times := make(map[sync][]time.Time)
	w := waits{Syncs: syncs}
	var took, all []time.Duration
	for _, r := range runs {
		if of(r.deployment) {
			if r.took > 0 {
				took = append(took, r.took)
			}
			times[sync{r.deployment, r.sync}] = append(times[sync{r.deployment, r.sync}], r.at)
			w.Runs++
		}
	}
	for _, d := range dues {
		if !of(d.deployment) {
			continue
		}
		wait := now.Sub(d.at)
		mine := times[sync{d.deployment, d.sync}]
		if i, _ := slices.BinarySearchFunc(mine, d.at, time.Time.Compare); i < len(mine) {
			wait = mine[i].Sub(d.at)
		}
		all = append(all, wait)
	}
	if w.Runs > 0 {
		w.Fair = now.Sub(from) * time.Duration(syncs) / time.Duration(w.Runs)
	}
	if len(all) > 0 {
		slices.Sort(all)
		w.Median, w.Worst = all[len(all)/2], all[len(all)-1]
	}
	if len(took) > 0 {
		slices.Sort(took)
		w.Run = took[len(took)/2]
	}
	if len(times) == syncs {
		w.Fewest = w.Runs
	}
	for _, t := range times {
		w.Fewest, w.Most = min(w.Fewest, len(t)), max(w.Most, len(t))
	}
	return w
}
