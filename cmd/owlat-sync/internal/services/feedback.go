package services

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync"
	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/render"
	"owlatsync/internal/setup"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/reconcile/bar"
)

// feedbackFlags say which feedback to list.
type feedbackFlags struct {
	event, person string
	limit         int
}

func (f *feedbackFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.event, "event", "", "only this `event`, such as topic.unsubscribed")
	cmd.Flags().StringVar(&f.person, "person", "", "only this person: an `address`, or a contact's id")
	cmd.Flags().IntVar(&f.limit, "limit", 20, "how `many` to list at most; 0: all that are kept")
	_ = cmd.RegisterFlagCompletionFunc("event", cobra.FixedCompletions(config.FeedbackEvents, cobra.ShellCompDirectiveNoFileComp))
}

// NewFeedbackCmd returns the command "feedback", which lists what came by webhooks and cares for what is written back.
func NewFeedbackCmd(a *program.App) *cobra.Command {
	var f feedbackFlags
	cmd := &cobra.Command{
		Use:   "feedback",
		Short: "List what Owlat told of people, and care for what is written back",
		Long: `List what came by webhooks, the latest first: who left a topic, whose mail bounced, who complained, which
contacts were made, and trials from Owlat's dashboard. "owlat-sync serve" takes webhooks in. Who left
may also be found by reading ("feedback: poll" in the configuration); the list says so. The
effects are in force at once: a run puts nobody back who left, and an address that bounced for good or
complained gets no topic and no event.

The list holds addresses. It goes back as far as the ledger keeps history.`,
		Example: `  owlat-sync feedback
  owlat-sync feedback --person ada@example.com --limit 0
  owlat-sync feedback dead`,
		GroupID: program.GroupCare,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return program.RunGroup(cmd, args)
			}
			return listFeedback(cmd.Context(), a, f)
		},
	}
	f.add(cmd)
	cmd.AddCommand(newFeedbackListCmd(a), newFeedbackSuppressedCmd(a), newFeedbackLiftCmd(a), newFeedbackDeadCmd(a), newFeedbackRetryCmd(a),
		newFeedbackPollCmd(a))
	return cmd
}

func newFeedbackListCmd(a *program.App) *cobra.Command {
	var f feedbackFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what came, as \"owlat-sync feedback\" does",
		Args:  program.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return listFeedback(cmd.Context(), a, f) },
	}
	f.add(cmd)
	return cmd
}

// readFeedback opens the ledger for a list.
func readFeedback(ctx context.Context, a *program.App, do func(*config.Config, setup.Ledger) error) error {
	cfg, err := a.LoadConfig(config.UseLedger)
	if err != nil {
		return err
	}
	return a.Reader().WithLedger(ctx, cfg, func(l setup.Ledger) error { return do(cfg, l) })
}

func listFeedback(ctx context.Context, a *program.App, f feedbackFlags) error {
	if f.limit < 0 {
		return problem.Usage(errors.New("--limit must not be negative"))
	}
	person := f.person
	if strings.Contains(person, "@") {
		person = owlatsync.LowerAddress(owlatsync.Trim(person))
	}
	return readFeedback(ctx, a, func(_ *config.Config, l setup.Ledger) error {
		all, err := l.Feedbacks(ctx, f.event, person, 0, f.limit)
		if err != nil {
			return err
		}
		return render.Feedback(a.To(), all)
	})
}

func newFeedbackSuppressedCmd(a *program.App) *cobra.Command {
	return &cobra.Command{
		Use:   "suppressed",
		Short: "List the addresses that bounced for good or complained",
		Long: `List the addresses of which Owlat told that mail bounces for good, or that the person marked one as spam.
No run puts them on a topic or sends an event for them, not even with "existing: add". Their contacts
are kept equal to their rows all the same.`,
		Args: program.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return readFeedback(cmd.Context(), a, func(_ *config.Config, l setup.Ledger) error {
				all, err := l.AllSuppressions(cmd.Context(), 0)
				if err != nil {
					return err
				}
				return render.Suppressions(a.To(), all)
			})
		},
	}
}

// liftJSON is what "feedback lift --json" prints.
type liftJSON struct {
	Type   string `json:"type"`
	Lifted bool   `json:"lifted"`
}

func newFeedbackLiftCmd(a *program.App) *cobra.Command {
	return &cobra.Command{
		Use:   "lift EMAIL",
		Short: "End the suppression of an address",
		Long: `Let runs treat an address like any other again, such as when a mailbox that was full works again. The
next run that finds a reason to, such as a new consent, sends it. Owlat has a block list of its own,
which this does not touch.

A row or a list that said that no mail may go to the person is overruled likewise, but nothing is sent: Owlat keeps them
opted out of everything until they come back by themselves, or "owlat-sync topic add" puts them on a topic. A row that still
says so suppresses them again as soon as it changes.

Somebody who complained must have asked for your mail anew: you are asked whether that is so.`,
		Example: `  owlat-sync feedback lift ada@example.com`,
		Args:    program.NeedArgs(1, 1, "one address"),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := owlatsync.NormalizeAddress(args[0])
			if err != nil {
				return problem.Usage(fmt.Errorf("%q: %w", args[0], err))
			}
			return lift(cmd.Context(), a, address)
		},
	}
}

