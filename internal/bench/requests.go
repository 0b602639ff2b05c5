package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"owlatsync"
	"owlatsync/internal/bench/findings"
	"owlatsync/internal/bench/made"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

const requestsIntro = `What a run sent, counted at the emulator, beside the fewest requests with which Owlat's API lets the same be done. A row of each
kind stands for %s rows. The tests of [reconcile](../../reconcile/requests_test.go) hold many more cases to the same sums exactly.`

// requestRows is how many rows each case has.
const requestRows = 1_000

// requestCase is a run and the requests that it needs at least.
type requestCase struct {
	what, sum string
	fewest    int
	contacts  int                               // that Owlat has before the first run, for the first of the rows
	differing int                               // of those, contacts with another name
	then      func(owlatsync.Row) owlatsync.Row // what happens to every row after the first run; nil: the first run is measured
}

func requestCases() []requestCase {
	named := func(r owlatsync.Row) owlatsync.Row {
		r.Fields[owlatsync.FirstName] = owlatsync.Some("Changed")
		return r
	}
	moved := func(r owlatsync.Row) owlatsync.Row { r.Email = owlatsync.Some("new-" + r.Email.Value); return r }
	const n = requestRows
	return []requestCase{
		{what: "first run, empty deployment", sum: "1 page, n creates, n adds to the topic", fewest: 1 + 2*n},
		{what: "first run, every contact there already", sum: "n/100 pages and the empty last one", fewest: n/100 + 1, contacts: n},
		{what: "first run, every contact there, a tenth with another name", sum: "n/100 pages and the empty last one, n/10 updates", fewest: n/100 + 1 + n/10, contacts: n, differing: n / 10},
		{what: "first run, half of the contacts there", sum: "n/200 pages and the empty last one, n/2 creates, n/2 adds", fewest: n/200 + 1 + n, contacts: n / 2},
		{what: "nothing changed", sum: "nothing", then: func(r owlatsync.Row) owlatsync.Row { return r }},
		{what: "letter case and blanks changed", sum: "nothing", then: func(r owlatsync.Row) owlatsync.Row {
			r.Email = owlatsync.Some(" U" + r.Email.Value[1:])
			return r
		}},
		{what: "a name changed", sum: "n updates", fewest: n, then: named},
		{what: "address and name changed", sum: "n updates", fewest: n, then: func(r owlatsync.Row) owlatsync.Row { return moved(named(r)) }},
		{what: "consent withdrawn", sum: "n removals from the topic", fewest: n, then: func(r owlatsync.Row) owlatsync.Row {
			r.Consents = []owlatsync.Consent{owlatsync.No}
			return r
		}},
		{what: "name changed and consent withdrawn", sum: "n updates, n removals from the topic", fewest: 2 * n, then: func(r owlatsync.Row) owlatsync.Row {
			r.Consents = []owlatsync.Consent{owlatsync.No}
			return named(r)
		}},
	}
}

func measureRequests(ctx context.Context, log io.Writer) (findings.Section, error) {
	t := findings.Table{Columns: []string{"run", "needs at least", "requests", "sent", "a run more"}}
	most := 0
	for _, c := range requestCases() {
		sent, again, err := c.count(ctx)
		if err != nil {
			return findings.Section{}, fmt.Errorf("%s: %w", c.what, err)
		}
		most = max(most, sent-c.fewest, again)
		t.Rows = append(t.Rows, []string{c.what, c.sum, findings.Count(c.fewest), findings.Count(sent), findings.Count(again)})
		fmt.Fprintf(log, "%s: %d requests\n", c.what, sent)
	}
	return findings.Section{
		Title:  "Requests",
		Intro:  fmt.Sprintf(requestsIntro, findings.Count(requestRows)),
		Tables: []findings.Table{t},
		Goals:  []findings.Goal{{What: "Requests sent beyond the fewest that Owlat's API permits", Want: "0", Got: findings.Count(most), Missed: most > 0}},
	}, nil
}

// count returns what the run of the case sent, and one more after it.
func (c requestCase) count(ctx context.Context) (sent, again int, err error) {
	folder, err := os.MkdirTemp("", "owlat-sync-bench-")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	book, err := sqlite.Open(ctx, "sqlite", filepath.Join(folder, "ledger.db"))
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	server := &owlattest.Server{NoLimit: true}
	client, err := owlat.NewClient("https://owlat.example", server.AddKey(), owlat.WithTransport(server.Transport()), owlat.WithoutLimiter())
	if err != nil {
		return 0, 0, err
	}
	everything := reconcile.Guards{Updates: reconcile.Limit{Share: 1}, Removals: reconcile.Limit{Share: 1}, FirstRun: true}
	s := reconcile.Sync{Name: "users", Guards: everything, Topics: []reconcile.Topic{{ID: server.AddTopic("newsletter", false), When: true}}}
	list := make(made.List, requestRows)
	for i := range list {
		list[i] = owlatsync.Row{Key: fmt.Sprint(i), Email: owlatsync.Some(fmt.Sprintf("user%d@example.com", i)),
			Fields: owlatsync.Fields{owlatsync.FirstName: owlatsync.Some("First")}, Consents: []owlatsync.Consent{owlatsync.Yes}}
		if i >= c.contacts {
			continue
		}
		there := owlattest.ContactState{Email: list[i].Email.Value, FirstName: "First"}
		if i < c.differing {
			there.FirstName = "Before"
		}
		if _, err := server.AddContact(there); err != nil {
			return 0, 0, err
		}
	}
	engine := reconcile.New(client, book, reconcile.Options{})
	run := func() (int, error) {
		before := server.Stats().Total
		s.Source = list
		_, err := engine.Run(ctx, s, reconcile.RunOptions{})
		return server.Stats().Total - before, err
	}
	if sent, err = run(); err != nil {
		return 0, 0, err
	}
	if c.then != nil {
		for i := range list {
			list[i] = c.then(list[i])
		}
		if sent, err = run(); err != nil {
			return 0, 0, err
		}
	}
	again, err = run()
	return sent, again, err
}
