// Command library shows how to embed owlat-sync in a program of your own: the same engine that "owlat-sync run" drives, with
// a source, a ledger and a client that the program makes.
//
// It reads the users of a PostgreSQL database and keeps Owlat in step with them:
//
//	DATABASE_URL=postgres://… OWLAT_URL=https://… OWLAT_API_KEY=lm_live_… TOPIC=… go run ./examples/library
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	_ "modernc.org/sqlite" // registers "sqlite" for the ledger; any SQLite driver will do

	"owlatsync"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
	"owlatsync/reconcile"
	"owlatsync/source"
)

const query = `
SELECT id, email, first_name, last_name, newsletter
FROM users
WHERE email_verified`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	report, err := syncUsers(ctx, settings{
		database: os.Getenv("DATABASE_URL"),
		url:      os.Getenv("OWLAT_URL"),
		key:      os.Getenv("OWLAT_API_KEY"),
		topic:    os.Getenv("TOPIC"),
		ledger:   "owlat-sync.db",
	})
	if report != nil {
		fmt.Printf("%d rows, %d requests: %v\n", report.Rows, report.Requests.Total, report.Outcomes)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

type settings struct{ database, url, key, topic, ledger string }

// syncUsers brings Owlat in step with the users once. It can be called any number of times: what did not change costs no request.
func syncUsers(ctx context.Context, s settings) (report *owlatsync.Report, err error) {
	users, err := source.Postgres(s.database, query, source.Mapping{
		Key:    []string{"id"},
		Email:  "email",
		Fields: owlatsync.Texts{owlatsync.FirstName: "first_name", owlatsync.LastName: "last_name"},
		Topics: []string{"newsletter"}, // the consent column of each topic below
	})
	if err != nil {
		return nil, err
	}

	// The ledger remembers what Owlat holds. Keep the file: a new ledger must first be compared with Owlat.
	book, err := sqlite.Open(ctx, "sqlite", s.ledger)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := book.Close(); err == nil {
			err = closeErr
		}
	}()

	// One client per API key: its limiter keeps all work within the 10 requests a second that Owlat allows.
	client, err := owlat.NewClient(s.url, s.key)
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()

	engine := reconcile.New(client, book, reconcile.Options{})
	return engine.Run(ctx, reconcile.Sync{
		Name:   "users",
		Source: users,
		Topics: []reconcile.Topic{{ID: s.topic, When: true}},
	}, reconcile.RunOptions{
		// It is asked before a first run, which creates contacts and so fires automations such as welcome mails. Later plans that
		// look like an accident, such as the removal of many people, end the run with a *reconcile.HeldError.
		Confirm: func(plan owlatsync.Summary) (bool, error) {
			fmt.Printf("the first run sends %d requests, which takes about %s\n", plan.Requests, plan.Duration)
			return true, nil
		},
	})
}
