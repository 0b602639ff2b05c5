package main

import (
	"bufio"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/progress"
	"owlatsync/reconcile"
)

func newPlanCmd(a *app) *cobra.Command {
	var short bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show every change a run would make, and how long it would take; changes nothing",
		Long: `Show what a run would do with every row that is not in step: each contact that would be created,
changed or put on a topic, field by field, each row that would be left out and why, and how many
requests and how much time it takes. Nothing is sent to Owlat but, on a first run, requests that list
the contacts it has.

The lines hold addresses and names.`,
		Example: `  owlat-sync plan
  owlat-sync plan --summary
  owlat-sync plan --json | jq 'select(.outcome == "invalid")'`,
		GroupID: groupSync,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.eachSync(cmd.Context(), func(ctx context.Context, s *session, sync config.Sync) error {
				return s.plan(ctx, sync, short)
			})
		},
	}
	cmd.Flags().BoolVar(&short, "summary", false, "show only the numbers")
	return cmd
}

// plan prints the plan of one sync.
func (s *session) plan(ctx context.Context, sync config.Sync, short bool) error {
	out := bufio.NewWriter(s.app.stdout)
	defer out.Flush()
	display := s.app.startDisplay(sync.Name, false)
	defer display.stop()
	printed := false
	var summary reconcile.Summary
	err := s.withEngine(sync, display.observe, func(e *reconcile.Engine, r reconcile.Sync) (err error) {
		summary, err = e.Plan(ctx, r, func(d reconcile.Decision) error {
			if short {
				return nil
			}
			display.stop()
			if s.app.json {
				_, err := out.Write(jsonLine(newDecisionJSON(sync.Name, d)))
				return err
			}
			if !printed {
				printed = true
				_, _ = fmt.Fprintf(out, "%s\n", sync.Name)
			}
			_, err := fmt.Fprintln(out, decisionLine(d))
			return err
		})
		return err
	})
	if err != nil {
		return err
	}
	display.stop()
	if s.app.json {
		_, err := out.Write(jsonLine(newSummaryJSON(summary)))
		return err
	}
	if printed {
		_, _ = fmt.Fprintln(out)
	}
	for _, line := range s.summaryLines(summary) {
		_, _ = fmt.Fprintln(out, line)
	}
	return nil
}

// summaryJSON is a plan in numbers as "plan --json" and "run --json" print it.
type summaryJSON struct {
	Type        string                     `json:"type"`
	Sync        string                     `json:"sync"`
	Rows        int                        `json:"rows"`
	FirstRun    bool                       `json:"first_run"`
	Outcomes    map[owlatsync.Outcome]int  `json:"outcomes"`
	Memberships owlatsync.MembershipCounts `json:"memberships"`
	Requests    int                        `json:"requests"` // still to be sent
	Seconds     float64                    `json:"seconds"`  // that they take
	Adoption    adoptionJSON               `json:"adoption"`
}

type adoptionJSON struct {
	Mode     reconcile.AdoptionMode `json:"mode"`
	Reason   string                 `json:"reason"`
	Contacts int                    `json:"contacts"`
	Requests int                    `json:"requests"`
}

func newSummaryJSON(p reconcile.Summary) summaryJSON {
	return summaryJSON{
		Type: "plan", Sync: p.Sync, Rows: p.Rows, FirstRun: p.FirstRun, Outcomes: p.Outcomes, Memberships: p.Memberships,
		Requests: p.Requests, Seconds: p.Duration.Seconds(),
		Adoption: adoptionJSON{p.Adoption.Mode, p.Adoption.Reason, p.Adoption.Contacts, p.Adoption.Requests},
	}
}

// summaryLines says a plan in numbers.
func (s *session) summaryLines(p reconcile.Summary) []string {
	lines := []string{fmt.Sprintf("%s: %s", p.Sync, plural(p.Rows, "row"))}
	if p.FirstRun {
		lines[0] += ", first run"
	}
	add := func(name, format string, args ...any) {
		lines = append(lines, fmt.Sprintf("  %-12s %s", name, fmt.Sprintf(format, args...)))
	}
	for _, o := range owlatsync.Outcomes {
		if n := p.Outcomes[o]; n > 0 {
			add(intention(o), "%6d", n)
		}
	}
	if m := p.Memberships; m != (owlatsync.MembershipCounts{}) {
		add("topics", "%6d to add, %d to remove, %d left as they are", m.Added, m.Removed, m.Skipped)
	}
	if p.Requests == 0 {
		add("requests", "%6d, there is nothing to send", 0)
	} else {
		rate, _ := budget(s.cfg.Owlat)
		add("requests", "%6d, about %s at %g a second", p.Requests, progress.Duration(p.Duration), rate)
	}
	if p.FirstRun && p.Adoption.Mode != reconcile.AdoptNothing {
		lines = append(lines, "  contacts that exist already: "+p.Adoption.Reason)
	}
	return lines
}
