// Command webapp is a small web application that keeps Owlat in step with its users: whoever signs up is in Owlat moments later, with an
// event that starts an automation, and no visitor ever waits for Owlat.
//
//	OWLAT_URL=https://… OWLAT_API_KEY=lm_live_… TOPIC=… go run ./examples/webapp
//
// The users table is the one truth. A sign-up writes its row and says so to a follower, which has the engine bring just this row in step,
// within the budget of the API key. What the follower misses, because Owlat was away or the program was killed, its next full run finds.
// Two small files are worth reading: follow.go for a program of your own, and main_test.go for how to test one against the emulator.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"time"

	_ "modernc.org/sqlite" // registers "sqlite" for the users and for the ledger; any SQLite driver will do

	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
)

const address = "127.0.0.1:8080"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

// serve answers visitors and follows the users until ctx ends.
func serve(ctx context.Context) error {
	// One client for each API key: its limiter keeps all that the program sends within what Owlat allows.
	client, err := owlat.NewClient(os.Getenv("OWLAT_URL"), os.Getenv("OWLAT_API_KEY"))
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	users, err := openUsers(ctx, "webapp.db")
	if err != nil {
		return err
	}
	defer func() { _ = users.Close() }()
	// The ledger remembers what Owlat holds. Keep the file: a new ledger must first be compared with Owlat.
	book, err := sqlite.Open(ctx, "sqlite", "owlat-sync.db")
	if err != nil {
		return err
	}
	defer func() { _ = book.Close() }()
	follower, err := newFollower(users, book, client, os.Getenv("TOPIC"), slog.Default())
	if err != nil {
		return err
	}

	ctx, stop := context.WithCancel(ctx)
	followed := make(chan struct{})
	go func() { defer close(followed); follower.follow(ctx) }()
	defer func() { stop(); <-followed }() // what is in flight is finished and recorded
	server := &http.Server{Addr: address, Handler: &app{users, follower.changed}, ReadHeaderTimeout: 5 * time.Second}
	shut := make(chan struct{})
	context.AfterFunc(ctx, func() { defer close(shut); _ = server.Shutdown(context.WithoutCancel(ctx)) })
	slog.Info("try it", "with", fmt.Sprintf("curl -d 'email=ada@example.com&first_name=Ada&newsletter=on' http://%s/signup", address))
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-shut // every visitor has an answer
	return nil
}

const schema = `
CREATE TABLE IF NOT EXISTS users (
	id         INTEGER PRIMARY KEY,
	email      TEXT NOT NULL UNIQUE,
	first_name TEXT,
	newsletter BOOLEAN NOT NULL
)`

func openUsers(ctx context.Context, file string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(wal)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	if _, err := db.ExecContext(ctx, schema); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("make the users table: %w", err)
	}
	return db, nil
}

// app is what visitors see. It knows nothing of Owlat.
type app struct {
	users *sql.DB
	// changed says that the row with the key was written. It returns at once.
	changed func(key string)
}

// ServeHTTP implements http.Handler.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/signup" {
		http.NotFound(w, r)
		return
	}
	const insert = "INSERT INTO users (email, first_name, newsletter) VALUES (?, ?, ?) ON CONFLICT (email) DO NOTHING RETURNING id"
	var id int64
	err := a.users.QueryRowContext(r.Context(), insert, r.FormValue("email"), r.FormValue("first_name"), r.FormValue("newsletter") == "on").Scan(&id)
	switch {
	case err == nil:
		a.changed(strconv.FormatInt(id, 10))
	case !errors.Is(err, sql.ErrNoRows): // nobody may learn from the answer who has signed up before
		slog.Error("keep a sign-up", "error", err)
		http.Error(w, "Please try again.", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
