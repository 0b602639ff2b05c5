// Package fresh measures how long it takes from the commit of a change in PostgreSQL until Owlat has answered, with what a service is
// made of: the waker, the queue, the engine with its ledger in a file, and the client with its budget.
package fresh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"owlatsync/internal/bench/findings"
)

const (
	tableRows = 2_000 // of each sync
	changes   = 40    // of each way and latency
	goal      = time.Second
	// rest is the longest time between an answer and the next change; how long it is, is left to chance, so that no timer is met.
	rest = 400 * time.Millisecond
	// patience is how long an answer may take before the measurement gives up.
	patience = 30 * time.Second
)

// way is how a sync hears that a row has changed.
type way struct {
	name   string // of the sync and its table
	title  string
	source string // keys of the configuration
	notify string // arguments of pg_notify in the trigger; empty: there is none
}

var ways = []way{
	{"keyed", "`listen`, the key as payload", "listen: keyed", "'keyed', NEW.id::text"},
	{"bare", "`listen`, no payload, a cursor", "listen: bare, cursor: at, overlap: 1m", "'bare', ''"},
	{"whole", "`listen`, no payload, no cursor", "listen: whole", "'whole', ''"},
	{"polled", "`poll: 250ms`", "cursor: at, overlap: 1m, poll: 250ms", ""},
}

var latencies = []time.Duration{time.Millisecond, 50 * time.Millisecond}

// Measure changes single rows and waits for the answers.
func Measure(ctx context.Context, log io.Writer) (found findings.Section, err error) {
	t := findings.Table{Columns: []string{"woken by", "latency", "median", "p95", "slowest"}}
	worst := time.Duration(0)
	for _, latency := range latencies {
		took, err := measure(ctx, latency)
		if err != nil {
			return findings.Section{}, err
		}
		for _, w := range ways {
			all := took[w.name]
			slices.Sort(all)
			p95 := all[(len(all)*95+99)/100-1]
			worst = max(worst, p95)
			t.Rows = append(t.Rows, []string{w.title, latency.String(), shown(all[len(all)/2]), shown(p95), shown(all[len(all)-1])})
			fmt.Fprintf(log, "  %s at %s: p95 %s\n", w.name, latency, shown(p95))
		}
	}
	return findings.Section{
		Title: "From a commit to Owlat's answer",
		Intro: fmt.Sprintf("Single rows of PostgreSQL tables of %s rows are updated, one after the other in all ways in turns, %d times each, at random times while the budget "+
			"of 10 requests a second is free. The time is from the commit until the emulator, over HTTP with that latency of each request, has answered the "+
			"update of the contact. It includes the 50 ms for which notifications are gathered.", findings.Count(tableRows), changes),
		Tables: []findings.Table{t},
		Goals: []findings.Goal{{
			What: "From commit to answer, p95 of every way at 1 ms and 50 ms latency", Want: "under " + shown(goal), Got: shown(worst), Missed: worst >= goal,
		}},
	}, nil
}

func shown(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

// measure returns how long each change took, by way.
func measure(ctx context.Context, latency time.Duration) (took map[string][]time.Duration, err error) {
	p := &place{answered: make(chan time.Time, 1)}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.open(ctx, latency); err != nil {
		return nil, err
	}
	took = make(map[string][]time.Duration)
	r := rand.New(rand.NewPCG(1, uint64(latency)))
	for i := range changes {
		for _, w := range ways {
			if err := pause(ctx, time.Duration(r.Int64N(int64(rest)))); err != nil {
				return nil, err
			}
			if _, err := p.conn.Exec(ctx, fmt.Sprintf("UPDATE %s SET name = $1, at = clock_timestamp() WHERE id = $2", w.name), fmt.Sprint("Changed", i), 1+r.IntN(tableRows)); err != nil {
				return nil, fmt.Errorf("change a row: %w", err)
			}
			committed := time.Now()
			select {
			case at := <-p.answered:
				took[w.name] = append(took[w.name], at.Sub(committed))
			case <-time.After(patience):
				return nil, fmt.Errorf("a change of %s was not answered within %s:\n%s", w.name, patience, &p.log)
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
	}
	return took, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// configuration is that of all ways.
func configuration(dsn string) string {
	var b strings.Builder
	b.WriteString("syncs:\n")
	for _, w := range ways {
		fmt.Fprintf(&b, "  %s:\n    source: {dsn: %q, query: \"SELECT id, email, name, at FROM %s\", %s}\n    key: id\n    fields: {email: email, firstName: name}\n",
			w.name, dsn, w.name, w.source)
	}
	return b.String()
}
