package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/demo"
	"owlatsync/internal/inspect"
	"owlatsync/owlat/owlattest"
	"owlatsync/source"
)

func newDemoCmd(a *app) *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it at work on invented people; needs nothing",
		Long: `Show owlat-sync at work, in about twenty seconds and without anything of yours.

It makes an SQLite database of invented users in a temporary folder and starts an Owlat that sends no
mail, with Owlat's real request limit. Then it syncs, changes a few rows, syncs again, and once more
without a change, and shows what each run sent, as counted by that Owlat.`,
		GroupID: groupStart,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), keep) },
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "keep the folder with database, configuration and ledger")
	return cmd
}

// stage is where the demo plays.
type stage struct {
	app    *app
	dir    string
	db     *sql.DB
	server *owlattest.Server
	url    string
	topic  string
}

func (a *app) demo(ctx context.Context, keep bool) (err error) {
	dir, err := os.MkdirTemp("", "owlat-sync-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer func() {
		if keep {
			a.tell("The database, the configuration and the ledger are in %s\n", dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	s := &stage{app: a, dir: dir, server: &owlattest.Server{}}
	stop, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return s.play(ctx)
}

// tell prints a part of the story; with --json it stays untold.
func (a *app) tell(format string, args ...any) {
	if !a.json {
		a.printf(format, args...)
	}
}

// open makes the database and starts the emulator. stop ends both.
func (s *stage) open(ctx context.Context) (stop func() error, err error) {
	if s.db, err = sql.Open(sqliteDriver, s.path("shop.db")); err != nil {
		return nil, fmt.Errorf("make the database: %w", err)
	}
	if err := demo.Create(ctx, s.db); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the emulator: %w", err), s.db.Close())
	}
	s.url = "http://" + listener.Addr().String()
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(serving, listener) }()
	return func() error {
		cancel()
		return errors.Join(<-served, s.server.Close(), s.db.Close())
	}, nil
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

func (s *stage) play(ctx context.Context) error {
	tell := s.app.tell
	facts, err := demo.Count(ctx, s.db)
	if err != nil {
		return err
	}
	tell("1. A database of %d invented users, %s\n", facts.Rows, s.path("shop.db"))
	tell("   %d have not confirmed their address, %d are deleted, %d of the others want the newsletter.\n", facts.Unconfirmed, facts.Deleted, facts.OptIns)
	tell("   As in real life, some addresses are broken, doubled, in capitals or padded with blanks.\n\n")

	s.topic = s.server.AddTopic("newsletter", false)
	for _, c := range demo.Before() {
		if err := s.meet(c); err != nil {
			return err
		}
	}
	tell("2. An Owlat on this machine, %s, with the real limit: 10 requests a second, 15 at once\n", s.url)
	tell("   It knows %d of the users already. One of them has unsubscribed from everything, and must stay so.\n\n", len(demo.Before()))

	if err := s.configure(ctx); err != nil {
		return err
	}
	tell("4. First run: owlat-sync run --yes, because a first run asks before it fires welcome mails\n\n")
	first, err := s.run(ctx, true)
	if err != nil {
		return err
	}

	changes := demo.Changes()
	tell("5. A day later\n")
	if err := s.server.Unsubscribe(demo.Leaver(), s.topic); err != nil {
		return fmt.Errorf("leave the newsletter: %w", err)
	}
	for _, c := range changes {
		tell("   - %s\n", c.What)
	}
	if err := demo.Apply(ctx, s.db, changes); err != nil {
		return err
	}
	tell("\n6. Second run: only what changed is sent\n\n")
	// A day later the key has its whole allowance again; here that takes a moment.
	if err := pause(ctx, demoPause); err != nil {
		return err
	}
	second, err := s.run(ctx, false)
	if err != nil {
		return err
	}
	tell("7. Third run: nothing changed\n\n")
	third, err := s.run(ctx, false)
	if err != nil {
		return err
	}
	tell("What the Owlat counted:\n\n  first run   %4d requests, %d refused for being too fast\n  second run  %4d requests for %d changed rows; 0 for the %d unchanged ones\n  third run   %4d requests\n\n",
		first.Requests, first.RateLimited, second.Requests, second.Changed, second.Unchanged, third.Requests)
	if err := s.check(first, second, third); err != nil {
		return fmt.Errorf("the demo did not go as it should: %w", err)
	}
	if s.app.json {
		return s.app.printJSON(struct {
			Type string `json:"type"`
			Runs []act  `json:"runs"`
		}{"demo", []act{first, second, third}})
	}
	tell("Nobody who had left was put back: the user who had unsubscribed from everything still is, and so\nis the one who left the newsletter, although the database says yes for both.\n\n")
	tell("Next, with your own database: owlat-sync init DSN\n")
	return nil
}

// meet makes a contact that the emulator has before the first run.
func (s *stage) meet(c demo.Contact) error {
	state := owlattest.ContactState{Email: c.Email, FirstName: c.FirstName, LastName: c.LastName, Source: "import"}
	if _, err := s.server.AddContact(state); err != nil {
		return fmt.Errorf("fill the emulator: %w", err)
	}
	if !c.Unsubscribed {
		return nil
	}
	if err := s.server.Unsubscribe(c.Email, ""); err != nil {
		return fmt.Errorf("fill the emulator: %w", err)
	}
	return nil
}

// configure writes the configuration that init proposes, and points the program at it and at the emulator.
func (s *stage) configure(ctx context.Context) error {
	a := s.app
	a.configPath, a.syncs, a.yes = s.path(config.DefaultFile), nil, true
	a.env[config.EnvURL], a.env[config.EnvAPIKey] = s.url, s.server.AddKey()
	dsn, err := source.ParseDSN("sqlite:"+s.path("shop.db"), s.dir)
	if err != nil {
		return err
	}
	catalog, err := a.readCatalog(ctx, dsn)
	if err != nil {
		return fmt.Errorf("look at the database: %w", err)
	}
	proposal, err := inspect.Propose(catalog, inspect.Rank(catalog)[0].Table)
	if err != nil {
		return err
	}
	if err := useTopics(proposal, []string{s.topic + "=newsletter"}); err != nil {
		return err
	}
	if err := writeNew(a.configPath, proposal.YAML(inspect.Settings{URL: s.url, DSN: "sqlite:shop.db"})); err != nil {
		return err
	}
	a.tell("3. A configuration, as \"owlat-sync init\" writes it after a look at the database\n\n")
	a.tell("   %s\n\n", strings.ReplaceAll(proposal.Query(), "\n", "\n   "))
	return nil
}

// demoPause is how long the emulator's limit takes to recover from a run.
const demoPause = 1500 * time.Millisecond

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// act is what one run did; the requests are as the emulator counted them.
type act struct {
	Requests    int `json:"requests"`
	Writes      int `json:"writes"`
	RateLimited int `json:"rate_limited"`
	Changed     int `json:"changed"`
	Unchanged   int `json:"unchanged"`
}

// run does what the command run does. Rows that cannot be applied are shown the first time only.
func (s *stage) run(ctx context.Context, showRows bool) (act, error) {
	before := s.server.Stats()
	r := &runner{}
	err := s.app.eachSync(ctx, r.run)
	if !showRows {
		r.shown = nil
	}
	r.printEnd(s.app)
	s.app.tell("\n")
	if err != nil {
		return act{}, err
	}
	after := s.server.Stats()
	got := act{Requests: after.Total - before.Total, Writes: after.Writes - before.Writes, RateLimited: after.RateLimited - before.RateLimited}
	for _, report := range r.reports {
		got.Unchanged += report.Outcomes[owlatsync.Unchanged]
		for _, o := range []owlatsync.Outcome{owlatsync.Created, owlatsync.Updated, owlatsync.Renamed, owlatsync.Adopted} {
			got.Changed += report.Outcomes[o]
		}
	}
	return got, nil
}

// check compares what the story says with what the emulator holds.
func (s *stage) check(first, second, third act) error {
	switch {
	case first.RateLimited > 0:
		return fmt.Errorf("%d requests were refused for being too fast", first.RateLimited)
	case second.Requests == 0 || second.Requests > 2*second.Changed:
		return fmt.Errorf("the second run sent %d requests for %d changed rows", second.Requests, second.Changed)
	case third.Requests != 0:
		return fmt.Errorf("the third run sent %d requests", third.Requests)
	}
	unsubscribed, ok := s.server.Contact(demo.Before()[0].Email)
	if !ok || !unsubscribed.Unsubscribed || len(unsubscribed.Topics) > 0 {
		return errors.New("somebody who had unsubscribed was put back")
	}
	leaver, ok := s.server.Contact(owlatsync.LowerAddress(demo.Leaver()))
	if !ok || len(leaver.Topics) > 0 {
		return errors.New("somebody who had left the newsletter was put back")
	}
	return nil
}
