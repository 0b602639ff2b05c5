// Command bench measures owlat-sync and writes what it found to docs/benchmarks: a page, a picture for each chart, and the
// figures themselves. Arguments name the parts to measure; the others keep the figures that they had. The word "page" alone
// measures nothing and writes the documents anew. The parts that read from database servers find them as the tests do:
//
//	go run ./internal/testservers -- go run ./internal/bench
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"owlatsync/internal/bench/budget"
	"owlatsync/internal/bench/findings"
	"owlatsync/internal/bench/firstload"
	"owlatsync/internal/bench/fresh"
	"owlatsync/internal/bench/idle"
	"owlatsync/internal/bench/keys"
	"owlatsync/internal/bench/ledgers"
	"owlatsync/internal/bench/memberships"
	"owlatsync/internal/bench/nodes"
	"owlatsync/internal/bench/pages"
	"owlatsync/internal/bench/plot"
	"owlatsync/internal/bench/room"
	"owlatsync/internal/bench/scale"
	"owlatsync/internal/bench/webhooks"
)

// onlyPage is the argument that measures nothing.
const onlyPage = "page"

// comparePart is the part whose table stands in other documents too.
const comparePart = "compare"

// pollPart is the part about rounds; docs/feedback.md has its table, too.
const pollPart = "poll"

// firstloadPart is the part about filling an empty deployment; docs/first-load.md has its table, too.
const firstloadPart = "firstload"

// part is one measurement. Parts run one after the other; each tells its progress to log and returns what it found.
type part struct {
	name  string // a word for the command line, such as "diff"
	run   func(ctx context.Context, log io.Writer) (findings.Section, error)
	fails bool // a goal that it misses is an error: what it measures does not depend on the machine
}

// parts in the order of the page.
var parts = []part{
	{name: comparePart, run: measureCompare},
	{name: "requests", run: measureRequests},
	{name: "budget", run: budget.Measure},
	{name: "keys", run: keys.Measure},
	{name: firstloadPart, run: firstload.Measure},
	{name: "nodes", run: nodes.Measure},
	{name: "diff", run: measureDiff},
	{name: "encoding", run: measureEncoding},
	{name: "workbook", run: measureWorkbook},
	{name: "cursor", run: measureCursor},
	{name: "fresh", run: fresh.Measure},
	{name: "apply", run: measureApply},
	{name: "ledgers", run: ledgers.Measure},
	{name: "room", run: room.Measure(room.Rows), fails: true},
	{name: "start", run: measureStart},
	{name: "webhooks", run: webhooks.Measure},
	{name: "memberships", run: memberships.Measure},
	{name: pollPart, run: memberships.MeasurePoll},
	{name: "idle", run: idle.Measure},
	{name: "scale", run: scale.Measure(scale.Short)},
	{name: "pages", run: pages.Measure},
	{name: "live", run: pages.MeasureLive},
}

// byHand are parts that run only if they are named. Their results are shown and not kept.
var byHand = []part{
	{name: room.LongName, run: room.Measure(room.LongRows), fails: true},
	{name: scale.LongName, run: scale.Measure(scale.Long), fails: true},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, ".", os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures the parts with those names, or all, and writes the documents of the repository at root.
func run(ctx context.Context, root string, names []string, out io.Writer) error {
	folder := filepath.Join(root, "docs", "benchmarks")
	if slices.Equal(names, []string{onlyPage}) {
		return write(root, folder)
	}
	chosen, err := choose(names)
	if err != nil {
		return err
	}
	facts, err := machine(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	var missed []error
	for _, p := range chosen {
		start := time.Now()
		fmt.Fprintf(out, "measuring %s\n", p.name)
		found, err := p.run(ctx, out)
		if err != nil {
			return fmt.Errorf("measure %s: %w", p.name, err)
		}
		if slices.Contains(partNames(), p.name) {
			if err := (findings.Result{Part: p.name, Machine: facts, Section: found}).Save(folder); err != nil {
				return fmt.Errorf("keep the result of %s: %w", p.name, err)
			}
		}
		if p.fails {
			missed = append(missed, misses(found)...)
		}
		if err := found.Print(out); err != nil {
			return err
		}
		fmt.Fprintf(out, "\n%s took %.0f s\n\n", p.name, time.Since(start).Seconds())
	}
	return errors.Join(append(missed, write(root, folder))...)
}

// misses returns an error for each goal that was missed.
func misses(s findings.Section) (errs []error) {
	for _, g := range s.Goals {
		if g.Missed {
			errs = append(errs, fmt.Errorf("a goal was missed: %s is to be %s, and is %s", g.What, g.Want, g.Got))
		}
	}
	return errs
}

func partNames() []string {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.name
	}
	return names
}

func choose(names []string) ([]part, error) {
	if len(names) == 0 {
		return parts, nil
	}
	var chosen []part
	for _, name := range names {
		all := slices.Concat(parts, byHand)
		at := slices.IndexFunc(all, func(p part) bool { return p.name == name })
		if at < 0 {
			return nil, fmt.Errorf("there is no part %q; there are: %s", name, strings.Join(partNames(), ", "))
		}
		chosen = append(chosen, all[at])
	}
	return chosen, nil
}

// write makes the page, the pictures and the excerpts in other documents from all results that are kept.
func write(root, folder string) error {
	results, err := findings.Load(folder, partNames())
	if err != nil {
		return err
	}
	files := map[string]string{"README.md": findings.Page(results)}
	for _, r := range results {
		for _, c := range r.Section.Charts {
			files[c.File] = plot.SVG(c)
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, e := range excerpts {
		file := filepath.Join(root, e.file)
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		filled, err := e.fillIn(string(text), results)
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(filled), 0o644); err != nil {
			return err
		}
	}
	return nil
}
