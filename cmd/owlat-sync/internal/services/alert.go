package services

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/alert"
	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/problem"
	"owlatsync/owlat"
)

// NewAlertCmd returns the command "alert", which tries the channels of alerts.
func NewAlertCmd(a *program.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alert",
		Short: "Try the channels that tell what is wrong",
		Long: `Try the channels by which "owlat-sync serve" tells what is wrong: those under "alerts" in the configuration.

The service tells of a failed run, a run that a guard holds, too many rows that fail, a sync that is stale,
webhooks that do not come, a write-back that is stuck, and when each of these is over.`,
		GroupID: program.GroupCare,
		Args:    cobra.ArbitraryArgs,
		RunE:    program.RunGroup,
	}
	cmd.AddCommand(newAlertTestCmd(a))
	return cmd
}

func newAlertTestCmd(a *program.App) *cobra.Command {
	return &cobra.Command{
		Use:   "test [NAME...]",
		Short: "Send a test message to the channels",
		Long: `Send a test message to each channel under "alerts" in the configuration, or to those with the names.

A channel counts as working when its place has taken the message. Mail can still be lost after that, so
look whether it arrived. With --json, each line is an object with the type "alert".`,
		Example: `  owlat-sync alert test
  owlat-sync alert test team`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return testAlerts(cmd.Context(), a, args) },
	}
}

func testAlerts(ctx context.Context, a *program.App, names []string) error {
	cfg, err := a.LoadConfig(config.UseService)
	if err != nil {
		return err
	}
	chosen, err := chooseAlerts(a.Place(cfg), cfg.Alerts, names)
	if err != nil {
		return err
	}
	means := alert.Means{Agent: a.UserAgent()}
	if slices.ContainsFunc(chosen, func(c config.Alert) bool { return c.Owlat != nil }) {
		if cfg, err = a.LoadConfig(config.UseService | config.UseKey | config.UseURL); err != nil {
			return err
		}
		if means.Owlat, err = a.Opener().Client(cfg.Owlat, owlat.WithRetries(0)); err != nil {
			return err
		}
		defer means.Owlat.CloseIdleConnections()
	}
	subs, err := alert.Channels(chosen, means)
	if err != nil {
		return problem.Usage(err)
	}
	failed := alert.SendTest(ctx, subs, alert.Test(time.Now(), cfg.Service.URL), func(s alert.Subscription, err error) {
		tellTest(a, s, err)
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case failed > 0:
		return problem.Told(exitcode.Error)
	}
	return nil
}

func tellTest(a *program.App, s alert.Subscription, err error) {
	if a.JSON {
		line := struct {
			Type    string `json:"type"`
			Channel string `json:"channel"`
			Sent    bool   `json:"sent"`
			Error   string `json:"error,omitempty"`
		}{Type: "alert", Channel: s.ID, Sent: err == nil}
		if err != nil {
			line.Error = err.Error()
		}
		_ = a.PrintJSON(line)
		return
	}
	if err != nil {
		a.Printf("%s: not sent: %v\n", s.ID, err)
		return
	}
	a.Printf("%s: sent\n", s.ID)
}

// chooseAlerts returns the channels of a place in the configuration with the names, or all if there are none.
func chooseAlerts(place string, all []config.Alert, names []string) ([]config.Alert, error) {
	if len(all) == 0 {
		return nil, problem.Usage(problem.Hint(fmt.Errorf("%s has no alerts", place), "add the section \"alerts\", such as alerts: [{slack: {url: \"${SLACK_URL}\"}}]"))
	}
	if len(names) == 0 {
		return all, nil
	}
	var known []string
	for _, c := range all {
		known = append(known, c.Name)
	}
	var chosen []config.Alert
	for _, name := range names {
		i := slices.Index(known, name)
		if i < 0 {
			return nil, problem.Usage(fmt.Errorf("there is no channel %q in %s; it has: %s", name, place, strings.Join(known, ", ")))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
