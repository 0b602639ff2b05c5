package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/owlat"
)

func newCheckCmd(a *app) *cobra.Command {
	var rows int
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Test the configuration, the connections, the key and the topics; changes nothing",
		Long: `Test everything a run needs, and change nothing:

  - the configuration file
  - that the Owlat deployment answers and accepts the API key
  - that the key has the scopes the syncs need, and that the topics exist
    (with requests that Owlat refuses after it has looked at the scope)
  - the ledger: its file and folder can be written, it is whole, and it belongs to
    this deployment; a first run would create it
  - each source: it is connected to, its columns are listed, its first 10000 rows
    are judged as a run would, and the first of them are shown as they would be
    sent, or with the reason why they would not`,
		Example: `  owlat-sync check
  owlat-sync check --sync users --rows 20`,
		GroupID: groupSync,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if rows < 0 {
				return usageError(errors.New("--rows must not be negative"))
			}
			cfg, err := a.loadConfig(config.UseAll)
			if err != nil {
				return err
			}
			syncs, err := a.selectSyncs(cfg)
			if err != nil {
				return err
			}
			c := &checker{app: a, cfg: cfg, syncs: syncs, rows: rows}
			return c.check(cmd.Context())
		},
	}
	cmd.Flags().IntVar(&rows, "rows", 5, "how many `rows` of each source to show")
	return cmd
}

// finding is the result of one check.
type finding struct {
	Area    string `json:"area"` // "owlat", "ledger" or "sync"
	Sync    string `json:"sync,omitempty"`
	Subject string `json:"subject"`
	Status  status `json:"status"`
	Message string `json:"message,omitempty"`
}

type status string

const (
	statusOK      status = "ok"
	statusWarning status = "warning"
	statusFailed  status = "failed"
)

// checkReport is what "check --json" prints.
type checkReport struct {
	Type   string       `json:"type"`
	OK     bool         `json:"ok"`
	Checks []finding    `json:"checks"`
	Syncs  []syncSample `json:"syncs"`
}

// checker makes the checks and prints them as they come.
type checker struct {
	app   *app
	cfg   *config.Config
	syncs []config.Sync
	rows  int

	report   checkReport
	code     exitcode.Code // of the gravest failure
	failed   int
	warnings int
}

