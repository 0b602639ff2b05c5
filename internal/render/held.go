package render

import (
	"fmt"
	"strings"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/words"
	"owlatsync/reconcile"
)

// Asked is the part of a sync that a person asked for; the zero value is all of it.
type Asked struct {
	Only  []string // keys as a person typed them
	Limit int      // 0: no limit
}

// Partial reports whether only some rows are asked for.
func (p Asked) Partial() bool { return len(p.Only) > 0 || p.Limit > 0 }

// Words returns a command with the flags that ask for this part.
func (p Asked) Words(command string) string {
	for _, key := range p.Only {
		command += " --only " + words.ShellWord(key)
	}
	if p.Limit > 0 {
		command += fmt.Sprintf(" --limit %d", p.Limit)
	}
	return command
}

// FirstRun says what a first run will do in the deployment at url. It is shown before the person is asked.
func FirstRun(s owlatsync.Summary, url string, part Asked, typed words.Typed) string {
	var b strings.Builder
	fmt.Fprintf(&b, "This is the first run of sync %q. In Owlat at %s it will create %s and %s.\n",
		s.Sync, url, words.Plural(s.Outcomes[owlatsync.Created], "contact"), words.Plural(s.Memberships.Added, "membership"))
	b.WriteString("Each fires the automations on \"contact created\" and \"topic subscribed\", such as welcome mails.\n")
	if part.Partial() {
		b.WriteString("Of these, only the rows asked for are applied now.\n")
	}
	fmt.Fprintf(&b, "%s shows every change.\n", typed.Command("plan", s.Sync))
	return b.String()
}

// Held returns the error of a held run: the guards that hold it, its plan, and what to do next. With JSON it also shows the guards
// at once.
func Held(to To, held *reconcile.HeldError, s owlatsync.Summary, part Asked, typed words.Typed) error {
	approval := approval(held, part, typed)
	if to.JSON {
		_ = to.json(heldJSON{"held", held.Sync, held.Run, held.Hits, typed.Command("plan", held.Sync), approval})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "run %d is held by a guard, %s", held.Run, word(held.Begun, "what it had applied before stays", "nothing was applied"))
	for _, hit := range held.Hits {
		fmt.Fprintf(&b, "\n  %s: %s", hit.Guard, hit.Reason)
	}
	if part.Partial() {
		fmt.Fprintf(&b, "\n  the whole plan, of which only a part was asked for: %s", inShort(s))
		return problem.Hint(problem.Reword(held, b.String()), "look at the whole plan with \"%s\"; if it is right, \"%s\" applies of it what was asked for and no more",
			typed.Command("plan", held.Sync), approval)
	}
	fmt.Fprintf(&b, "\n  its plan: %s", inShort(s))
	return problem.Hint(problem.Reword(held, b.String()), "look at it with \"%s\"; if it is right, \"%s\" applies it",
		typed.Command("plan", held.Sync), approval)
}

// approval returns the command that lets a held run pass.
func approval(held *reconcile.HeldError, part Asked, typed words.Typed) string {
	if len(held.Hits) > 1 || held.Hits[0].Guard != owlatsync.GuardFirstRun {
		return typed.Command(fmt.Sprintf("approve %d", held.Run), held.Sync)
	}
	return typed.Command(part.Words("run --yes"), held.Sync)
}

// Moved returns the error of a held plan that is out of date, with what to do next.
func Moved(moved *reconcile.MovedError, sync config.Sync, part Asked, typed words.Typed) error {
	text := fmt.Sprintf("run %d is not applied, because the source, the ledger or Owlat has moved since it was planned: %s now",
		moved.Run, words.Several(moved.Rows, "row is planned otherwise", "rows are planned otherwise"))
	if !sync.KeyIsPersonal() {
		text += " (" + strings.Join(moved.Keys, ", ")
		if moved.Rows > len(moved.Keys) {
			text += ", ..."
		}
		text += ")"
	}
	again := part.Words("run")
	if sync.KeyIsPersonal() && len(part.Only) > 0 {
		again = "run --only ..."
	}
	return problem.Hint(problem.Reword(moved, text), "look at what would be done now with \"%s\"; \"%s\" holds that under a new number, to be approved",
		typed.Command("plan", sync.Name), typed.Command(again, sync.Name))
}

// inShort returns a plan on one line.
func inShort(p owlatsync.Summary) string {
	var parts []string
	for _, o := range owlatsync.Outcomes {
		switch o {
		case owlatsync.Unchanged, owlatsync.Invalid, owlatsync.Duplicate, owlatsync.Skipped, owlatsync.Failed:
			continue
		}
		if n := p.Outcomes[o]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d%s", Intention(o), n, mayExist(p, o)))
		}
	}
	least, most := ends(p)
	if most.Added > 0 {
		parts = append(parts, ranged(least.Added, most.Added, "topic add", "topic adds"))
	}
	if n := p.Memberships.Removed; n > 0 {
		parts = append(parts, words.Several(n, "topic removal", "topic removals"))
	}
	if n := p.Memberships.OptedOut; n > 0 {
		parts = append(parts, words.Several(n, "opt-out of everything", "opt-outs of everything"))
	}
	if most.Events > 0 {
		parts = append(parts, ranged(least.Events, most.Events, "event", "events"))
	}
	if p.Requests == 0 {
		return strings.Join(append(parts, "nothing to send"), ", ")
	}
	return strings.Join(append(parts, ranged(least.Requests, most.Requests, "request", "requests"), lasts(p)), ", ")
}

// heldJSON is what "run --json" prints about a held run before the report.
type heldJSON struct {
	Type    string          `json:"type"`
	Sync    string          `json:"sync"`
	Run     int64           `json:"run"`
	Guards  []owlatsync.Hit `json:"guards"`
	Plan    string          `json:"plan"`    // the command that shows the present plan
	Approve string          `json:"approve"` // the command that applies it
}
