// Package scale measures many deployments on several nodes that share a ledger in PostgreSQL: how the work spreads, how long a sync waits
// whose time has come, what PostgreSQL has to do, and how much room a contact takes. The nodes are the program as it is built.
package scale

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"owlatsync/internal/bench/findings"
	"owlatsync/internal/bench/made"
	"owlatsync/tests/cluster/programs"
)

// Size is how much there is, and how long it is looked at.
type Size struct {
	Deployments int           // with one sync each
	Contacts    int           // of each of them
	Syncs       int           // of the one deployment that has many
	Each        int           // contacts of each of those
	Nodes       int           // that serve
	Every       time.Duration // how often every sync is due while the nodes are busy: about as often as they can make the runs
	Calm        time.Duration // how long the nodes are watched without work
	Busy        time.Duration // how long they are watched with it, at least, and four times as long at most: until every sync has begun
	Settle      time.Duration // how long they may take to come to rest
}

// Short is the size of the part that belongs to the others, Long that of the part LongName.
var (
	Short = Size{Deployments: 200, Contacts: 250, Syncs: 50, Each: 250, Nodes: 3, Every: 15 * time.Second, Calm: 15 * time.Second, Busy: 60 * time.Second, Settle: 5 * time.Minute}
	Long  = Size{Deployments: 200, Contacts: 50_000, Syncs: 50, Each: 2_000, Nodes: 3, Every: 20 * time.Second, Calm: 20 * time.Second, Busy: 150 * time.Second, Settle: 20 * time.Minute}
)

// LongName is the name of the long form.
const LongName = "scale-long"

// The goals.
const (
	waitWanted   = 2.0  // longest wait over the fair share
	spreadWanted = 1.25 // what the busiest node has, over the mean
)

const intro = `%s deployments with one sync of %s contacts each, and one deployment with %d syncs of %s contacts, on %d nodes: processes of ` + "`owlat-sync serve`" + `
on one machine, which share its processors with PostgreSQL (with fsync) and with the Owlats, whose limit is lifted. *Idle*: nothing is due, and no deployment
is at home anywhere. *At home*: every deployment has a home, because it looks for changes by itself (` + "`poll`" + `), and there are none. *Busy*: every sync
of either kind is due every %s; all the while rows change and appear in every fifth of them.

A wait is the time from when a sync is due to when its run begins. The fair share is the time in which every one of those syncs could begin once: how many there are,
times the time watched, over the runs of them that began. ` + "`make bench PARTS=%s`" + ` has %s contacts in each deployment.`

// Measure returns the part of the benchmarks with that size.
func Measure(size Size) func(ctx context.Context, log io.Writer) (findings.Section, error) {
	return func(ctx context.Context, log io.Writer) (findings.Section, error) {
		size, err := size.fromEnvironment()
		if err != nil {
			return findings.Section{}, err
		}
		r, err := measure(ctx, log, size)
		if err != nil {
			return findings.Section{}, err
		}
		return r.section(size), nil
	}
}

// result is what was measured.
type result struct {
	Sizes             []tableSize
	Idle, Home, Busy  load
	Begin             time.Duration // until all nodes serve
	Spread            []share       // by node
	Single, Many, All waits         // of deployments with one sync, of the syncs of the one with many, and of both
	Entries           int
}

func measure(ctx context.Context, log io.Writer, size Size) (r result, err error) {
	folder, err := os.MkdirTemp("", "owlat-sync-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if err := os.Chmod(folder, 0o755); err != nil { // the user of PostgreSQL must reach its folder
		return r, err
	}
	program, _, err := made.Programs(ctx, folder)
	if err != nil {
		return r, err
	}
	server, err := programs.NewPostgres(folder, "fsync=on", "full_page_writes=on", "max_connections=400", "shared_buffers=512MB", "max_wal_size=2GB",
		"shared_preload_libraries=pg_stat_statements", "track_io_timing=on", "autovacuum_naptime=10s")
	if err != nil {
		return r, err
	}
	defer server.Close()
	w, err := newWorld(ctx, log, size, folder, program, server)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := (seeder{w}).seed(ctx); err != nil {
		return r, err
	}
	if r.Sizes, r.Entries, err = (watcher{w}).sizes(ctx); err != nil {
		return r, err
	}
	for _, phase := range []func(context.Context, *result) error{phases{w}.idle, phases{w}.busy, phases{w}.atHome} {
		if err := phase(ctx, &r); err != nil {
			return r, err
		}
	}
	return r, nil
}

