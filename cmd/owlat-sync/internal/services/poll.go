package services

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/render"
	"owlatsync/internal/setup"
)

func newFeedbackPollCmd(a *program.App) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "poll",
		Short: "Find those who have left topics, now",
		Long: `Read memberships of those who may have left topics, and record who has, as if a webhook had told it: no
run puts them back, and write-backs are told. It needs owlat.unsubscribe_secret.

It lists the contacts, one request for 100 of them, and reads those that were changed in Owlat since
they were seen last. With --all, or "read: all" in the configuration, it reads everybody who was put on
a topic, which takes nothing of the key's budget but a twentieth of a second for each.

With "feedback: poll" in the configuration, "owlat-sync serve" and "owlat-sync run" do this by themselves.
Ctrl-C stops softly: what was found is recorded, and the next round goes on from there.`,
		Example: `  owlat-sync feedback poll
  owlat-sync feedback poll --all --json`,
		Args: program.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return poll(cmd.Context(), a, all) },
	}
	cmd.Flags().BoolVar(&all, "all", false, "read everybody who was put on a topic")
	return cmd
}

func poll(ctx context.Context, a *program.App, all bool) error {
	return a.WithSession(ctx, func(s *setup.Session, _ []config.Sync) error {
		if !s.Client.Preferences.Configured() {
			return problem.Usage(problem.Hint(errors.New("without the unsubscribe secret nobody tells who is on a topic"),
				"set owlat.unsubscribe_secret in %s to the deployment's UNSUBSCRIBE_SECRET", a.FileOf(s.Config)))
		}
		stop := a.NewSoftStop()
		defer stop.Disarm()
		stop.Arm()
		err := a.Round(ctx, s, stop.C(), all || s.Config.Feedback.All, false)
		untold, untoldErr := setup.Untold(context.WithoutCancel(ctx), s)
		told := errors.Join(untoldErr, render.Untold(a.To(), untold))
		if err != nil {
			return errors.Join(a.ExplainError(s.Config, "", err), told)
		}
		return told
	})
}
