package main

import (
	"context"
	"fmt"
	"strings"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/progress"
	"owlatsync/reconcile"
)

// confirm returns what asks whether a first run may write: nil where nobody can be asked, so that the run is held.
func (r *runner) confirm(ctx context.Context, s *session, display *display) func(owlatsync.Summary) (bool, error) {
	if s.app.yes {
		return func(owlatsync.Summary) (bool, error) { return true, nil }
	}
	ask := s.app.asker(ctx)
	if ask == nil {
		return nil
	}
	return func(p owlatsync.Summary) (yes bool, err error) {
		display.suspend(func() {
			ask.say("This is the first run of sync %q. In Owlat at %s it will create %s and %s.\n",
				p.Sync, s.cfg.Owlat.URL, plural(p.Outcomes[owlatsync.Created], "contact"), plural(p.Memberships.Added, "membership"))
			ask.say("Each fires the automations on \"contact created\" and \"topic subscribed\", such as welcome mails.\n")
			if r.partial() {
				ask.say("Of these, only the rows asked for are applied now.\n")
			}
			ask.say("%s shows every change.\n", s.app.command("plan", p.Sync))
			yes, err = ask.confirm("Go on?")
		})
		return yes, err
	}
}

// confirm asks a question to which everything but a yes is a no.
func (q *asker) confirm(question string) (bool, error) {
	answer, err := q.line("%s [y/N] ", question)
	if err != nil {
		return false, err
	}
	answer = strings.ToLower(answer)
	return answer == "y" || answer == "yes", nil
}

// command returns the command line of a command for one sync as it is typed here.
func (a *app) command(command, sync string) string {
	words := []string{"owlat-sync", command}
	if sync != "" {
		words = append(words, "--sync", sync)
	}
	if a.configPath != config.DefaultFile && a.configPath != a.env[envConfig] {
		words = append(words, "--config", shellWord(a.configPath))
	}
	return strings.Join(words, " ")
}

// shellWord quotes what a shell would not take for one word.
func shellWord(s string) string {
	odd := func(r rune) bool {
		return !strings.ContainsRune("_-./:=@%+,", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	if s != "" && !strings.ContainsFunc(s, odd) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// explainHeld says which guards hold a run, what its plan is, and what to do next.
func (s *session) explainHeld(held *reconcile.HeldError, p owlatsync.Summary, approval string, partial bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "run %d is held by a guard, nothing was applied", held.Run)
	for _, hit := range held.Hits {
		fmt.Fprintf(&b, "\n  %s: %s", hit.Guard, hit.Reason)
	}
	if partial {
		fmt.Fprintf(&b, "\n  the whole plan, of which only a part was asked for: %s", s.inShort(p))
		return withHint(&retold{held, b.String()}, "look at the whole plan with \"%s\"; if it is right, \"%s\" applies of it what was asked for and no more",
			s.app.command("plan", held.Sync), approval)
	}
	fmt.Fprintf(&b, "\n  its plan: %s", s.inShort(p))
	return withHint(&retold{held, b.String()}, "look at it with \"%s\"; if it is right, \"%s\" applies it",
		s.app.command("plan", held.Sync), approval)
}

// explainMoved says that a held plan is not what would be done now.
func (r *runner) explainMoved(a *app, sync config.Sync, moved *reconcile.MovedError) error {
	text := fmt.Sprintf("run %d is not applied, because the source, the ledger or Owlat has moved since it was planned: %s now",
		moved.Run, several(moved.Rows, "row is planned otherwise", "rows are planned otherwise"))
	if !sync.KeyIsPersonal() {
		text += " (" + strings.Join(moved.Keys, ", ")
		if moved.Rows > len(moved.Keys) {
			text += ", ..."
		}
		text += ")"
	}
	again := r.words("run")
	if sync.KeyIsPersonal() && len(r.only) > 0 {
		again = "run --only ..."
	}
	return withHint(&retold{moved, text}, "look at what would be done now with \"%s\"; \"%s\" holds that under a new number, to be approved",
		a.command("plan", sync.Name), a.command(again, sync.Name))
}

// retold is an error in other words.
type retold struct {
	error
	text string
}

func (e *retold) Error() string { return e.text }
func (e *retold) Unwrap() error { return e.error }

// approval is the command that lets a held run pass.
func (r *runner) approval(a *app, held *reconcile.HeldError) string {
	if len(held.Hits) > 1 || held.Hits[0].Guard != owlatsync.GuardFirstRun {
		return a.command(fmt.Sprintf("approve %d", held.Run), held.Sync)
	}
	return a.command(r.words("run --yes"), held.Sync)
}

// words returns a command with the rows that this run is asked for.
func (r *runner) words(command string) string {
	for _, key := range r.only {
		command += " --only " + shellWord(key)
	}
	if r.limit > 0 {
		command += fmt.Sprintf(" --limit %d", r.limit)
	}
	return command
}

// inShort says a plan in one line.
func (s *session) inShort(p owlatsync.Summary) string {
	var parts []string
	for _, o := range owlatsync.Outcomes {
		switch o {
		case owlatsync.Unchanged, owlatsync.Invalid, owlatsync.Duplicate, owlatsync.Skipped, owlatsync.Failed:
			continue
		}
		if n := p.Outcomes[o]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", intention(o), n))
		}
	}
	if n := p.Memberships.Added; n > 0 {
		parts = append(parts, several(n, "topic add", "topic adds"))
	}
	if n := p.Memberships.Removed; n > 0 {
		parts = append(parts, several(n, "topic removal", "topic removals"))
	}
	if p.Events > 0 {
		parts = append(parts, plural(p.Events, "event"))
	}
	if p.Requests == 0 {
		return strings.Join(append(parts, "nothing to send"), ", ")
	}
	return strings.Join(append(parts, plural(p.Requests, "request"), progress.About(p.Duration)), ", ")
}

// heldJSON says which guards hold a run, as "run --json" prints it before the report.
type heldJSON struct {
	Type    string          `json:"type"`
	Sync    string          `json:"sync"`
	Run     int64           `json:"run"`
	Guards  []owlatsync.Hit `json:"guards"`
	Plan    string          `json:"plan"`    // the command that shows what would be done now
	Approve string          `json:"approve"` // the command that applies it
}

func (s *session) newHeldJSON(held *reconcile.HeldError, approval string) heldJSON {
	return heldJSON{"held", held.Sync, held.Run, held.Hits, s.app.command("plan", held.Sync), approval}
}
