package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"owlatsync/internal/bench/findings"
	"owlatsync/internal/bench/made"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

const (
	applyRows    = 40_000
	applyRepeats = 3
	applyWanted  = 5_000 // contacts a second
)

const applyIntro = `How fast the engine is where nothing holds it back: a first run that creates %s contacts, with an emulator without limits
in the same process and a ledger on the disk. Every create is preceded by a durable record that it is about to be sent and
followed by a durable record of its answer, before the row counts as done; many rows share a commit. Beside it is the same client sending
the same creates with as many in flight and no engine, no ledger and nothing durable. The best of %d runs of each counts, in turns.

The second table is the whole program, in a process of its own and over loopback, whose budget was set too high to matter. The third is its
memory for a plan of changes to %s rows that its ledger knows, and for one of ten times as many. What it takes
does not depend on how much there is to do, but for the hashes by which it knows the rows of a plan apart.`

// applied is one way of creating contacts.
type applied struct {
	name string
	run  func(ctx context.Context, rows int) (time.Duration, error)
	took []time.Duration
}

func measureApply(ctx context.Context, log io.Writer) (findings.Section, error) {
	ways := []*applied{{name: findings.Ours, run: applyEngine}, {name: "the client alone", run: applyClient}}
	for range applyRepeats {
		for _, w := range ways {
			took, err := w.run(ctx, applyRows)
			if err != nil {
				return findings.Section{}, fmt.Errorf("%s: %w", w.name, err)
			}
			w.took = append(w.took, took)
			fmt.Fprintf(log, "%s: %d contacts in %.2f s\n", w.name, applyRows, took.Seconds())
		}
	}
	t := findings.Table{Columns: []string{"", "contacts", "best, s", "median, s", "contacts a second"}}
	c := findings.Chart{File: "apply.svg", Title: "Contacts created a second, without limits", Series: []string{"contacts a second"}}
	for _, w := range ways {
		t.Rows = append(t.Rows, []string{w.name, findings.Count(applyRows), fmt.Sprintf("%.2f", best(w.took)), fmt.Sprintf("%.2f", median(w.took)), findings.Count(perSecond(w.took))})
		c.Labels, c.Values = append(c.Labels, w.name), append(c.Values, []float64{float64(perSecond(w.took))})
	}
	memory, growth, err := applyMemory(ctx, log)
	if err != nil {
		return findings.Section{}, err
	}
	plans, planGrowth, err := planMemory(ctx, log)
	if err != nil {
		return findings.Section{}, err
	}
	rate := perSecond(ways[0].took)
	return findings.Section{
		Title: "Applying", Intro: fmt.Sprintf(applyIntro, findings.Count(applyRows), applyRepeats, findings.Count(planFewRows)),
		Tables: []findings.Table{t, memory, plans}, Charts: []findings.Chart{c},
		Goals: []findings.Goal{
			{What: "Contacts created a second without limits, every answer durable", Want: "at least " + findings.Count(applyWanted), Got: findings.Count(rate), Missed: rate < applyWanted},
			{What: fmt.Sprintf("Peak memory of a run that creates %s contacts, beside one of %s", findings.Count(applyManyRows), findings.Count(applyFewRows)),
				Want: "at most 1.5 times", Got: fmt.Sprintf("%.2f times", growth), Missed: growth > 1.5},
			{What: fmt.Sprintf("Peak memory of a plan of %s changes, beside one of %s, at worst", findings.Count(planManyRows), findings.Count(planFewRows)),
				Want: "at most 2.0 times", Got: fmt.Sprintf("%.2f times", planGrowth), Missed: planGrowth > 2},
		},
	}, nil
}

func perSecond(took []time.Duration) int { return int(applyRows / best(took)) }

// freeClient returns a client of a new emulator in this process that lets everything pass.
func freeClient() (*owlattest.Server, *owlat.Client, error) {
	server := &owlattest.Server{NoLimit: true}
	client, err := owlat.NewClient("https://owlat.example", server.AddKey(), owlat.WithTransport(server.Transport()), owlat.WithoutLimiter())
	return server, client, err
}

func applyEngine(ctx context.Context, n int) (took time.Duration, err error) {
	folder, err := os.MkdirTemp("", "owlat-sync-bench-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	book, err := sqlite.Open(ctx, "sqlite", filepath.Join(folder, "ledger.db"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	server, client, err := freeClient()
	if err != nil {
		return 0, err
	}
	s := reconcile.Sync{Name: "users", Source: made.RowsOf(made.Users(n)), Guards: reconcile.Guards{FirstRun: true}}
	start := time.Now()
	if _, err := reconcile.New(client, book, reconcile.Options{}).Run(ctx, s, reconcile.RunOptions{}); err != nil {
		return 0, err
	}
	took = time.Since(start)
	standing, err := book.Standing(ctx, s.Name)
	if err != nil {
		return 0, err
	}
	if standing.Applied != n || server.Len() != n {
		return 0, fmt.Errorf("the ledger has %d rows applied and the emulator %d contacts, not %d", standing.Applied, server.Len(), n)
	}
	return took, nil
}

func applyClient(ctx context.Context, n int) (time.Duration, error) {
	server, client, err := freeClient()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	pool := client.NewPool(0)
	for _, u := range made.Users(n) {
		pool.Go(ctx, func(ctx context.Context, client *owlat.Client) {
			_, _ = client.Contacts.Create(ctx, owlat.CreateContactRequest{Email: u.Email, FirstName: &u.FirstName, LastName: &u.LastName})
		})
	}
	pool.Wait()
	took := time.Since(start)
	if server.Len() != n {
		return 0, fmt.Errorf("the emulator has %d contacts, not %d", server.Len(), n)
	}
	return took, nil
}
