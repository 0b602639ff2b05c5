package services

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/caller"
	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/problem"
	"owlatsync/ledger"
)

type triggerFlags struct {
	url       string
	tokenFile string
	wait      bool
	timeout   time.Duration
	full      bool
	only      []string
	limit     int
	review    bool
}

// NewTriggerCmd returns the command "trigger", which asks a service for a run.
func NewTriggerCmd(a *program.App) *cobra.Command {
	var f triggerFlags
	cmd := &cobra.Command{
		Use:   "trigger SYNC",
		Short: "Ask a service for a run, for CI, dbt and Airflow",
		Long: `Ask a service ("owlat-sync serve") for a run of a sync, and print the run's number. The run waits for
its turn. With --wait the command waits for its end, and its exit code is that of "owlat-sync run".

The service is the one of the configuration file, or the one that --url or ` + caller.EnvURL + ` names; then
no configuration file is needed. A service with tokens needs one of an operator, in ` + caller.EnvToken + ` or
in the file that --token-file names.

A run that is queued already and was asked for in the same way is not queued again. A run that a guard
holds exits with 6 and changes nothing; approve it after you have looked at it.

With --review the run only plans. If there is anything to send, it is held with its plan (exit code 6 with
--wait), and sends nothing until somebody approves it. The next run takes its place.`,
		Example: `  owlat-sync trigger users
  owlat-sync trigger users --wait
  owlat-sync trigger users --wait --review
  owlat-sync trigger users --wait --url https://sync.example.com --token-file token.txt`,
		GroupID: program.GroupSync,
		Args:    program.NeedArgs(1, 1, "the name of a sync"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("limit") && f.limit < 1 {
				return problem.Usage(errors.New("--limit must be at least 1"))
			}
			if cmd.Flags().Changed("timeout") && (!f.wait || f.timeout <= 0) {
				return problem.Usage(errors.New("--timeout must be above 0, and goes with --wait"))
			}
			return trigger(cmd.Context(), a, args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.wait, "wait", false, "wait for the end of the run")
	flags.DurationVar(&f.timeout, "timeout", 0, "with --wait: wait at most this `time`, such as 30m; the run goes on")
	flags.StringVar(&f.url, "url", "", "`address` of the service; the environment variable "+caller.EnvURL+" can name it too")
	flags.StringVar(&f.tokenFile, "token-file", "", "`file` with the token; the environment variable "+caller.EnvToken+" can hold it too")
	flags.BoolVar(&f.full, "full", false, "read all rows, first list all contacts in Owlat, and set right what was changed there")
	flags.StringArrayVar(&f.only, "only", nil, "apply only the row with this `key` (repeatable)")
	flags.IntVar(&f.limit, "limit", 0, "apply at most this `number` of rows")
	flags.BoolVar(&f.review, "review", false, "hold the run with whatever it plans, and send nothing until it is approved")
	return cmd
}

// theService returns a caller of the service that the flags, the environment or the configuration name.
func theService(a *program.App, url, tokenFile string) (*caller.Caller, error) {
	token, _ := a.LookupEnv(caller.EnvToken)
	if tokenFile != "" {
		text, err := os.ReadFile(tokenFile)
		if err != nil {
			return nil, problem.Usage(fmt.Errorf("--token-file: %w", err))
		}
		token = string(text)
	}
	if url == "" {
		url, _ = a.LookupEnv(caller.EnvURL)
	}
	deployment := a.Deployment
	if url == "" {
		cfg, err := a.LoadConfig(config.UseService)
		if errors.Is(err, config.ErrWhich) {
			return nil, err
		}
		if err != nil {
			return nil, problem.Hint(err, "--url or %s names a service without a configuration file", caller.EnvURL)
		}
		url, deployment = caller.URL(cfg.Service), cfg.Name
	}
	c, err := caller.New(url, strings.TrimSpace(token), a.UserAgent())
	if err != nil {
		return nil, err
	}
	return c.In(deployment), nil
}

func trigger(ctx context.Context, a *program.App, sync string, f triggerFlags) error {
	service, err := theService(a, f.url, f.tokenFile)
	if err != nil {
		return err
	}
	defer service.Close()
	run, err := service.Trigger(ctx, sync, caller.Asked{Full: f.full, Only: f.only, Limit: f.limit, Review: f.review})
	if err != nil {
		return err
	}
	if !f.wait {
		if a.JSON {
			return a.PrintJSON(struct {
				Type string `json:"type"`
				Sync string `json:"sync"`
				Run  int64  `json:"run"`
			}{"queued", sync, run})
		}
		a.Printf("Run %d of %s is queued.\n", run, sync)
		if f.review {
			a.Printf("It sends nothing. If there is anything to send, it is held with its plan.\n%s\n", decide(a, run, sync))
		}
		return nil
	}
	a.Notef("Run %d of %s is queued; waiting for its end.\n", run, sync)
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	r, err := service.Wait(ctx, run)
	if err != nil {
		return err
	}
	if a.JSON {
		a.Printf("%s\n", r.Raw)
	} else {
		a.Printf("%s\n", r)
		switch {
		case r.Status == ledger.StatusHeld:
			a.Printf("%s\n", decide(a, run, sync))
		case f.review && r.Status == ledger.StatusOK:
			a.Printf("There is nothing to send, so nothing waits for you.\n")
		}
	}
	if code := r.Code(); code != exitcode.OK {
		return problem.Told(code)
	}
	return nil
}

// decide says what to do about a held run.
func decide(a *program.App, run int64, sync string) string {
	return fmt.Sprintf("\"%s\" shows the plan, \"%s\" applies it, \"%s\" drops it.",
		a.Typed().Command("plan", sync), a.Typed().Command(fmt.Sprintf("approve %d", run), sync), a.Typed().Command(fmt.Sprintf("dismiss %d", run), ""))
}