func lift(ctx context.Context, a *program.App, address string) error {
	cfg, err := a.LoadConfig(config.UseLedger)
	if err != nil {
		return err
	}
	return a.WithLedger(ctx, cfg, func(l setup.Ledger) error {
		found, err := l.Suppressions(ctx, []string{address})
		if err != nil {
			return err
		}
		if found[address].Reason == ledger.Complained && !a.Yes {
			if yes, err := asksAnew(ctx, a); err != nil || !yes {
				return err
			}
		}
		was, err := bar.Lift(ctx, l, address)
		if was && err == nil {
			a.Note(ctx, l, ledger.AuditLine{What: ledger.DeedLiftSuppression})
		}
		switch {
		case err != nil:
			return err
		case !was:
			return problem.Hint(errors.New("this address is not suppressed"), "\"owlat-sync feedback suppressed\" lists those that are")
		case a.JSON:
			return a.PrintJSON(liftJSON{"lift", true})
		}
		a.Printf("The address is suppressed no longer.\n")
		return nil
	})
}

// asksAnew asks whether a person who complained wants mail again.
func asksAnew(ctx context.Context, a *program.App) (yes bool, err error) {
	ask := a.Asker(ctx)
	if ask == nil {
		return false, problem.Usage(problem.Hint(errors.New("this person complained about your mail, and here is nobody to ask whether they asked for it anew"), "add --yes if they did"))
	}
	if yes, err = ask.Confirm("This person complained about your mail. Did they ask for it anew?"); err == nil && !yes {
		a.Printf("Nothing was changed.\n")
	}
	return yes, err
}

func newFeedbackDeadCmd(a *program.App) *cobra.Command {
	return &cobra.Command{
		Use:   "dead",
		Short: "List what is not written back: given up, or still to be done",
		Long: `List what is not written back, with the reason of the latest attempt: what is given up, and what is tried
again after pauses that grow. What the target refuses is given up after 12 attempts, which take about
three hours; a target that cannot be reached is tried for days.`,
		Args: program.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return readFeedback(cmd.Context(), a, func(cfg *config.Config, l setup.Ledger) error {
				return listDead(cmd.Context(), a, cfg, l)
			})
		},
	}
}

func listDead(ctx context.Context, a *program.App, cfg *config.Config, l ledger.Outbox) error {
	all, err := l.Deliveries(ctx, ledger.DeliveryDead, 0)
	if err != nil {
		return err
	}
	waiting, err := l.Deliveries(ctx, ledger.DeliveryWaiting, 0)
	if err != nil {
		return err
	}
	all = append(all, waiting...)
	var gone []string
	for _, d := range all {
		known := slices.ContainsFunc(cfg.WriteBacks, func(w config.WriteBack) bool { return w.Name == d.Target })
		if !known && cfg.NoService == nil && !slices.Contains(gone, d.Target) {
			gone = append(gone, d.Target)
		}
	}
	return render.Deliveries(a.To(), all, gone)
}

// retryDeliveriesJSON is what "feedback retry --json" prints.
type retryDeliveriesJSON struct {
	Type       string `json:"type"`
	Deliveries int    `json:"deliveries"`
}

func newFeedbackRetryCmd(a *program.App) *cobra.Command {
	return &cobra.Command{
		Use:   "retry [NUMBER...]",
		Short: "Let write-backs that were given up be tried again",
		Long: `Let write-backs that were given up be tried again at once: those with the numbers that "owlat-sync
feedback dead" shows, or all of them. "owlat-sync serve" does it; nothing is written now.`,
		Example: `  owlat-sync feedback retry
  owlat-sync feedback retry 17 18`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return retryDeliveries(cmd.Context(), a, args) },
	}
}

func retryDeliveries(ctx context.Context, a *program.App, args []string) error {
	var ids []int64
	for _, arg := range args {
		id, err := strconv.ParseInt(arg, 10, 64)
		if err != nil || id < 1 {
			return problem.Usage(problem.Hint(fmt.Errorf("%q is not the number of a write-back", arg), "\"owlat-sync feedback dead\" lists them"))
		}
		ids = append(ids, id)
	}
	cfg, err := a.LoadConfig(config.UseLedger)
	if err != nil {
		return err
	}
	return a.WithLedger(ctx, cfg, func(l setup.Ledger) error {
		n, err := l.RetryDeliveries(ctx, ids, l.Now())
		if n > 0 {
			a.Note(ctx, l, ledger.AuditLine{What: ledger.DeedRetryWriteBacks, Count: n})
		}
		switch {
		case err != nil:
			return err
		case n < len(ids):
			return problem.Hint(fmt.Errorf("%d of these numbers are not those of write-backs that were given up; the others are tried again", len(ids)-n), "\"owlat-sync feedback dead\" lists them")
		case a.JSON:
			return a.PrintJSON(retryDeliveriesJSON{"retry_deliveries", n})
		case n == 0:
			a.Printf("Nothing was given up.\n")
		default:
			a.Printf("%s tried again by \"owlat-sync serve\".\n", words.Several(n, "write-back is", "write-backs are"))
		}
		return nil
	})
}
