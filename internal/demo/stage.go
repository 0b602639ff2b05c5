package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/initialise"
	"owlatsync/internal/propose"
	"owlatsync/internal/setup"
	"owlatsync/internal/sourcedsn"
	"owlatsync/owlat/owlattest"
)

// Program is what plays the demo.
type Program struct {
	Opener     setup.Opener
	Tell       func(format string, args ...any)                                      // tells a part of the story
	Configured func(path, url, key string)                                           // makes the program use this configuration and deployment
	Run        func(ctx context.Context, showRows bool) ([]*owlatsync.Report, error) // runs all syncs and shows what became of them
}

// stage is the database, the deployment and the folder of the demo.
type stage struct {
	Program
	dir    string
	db     *sql.DB
	server *owlattest.Server
	url    string
	topic  string
}

// Play makes a database and a deployment in the folder, syncs three times, and returns what each run did. It fails if the story
// does not go as told.
func Play(ctx context.Context, dir string, p Program) (runs []Act, err error) {
	s := &stage{Program: p, dir: dir, server: &owlattest.Server{}}
	stop, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return s.play(ctx)
}

// open makes the database and starts the emulator. stop ends both.
func (s *stage) open(ctx context.Context) (stop func() error, err error) {
	if s.db, err = sql.Open(s.Opener.Drivers.SQLite, s.path("shop.db")); err != nil {
		return nil, fmt.Errorf("make the database: %w", err)
	}
	if err := Create(ctx, s.db); err != nil {
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

func (s *stage) play(ctx context.Context) ([]Act, error) {
	tell := s.Tell
	facts, err := Count(ctx, s.db)
	if err != nil {
		return nil, err
	}
	tell("1. A database of %d invented users, %s\n", facts.Rows, s.path("shop.db"))
	tell("   %d have not confirmed their address, %d are deleted, %d of the others want the newsletter.\n", facts.Unconfirmed, facts.Deleted, facts.OptIns)
	tell("   As in real life, some addresses are broken, doubled, in capitals or padded with blanks.\n\n")

	s.topic = s.server.AddTopic("newsletter", false)
	for _, c := range Before() {
		if err := s.meet(c); err != nil {
			return nil, err
		}
	}
	tell("2. An Owlat on this machine, %s, with the real limit: 10 requests a second, 15 at once\n", s.url)
	tell("   It knows %d of the users already. One of them has unsubscribed from everything, and must stay so.\n\n", len(Before()))

	if err := s.configure(ctx); err != nil {
		return nil, err
	}
	tell("4. First run: owlat-sync run --yes, because a first run asks before it fires welcome mails\n\n")
	first, err := s.run(ctx, true)
	if err != nil {
		return nil, err
	}

	changes := Changes()
	tell("5. A day later\n")
	if err := s.server.Unsubscribe(Leaver(), s.topic); err != nil {
		return nil, fmt.Errorf("leave the newsletter: %w", err)
	}
	for _, c := range changes {
		tell("   - %s\n", c.What)
	}
	if err := Apply(ctx, s.db, changes); err != nil {
		return nil, err
	}
	tell("\n6. Second run: only what changed is sent\n\n")
	// A day later the key would have its whole allowance again; here that takes a moment.
	if err := pause(ctx, limitPause); err != nil {
		return nil, err
	}
	second, err := s.run(ctx, false)
	if err != nil {
		return nil, err
	}
	tell("7. Third run: nothing changed\n\n")
	third, err := s.run(ctx, false)
	if err != nil {
		return nil, err
	}
	tell("What the Owlat counted:\n\n  first run   %4d requests, %d refused for being too fast\n  second run  %4d requests for %d changed rows; 0 for the %d unchanged ones\n  third run   %4d requests\n\n",
		first.Requests, first.RateLimited, second.Requests, second.Changed, second.Unchanged, third.Requests)
	if err := s.check(first, second, third); err != nil {
		return nil, fmt.Errorf("the demo did not go as it should: %w", err)
	}
	tell("Nobody who had left was put back: the user who had unsubscribed from everything still is, and so\nis the one who left the newsletter, although the database says yes for both.\n\n")
	tell("Next, with your own database: owlat-sync init DSN\n")
	return []Act{first, second, third}, nil
}

// meet makes a contact that exists before the first run.
func (s *stage) meet(c Contact) error {
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

// configure writes the configuration that init proposes, and shows its query.
func (s *stage) configure(ctx context.Context) error {
	query, err := s.writeConfig(ctx)
	if err != nil {
		return err
	}
	s.Tell("3. A configuration, as \"owlat-sync init\" writes it after a look at the database\n\n")
	s.Tell("   %s\n\n", strings.ReplaceAll(query, "\n", "\n   "))
	return nil
}

// writeConfig writes the configuration that init proposes, points the program at it and at the emulator, and returns its query.
func (s *stage) writeConfig(ctx context.Context) (query string, err error) {
	path := s.path(config.DefaultFile)
	s.Configured(path, s.url, s.server.AddKey())
	dsn, err := sourcedsn.Parse("sqlite:"+s.path("shop.db"), s.dir)
	if err != nil {
		return "", err
	}
	catalog, err := initialise.ReadCatalog(ctx, s.Opener, dsn)
	if err != nil {
		return "", fmt.Errorf("look at the database: %w", err)
	}
	proposal, err := propose.Propose(catalog, propose.Rank(catalog)[0].Table)
	if err != nil {
		return "", err
	}
	if err := initialise.UseTopics(proposal, []string{s.topic + "=newsletter"}); err != nil {
		return "", err
	}
	if err := initialise.WriteNew(path, proposal.YAML(propose.Settings{URL: s.url, DSN: "sqlite:shop.db"})); err != nil {
		return "", err
	}
	return proposal.Query(), nil
}

// limitPause is how long the emulator's limit takes to recover after a run.
const limitPause = 1500 * time.Millisecond

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

// Act is what one run did; the emulator counted the requests.
type Act struct {
	Requests    int `json:"requests"`
	Writes      int `json:"writes"`
	RateLimited int `json:"rate_limited"`
	Changed     int `json:"changed"`
	Unchanged   int `json:"unchanged"`
}

// run runs the syncs. Rows that cannot be applied are shown only the first time.
func (s *stage) run(ctx context.Context, showRows bool) (Act, error) {
	before := s.server.Stats()
	reports, err := s.Run(ctx, showRows)
	if err != nil {
		return Act{}, err
	}
	after := s.server.Stats()
	got := Act{Requests: after.Total - before.Total, Writes: after.Writes - before.Writes, RateLimited: after.RateLimited - before.RateLimited}
	for _, report := range reports {
		got.Unchanged += report.Outcomes[owlatsync.Unchanged]
		for _, o := range []owlatsync.Outcome{owlatsync.Created, owlatsync.Updated, owlatsync.Renamed, owlatsync.Adopted} {
			got.Changed += report.Outcomes[o]
		}
	}
	return got, nil
}

// check compares the story with what the emulator holds.
func (s *stage) check(first, second, third Act) error {
	switch {
	case first.RateLimited > 0:
		return fmt.Errorf("%d requests were refused for being too fast", first.RateLimited)
	case second.Requests == 0 || second.Requests > 2*second.Changed:
		return fmt.Errorf("the second run sent %d requests for %d changed rows", second.Requests, second.Changed)
	case third.Requests != 0:
		return fmt.Errorf("the third run sent %d requests", third.Requests)
	}
	unsubscribed, ok := s.server.Contact(Before()[0].Email)
	if !ok || !unsubscribed.Unsubscribed || len(unsubscribed.Topics) > 0 {
		return errors.New("somebody who had unsubscribed was put back")
	}
	leaver, ok := s.server.Contact(owlatsync.LowerAddress(Leaver()))
	if !ok || len(leaver.Topics) > 0 {
		return errors.New("somebody who had left the newsletter was put back")
	}
	return nil
}
