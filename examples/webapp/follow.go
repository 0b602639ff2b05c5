package main

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
	"owlatsync/source"
)

const (
	// soon is how long sign-ups are gathered, so that many at once share a run.
	soon = time.Second
	// everything is how often all rows are compared, which finds what was missed and what was changed by other ways. What did not change costs
	// no request.
	everything = 15 * time.Minute
	// most is how many keys wait for a run. Beyond that the next run compares all rows, and forgets no one.
	most = 200
)

// follower keeps Owlat in step with the users.
type follower struct {
	engine *reconcile.Engine
	sync   reconcile.Sync
	log    *slog.Logger
	keys   chan string
	all    chan struct{} // has room for one: a run of everything is wanted
}

func newFollower(users *sql.DB, book ledger.Store, client *owlat.Client, topic string, log *slog.Logger) (*follower, error) {
	const query = "SELECT id, email, first_name, newsletter FROM users"
	rows, err := source.SQL(users, source.SQLite, query, source.Mapping{
		Key:    []string{"id"},
		Email:  "email",
		Fields: owlatsync.Texts{owlatsync.FirstName: "first_name"},
		Topics: []string{"newsletter"}, // the consent column of each topic below
	})
	if err != nil {
		return nil, err
	}
	return &follower{
		engine: reconcile.New(client, book, reconcile.Options{Logger: log}),
		sync: reconcile.Sync{
			Name:   "users",
			Source: rows,
			Topics: []reconcile.Topic{{ID: topic, When: true}},
			// Sign-ups may come in any number: whoever keeps bots out does so before a row is written. The other guards stay.
			Guards: reconcile.Guards{Creates: reconcile.NoLimit, TopicAdds: reconcile.NoLimit},
			// The event is sent at most once for each contact, whatever is killed or repeated.
			Events: []reconcile.EventRule{{Name: "signed_up", On: ledger.OnCreated}},
		},
		log:  log,
		keys: make(chan string, most),
		all:  make(chan struct{}, 1),
	}, nil
}

// changed says that the row with the key was written. It returns at once and may be called by any goroutine.
func (f *follower) changed(key string) {
	select {
	case f.keys <- key:
	default: // too many wait
		select {
		case f.all <- struct{}{}:
		default:
		}
	}
}

// follow brings Owlat in step until ctx ends: everything at first and now and then, and single rows soon after they were written.
func (f *follower) follow(ctx context.Context) {
	again := time.NewTicker(everything)
	defer again.Stop()
	f.run(ctx, nil)
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			f.run(ctx, nil)
		case <-f.all:
			f.run(ctx, nil)
		case key := <-f.keys:
			f.run(ctx, f.gather(ctx, key))
		}
	}
}

// gather waits a moment for more keys.
func (f *follower) gather(ctx context.Context, first string) []string {
	keys := []string{first}
	enough := time.After(soon)
	for len(keys) < most {
		select {
		case key := <-f.keys:
			keys = append(keys, key)
		case <-enough:
			return keys
		case <-ctx.Done():
			return keys
		}
	}
	return keys
}

// run brings the rows with the keys in step, all of them without keys. When ctx ends the run takes no more work, and finishes what is in flight.
func (f *follower) run(ctx context.Context, keys []string) {
	_, err := f.engine.Run(context.WithoutCancel(ctx), f.sync, reconcile.RunOptions{
		Keys: keys,
		Stop: ctx.Done(),
		// A first run creates contacts, which may start welcome mails. Here that is what a sign-up is for.
		Confirm: func(owlatsync.Summary) (bool, error) { return true, nil },
	})
	if err != nil { // a later run goes on where this one ended
		f.log.Error("bring Owlat in step", "error", err)
	}
}