func (c *checker) check(ctx context.Context) error {
	origin := ""
	if c.app.env[config.EnvURL] != "" {
		origin = " (from " + config.EnvURL + ")"
	}
	c.heading("Owlat at %s%s", c.cfg.Owlat.URL, origin)
	if err := c.owlat(ctx); err != nil {
		return err
	}
	c.heading("Ledger %s", c.cfg.Ledger)
	c.ledger(ctx)
	for _, s := range c.syncs {
		c.heading("Sync %s from %s", s.Name, s.Target)
		c.source(ctx, s)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.report.Type, c.report.OK = "check", c.failed == 0
	if c.app.json {
		if err := c.app.printJSON(c.report); err != nil {
			return err
		}
	}
	if c.failed > 0 {
		c.text("%s found.\n", plural(c.failed, "problem"))
		return quiet(c.code)
	}
	if c.warnings > 0 {
		c.text("Nothing keeps a run from going through, but mind what is warned of above. \"owlat-sync plan\" shows what it would do.\n")
		return nil
	}
	c.text("Everything is in order. \"owlat-sync plan\" shows what a run would do.\n")
	return nil
}

// text prints to standard output unless --json asks for something else.
func (c *checker) text(format string, args ...any) {
	if !c.app.json {
		c.app.printf(format, args...)
	}
}

func (c *checker) heading(format string, args ...any) {
	c.text("%s\n", fmt.Sprintf(format, args...))
}

// found notes a result that is no failure.
func (c *checker) found(f finding) {
	if f.Status == statusWarning {
		c.warnings++
	}
	c.report.Checks = append(c.report.Checks, f)
	c.text("  %-8s %s%s\n", f.Status, f.Subject, after(": ", strings.ReplaceAll(f.Message, "\n", "\n           ")))
}

// fail notes a failure that means the exit code; a refused key or scope outweighs the others.
func (c *checker) fail(code exitcode.Code, f finding) {
	f.Status = statusFailed
	c.found(f)
	c.failed++
	if c.code == exitcode.OK || code == exitcode.Refused {
		c.code = code
	}
}

func after(separator, s string) string {
	if s == "" {
		return ""
	}
	return separator + s
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// owlat tests the deployment, the key, the scopes and the topics.
func (c *checker) owlat(ctx context.Context) error {
	limiter := newLimiter(c.cfg.Owlat)
	client, err := c.app.newClient(c.cfg.Owlat, owlat.WithLimiter(limiter))
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	// Owlat answers 500 to what is no topic id: repeating that would only take time.
	hasty, err := c.app.newClient(c.cfg.Owlat, owlat.WithLimiter(limiter), owlat.WithRetries(0))
	if err != nil {
		return err
	}
	defer hasty.CloseIdleConnections()
	if _, err := client.Health(ctx); err != nil {
		c.refused(err, finding{Area: "owlat", Subject: "deployment"})
		return nil
	}
	c.found(finding{Area: "owlat", Subject: "deployment", Status: statusOK, Message: "it answers"})
	if !c.keyAndReading(ctx, client) {
		return nil
	}
	c.writing(ctx, client)
	c.topics(ctx, hasty)
	c.events(ctx, client)
	return nil
}

// refused notes a failure of a request, with what to do about it.
func (c *checker) refused(err error, f finding) {
	f.Message = err.Error()
	if errors.Is(err, owlat.ErrForbidden) {
		f.Message = "the key lacks it"
	}
	if h, ok := errors.AsType[*hinted](explainOwlat(err, c.cfg.Owlat)); ok {
		f.Message += "; " + h.hint
	}
	c.fail(exitcode.Of(err), f)
}

// keyAndReading reports whether the key is accepted, so that it makes sense to go on.
func (c *checker) keyAndReading(ctx context.Context, client *owlat.Client) bool {
	key, scope := finding{Area: "owlat", Subject: "API key"}, finding{Area: "owlat", Subject: "scope contacts:read"}
	page, err := client.Contacts.List(ctx, owlat.ListOptions{Limit: 1})
	switch {
	case err == nil:
		key.Status, key.Message = statusOK, "accepted"
		c.found(key)
		scope.Status, scope.Message = statusOK, "Owlat has "+plural(page.Total, "contact")
		c.found(scope)
	case errors.Is(err, owlat.ErrForbidden):
		key.Status, key.Message = statusOK, "accepted"
		c.found(key)
		scope.Status = statusWarning
		scope.Message = "the key lacks it: existing contacts cannot be compared, so that the first run sends more requests"
		c.found(scope)
	default:
		c.refused(err, key)
		return false
	}
	return true
}

// writing sends an update of a contact id that cannot be: Owlat looks at the scope first, then refuses the id.
func (c *checker) writing(ctx context.Context, client *owlat.Client) {
	f := finding{Area: "owlat", Subject: "scope contacts:write"}
	_, err := client.Contacts.Update(ctx, "x", owlat.ContactUpdate{})
	if statusOf(err) == http.StatusBadRequest {
		f.Status = statusOK
		c.found(f)
		return
	}
	c.unexpected(err, f)
}

func (c *checker) unexpected(err error, f finding) {
	if err == nil {
		err = errors.New("the deployment took a request that it should have refused")
	}
	c.refused(err, f)
}

// events sends, where a sync has events, one for an address that cannot be: Owlat looks at the scope first, then refuses it.
func (c *checker) events(ctx context.Context, client *owlat.Client) {
	if !slices.ContainsFunc(c.syncs, func(s config.Sync) bool { return len(s.Events) > 0 }) {
		return
	}
	f := finding{Area: "owlat", Subject: "scope events:write"}
	_, err := client.Events.Send(ctx, owlat.Event{Email: "x", Name: "x"})
	if statusOf(err) == http.StatusBadRequest {
		f.Status = statusOK
		c.found(f)
		return
	}
	c.unexpected(err, f)
}

// topics sends, for each topic, a removal of a contact id that cannot be: Owlat looks at the scope, then for the topic, and
// then refuses the id.
func (c *checker) topics(ctx context.Context, client *owlat.Client) {
	users := make(map[string][]string)
	var ids []string
	for _, s := range c.syncs {
		for _, t := range s.Topics {
			if users[t.ID] == nil {
				ids = append(ids, t.ID)
			}
			users[t.ID] = append(users[t.ID], s.Name)
		}
	}
	scope := finding{Area: "owlat", Subject: "scope topics:write"}
	known := false // that the key has the scope
	for _, id := range ids {
		_, err := client.Topics.Remove(ctx, id, "x")
		if errors.Is(err, owlat.ErrForbidden) || exitcode.Of(err) == exitcode.Refused {
			c.refused(err, scope)
			return
		}
		if !known && statusOf(err) != 0 {
			known, scope.Status = true, statusOK
			c.found(scope)
		}
		f := finding{Area: "owlat", Subject: "topic " + id, Message: "of sync " + strings.Join(users[id], ", ")}
		switch {
		case statusOf(err) == http.StatusBadRequest:
			f.Status = statusOK
			c.found(f)
		case errors.Is(err, owlat.ErrNotFound) && !errors.Is(err, owlat.ErrNoRoute), statusOf(err) == http.StatusInternalServerError:
			f.Message += ": Owlat has no topic with this id; copy it from the topic's page in Owlat"
			c.fail(exitcode.Usage, f)
		default:
			c.unexpected(err, f)
		}
	}
}

// statusOf is the status of an answer that is an error, 0 without an answer.
func statusOf(err error) int {
	if answer, ok := errors.AsType[*owlat.Error](err); ok {
		return answer.StatusCode
	}
	return 0
}
