package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"owlatsync/internal/config"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
)

// Serve runs the service with the demo's configuration until stop is closed or ctx ends, and tells ready where it listens.
type Serve func(ctx context.Context, stop <-chan struct{}, ready func(address string)) error

// Accident is what somebody's script does to the database once all is well, so that a guard holds a run.
var Accident = Change{"a script takes the newsletter from everybody", "UPDATE users SET newsletter = 0", nil}

// theSync is the name of the demo's sync.
const theSync = "users"

// Show plays the same story before the page of a service: it makes a database and a deployment in the folder, lets a service sync them, and
// changes the database between the runs. It returns when stop is closed. Run of the Program is not used.
func Show(ctx context.Context, dir string, p Program, serve Serve, stop <-chan struct{}) (err error) {
	s := &stage{Program: p, dir: dir, server: &owlattest.Server{}}
	end, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	if err := s.prepare(ctx); err != nil {
		return err
	}
	telling, quiet := context.WithCancelCause(ctx)
	defer quiet(errOver)
	var all sync.WaitGroup
	var served error
	halt, address := make(chan struct{}), make(chan string, 1)
	all.Go(func() {
		served = serve(ctx, halt, func(at string) { address <- at })
		quiet(errOver)
	})
	all.Go(func() {
		select {
		case at := <-address:
			if err := (show{s, "http://" + at}).tell(telling); err != nil {
				quiet(err)
			}
		case <-telling.Done():
		}
	})
	select {
	case <-stop:
	case <-telling.Done():
	}
	quiet(errOver)
	close(halt)
	all.Wait()
	if why := context.Cause(telling); ctx.Err() == nil && !errors.Is(why, errOver) {
		return errors.Join(why, served)
	}
	return served
}

// errOver ends the story: there is nothing more to tell.
var errOver = errors.New("the demo is over")

// prepare fills the emulator and writes a configuration with which a service syncs every minute.
func (s *stage) prepare(ctx context.Context) error {
	s.topic = s.server.AddTopic("newsletter", false)
	for _, c := range Before() {
		if err := s.meet(c); err != nil {
			return err
		}
	}
	if _, err := s.writeConfig(ctx); err != nil {
		return err
	}
	text, err := os.ReadFile(s.path(config.DefaultFile))
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	named := strings.Replace(string(text), "- id: "+s.topic+"\n", "- id: "+s.topic+"\n        name: newsletter\n", 1)
	head, rest, found := strings.Cut(named, "\n  "+theSync+":\n")
	if !found {
		return errors.New("the configuration has no sync \"" + theSync + "\"")
	}
	text = []byte("serve: {listen: \"127.0.0.1:0\"}\nwebhooks: {secrets: [\"" + hookSecret + "\"]}\n" + head + "\n  " + theSync + ":\n    schedule: every 1m\n    guards: {first_run: allow}\n" + rest)
	if err := os.WriteFile(s.path(config.DefaultFile), text, 0o600); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}

// hookSecret signs the webhooks that the emulator sends to the service, on this machine.
const hookSecret = "whsec_demo_of_owlat_sync_on_this_machine"

// show tells the story beside the page of a service.
type show struct {
	*stage
	page string
}

func (s show) tell(ctx context.Context) error {
	facts, err := Count(ctx, s.db)
	if err != nil {
		return err
	}
	s.Tell("The page of the demo:\n\n  %s\n\n", s.page)
	s.Tell("It is open on this machine alone. Behind it are a database of %d invented users, an Owlat that sends no mail,\nand a service that syncs them every minute. Ctrl-C ends it, and nothing of it stays.\n\n", facts.Rows)
	if _, err := s.server.AddWebhook(s.page+"/webhooks/owlat", hookSecret, "topic.unsubscribed", "email.bounced", "email.complained"); err != nil {
		return fmt.Errorf("let webhooks come: %w", err)
	}
	s.Tell("- The first run begins: Owlat takes 10 requests a second.\n")
	if err := s.run(ctx, false); err != nil {
		return err
	}
	s.Tell("- A day later:\n")
	if err := s.server.Unsubscribe(Leaver(), s.topic); err != nil {
		return fmt.Errorf("leave the newsletter: %w", err)
	}
	if err := s.server.WaitWebhooks(ctx); err != nil {
		return fmt.Errorf("wait for the webhook: %w", err)
	}
	for _, c := range Changes() {
		s.Tell("    %s\n", c.What)
	}
	if err := Apply(ctx, s.db, Changes()); err != nil {
		return err
	}
	s.Tell("- The second run sends only what changed.\n")
	if err := s.run(ctx, false); err != nil {
		return err
	}
	s.Tell("- An accident: %s.\n", Accident.What)
	if err := Apply(ctx, s.db, []Change{Accident}); err != nil {
		return err
	}
	if err := s.run(ctx, true); err != nil {
		return err
	}
	s.Tell("- A guard holds the run, and nobody has lost the newsletter. Look at it on the page.\n")
	return nil
}

// runAsked is how often the service is asked whether a run has ended.
const runAsked = 200 * time.Millisecond

// run asks the service for a run and waits for its end.
func (s show) run(ctx context.Context, held bool) error {
	if err := pause(ctx, limitPause); err != nil {
		return err
	}
	var taken, run struct {
		Run    int64         `json:"run"`
		Status ledger.Status `json:"status"`
		Done   bool          `json:"done"`
	}
	if err := s.ask(ctx, http.MethodPost, "/syncs/"+theSync+"/runs", &taken); err != nil {
		return err
	}
	for !run.Done {
		if err := pause(ctx, runAsked); err != nil {
			return err
		}
		if err := s.ask(ctx, http.MethodGet, fmt.Sprintf("/runs/%d", taken.Run), &run); err != nil {
			return err
		}
	}
	if isHeld := run.Status == ledger.StatusHeld; isHeld != held {
		return fmt.Errorf("the demo did not go as it should: run %d ended as %q", run.Run, run.Status)
	}
	return nil
}

// ask asks the service for something.
func (s show) ask(ctx context.Context, method, path string, into any) error {
	var body bytes.Buffer
	if method == http.MethodPost {
		body.WriteString("{}")
	}
	r, err := http.NewRequestWithContext(ctx, method, s.page+"/api/v1"+path, &body)
	if err != nil {
		return fmt.Errorf("ask the service: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("ask the service: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("the service answered %s to %s %s", answer.Status, method, path)
	}
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		return fmt.Errorf("read the answer of the service: %w", err)
	}
	return nil
}