// settling is how long nodes work before they are watched.
const settling = 40 * time.Second

// far is how often syncs are due that are not to be.
const far = "24h"

// phases are what is watched, one after the other.
type phases struct{ *world }

// idle watches nodes that have nothing to do.
func (w phases) idle(ctx context.Context, r *result) (err error) {
	began := time.Now()
	if err := w.start(ctx, plan{every: far}); err != nil {
		return err
	}
	r.Begin = time.Since(began)
	fmt.Fprintf(w.log, "the nodes serve after %.1f s\n", r.Begin.Seconds())
	if err := watcher(w).rest(ctx); err != nil {
		return err
	}
	if r.Idle, err = watcher(w).watch(ctx, w.size.Calm, nil, nil); err != nil {
		return err
	}
	fmt.Fprintf(w.log, "idle: %s\n", r.Idle)
	if err := watcher(w).printConnections(ctx); err != nil {
		return err
	}
	if r.Idle.Homes != 0 {
		return fmt.Errorf("%.1f deployments are at home while nothing is due", r.Idle.Homes)
	}
	return w.stop(ctx, &r.Idle)
}

// atHome watches nodes whose deployments are all at home.
func (w phases) atHome(ctx context.Context, r *result) (err error) {
	if err := w.start(ctx, plan{every: far, poll: far}); err != nil {
		return err
	}
	if err := watcher(w).rest(ctx); err != nil {
		return err
	}
	if r.Home, err = watcher(w).watch(ctx, w.size.Calm, nil, nil); err != nil {
		return err
	}
	fmt.Fprintf(w.log, "at home: %s\n", r.Home)
	if want := float64(w.size.Deployments + 1); r.Home.Homes < want*0.99 {
		return fmt.Errorf("%.1f of %.0f deployments are at home, though all look for changes", r.Home.Homes, want)
	}
	return w.stop(ctx, &r.Home)
}

// busy watches nodes that have runs to make of every deployment.
func (w phases) busy(ctx context.Context, r *result) error {
	if err := w.start(ctx, plan{every: short(w.size.Every)}); err != nil {
		return err
	}
	if err := sleep(ctx, settling); err != nil { // until all are in their line, and the nodes have parted the homes
		return err
	}
	before, had := w.sent(), w.contacts()
	from, err := w.now(ctx)
	if err != nil {
		return err
	}
	if r.Busy, err = watcher(w).watch(ctx, w.size.Busy, w.change, func(ctx context.Context) (bool, error) { return judge(w).allBegan(ctx, from) }); err != nil {
		return err
	}
	sent := w.sent()
	if err := judge(w).weigh(ctx, from, r); err != nil {
		return err
	}
	for n := range r.Spread {
		r.Spread[n].Requests, r.Spread[n].Homes = sent[n]-before[n], r.Busy.Nodes[n].Homes
	}
	fmt.Fprintf(w.log, "busy: %s\nwaits: %+v\n  and %+v\n  and %+v\nnodes: %+v\n", r.Busy, r.Single, r.Many, r.All, r.Spread)
	if w.contacts() == had {
		return errors.New("no contact was created, though rows appeared")
	}
	return w.stop(ctx, &r.Busy)
}

func short(d time.Duration) string { return fmt.Sprintf("%ds", int(d.Seconds())) }

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
