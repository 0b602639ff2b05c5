package pages

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"owlatsync/internal/bench/findings"
	"owlatsync/internal/bench/made"
)

const (
	watchers = 200    // live pages
	each     = 8      // of one browser, which may have no more
	changed  = 20_000 // rows of each run
	turns    = 9      // of each kind
	slowdown = 1.02   // the most
)

const liveIntro = `A service applies changes to %s rows as fast as it and an Owlat without a limit can, with a ledger in a file, while nobody looks and while %d live pages of the run
are open in %d browsers on the same machine, in turns, %d times each. The medians are compared, because other work keeps the machine busy.`

// MeasureLive is the part of the benchmarks that counts what open live pages cost a run.
func MeasureLive(ctx context.Context, log io.Writer) (found findings.Section, err error) {
	folder, err := os.MkdirTemp("", "owlat-sync-bench-")
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	program, _, err := made.Programs(ctx, folder)
	if err != nil {
		return found, err
	}
	s, err := serve(ctx, log, program, filepath.Join(folder, "ledger.db"), changed)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	b := newBrowser(s.base)
	var lasted [2][]time.Duration
	var told int64
	for n := range 1 + 2*turns {
		kind, pages := n%2, 0
		if kind == 1 {
			pages = watchers
		}
		if err := s.write(changed, fmt.Sprint("Name", n)); err != nil {
			return found, err
		}
		took, heard, err := b.watched(ctx, pages)
		if err != nil {
			return found, err
		}
		told = max(told, heard)
		fmt.Fprintf(log, "%d live pages: %s, %d messages\n", pages, took, heard)
		if n > 0 { // the first run creates the contacts
			lasted[kind] = append(lasted[kind], took)
		}
	}
	alone, beside := median(lasted[0]), median(lasted[1])
	ratio := beside.Seconds() / alone.Seconds()
	got := fmt.Sprintf("%.3f ×", ratio)
	return findings.Section{
		Title: "Live pages", Intro: fmt.Sprintf(liveIntro, findings.Count(changed), watchers, watchers/each, turns),
		Tables: []findings.Table{{Columns: []string{"live pages", "a run takes", "messages to browsers"}, Rows: [][]string{
			{"0", findings.Span(alone), "0"}, {fmt.Sprint(watchers), findings.Span(beside), findings.Count(int(told))},
		}}},
		Goals: []findings.Goal{{What: fmt.Sprintf("A run while %d live pages are open, beside one that nobody looks at", watchers), Want: "at most 1.02 ×", Got: got, Missed: ratio > slowdown}},
	}, nil
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// watched has the service run the fresh sync while so many live pages are open, and returns how long the run took, and how much the pages were told.
func (b *browser) watched(ctx context.Context, pages int) (took time.Duration, told int64, err error) {
	address, err := b.post(ctx, "/syncs/"+fresh, "/syncs/"+fresh+"/run", url.Values{})
	if err != nil {
		return 0, 0, err
	}
	var messages atomic.Int64
	var all sync.WaitGroup
	failed := make(chan error, pages)
	var one *browser
	for n := range pages {
		if n%each == 0 {
			one = newBrowser(b.base)
			if _, _, err := one.get(ctx, "/syncs/"+fresh); err != nil { // whose forms make it known by a cookie
				return 0, 0, err
			}
		}
		who := one
		all.Go(func() { failed <- who.follow(ctx, address, &messages) })
	}
	r, err := b.wait(ctx, strings.TrimPrefix(address, "/runs/"))
	all.Wait()
	close(failed)
	for e := range failed {
		err = errors.Join(err, e)
	}
	if err == nil && (r.Status != "ok" || pages > 0 && messages.Load() < 2*int64(pages)) {
		err = fmt.Errorf("the run ended as %s, and %d pages were told %d times", r.Status, pages, messages.Load())
	}
	return r.Finished.Sub(r.Started), messages.Load(), err
}

// follow keeps a live page open until the run has ended, and counts what it is told.
func (b *browser) follow(ctx context.Context, address string, messages *atomic.Int64) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+address+"/live", nil)
	if err != nil {
		return err
	}
	answer, err := b.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s/live was answered %s", address, answer.Status)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data:") {
			messages.Add(1)
		}
	}
	return lines.Err()
}
