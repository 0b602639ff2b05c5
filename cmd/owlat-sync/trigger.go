package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/problem"
	"owlatsync/ledger"
)

// The environment variables for programs that ask a service.
const (
	envServiceURL   = "OWLAT_SYNC_URL"
	envServiceToken = "OWLAT_SYNC_TOKEN"
)

type triggerFlags struct {
	url       string
	tokenFile string
	wait      bool
	timeout   time.Duration
	full      bool
	only      []string
	limit     int
}

func newTriggerCmd(a *app) *cobra.Command {
	var f triggerFlags
	cmd := &cobra.Command{
		Use:   "trigger SYNC",
		Short: "Ask a service for a run, for CI, dbt and Airflow",
		Long: `Ask a service ("owlat-sync serve") for a run of a sync, and print the run's number. The run waits for
its turn. With --wait the command waits for its end, and its exit code is that of "owlat-sync run".

The service is the one of the configuration file, or the one that --url or ` + envServiceURL + ` names; then
no configuration file is needed. A service with tokens needs one of an operator, in ` + envServiceToken + ` or
in the file that --token-file names.

A run that is queued already and was asked for in the same way is not queued again. A run that a guard
holds exits with 6 and changes nothing; approve it after you have looked at it.`,
		Example: `  owlat-sync trigger users
  owlat-sync trigger users --wait
  owlat-sync trigger users --wait --url https://sync.example.com --token-file token.txt`,
		GroupID: groupSync,
		Args:    needArgs(1, 1, "the name of a sync"),
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
	flags.StringVar(&f.url, "url", "", "`address` of the service; the environment variable "+envServiceURL+" can name it too")
	flags.StringVar(&f.tokenFile, "token-file", "", "`file` with the token; the environment variable "+envServiceToken+" can hold it too")
	flags.BoolVar(&f.full, "full", false, "read all rows, first list all contacts in Owlat, and set right what was changed there")
	flags.StringArrayVar(&f.only, "only", nil, "apply only the row with this `key` (repeatable)")
	flags.IntVar(&f.limit, "limit", 0, "apply at most this `number` of rows")
	return cmd
}

// theService returns a caller of the service that the flags, the environment or the configuration name.
func theService(a *app, url, tokenFile string) (*serviceCaller, error) {
	token, _ := a.lookupEnv(envServiceToken)
	if tokenFile != "" {
		text, err := os.ReadFile(tokenFile)
		if err != nil {
			return nil, problem.Usage(fmt.Errorf("--token-file: %w", err))
		}
		token = string(text)
	}
	if url == "" {
		url, _ = a.lookupEnv(envServiceURL)
	}
	if url == "" {
		cfg, err := a.loadConfig(config.UseService)
		if err != nil {
			return nil, problem.Hint(err, "--url or %s names a service without a configuration file", envServiceURL)
		}
		url = serviceURL(cfg.Service)
	}
	return newServiceCaller(url, strings.TrimSpace(token), "owlat-sync/"+readVersion().Version)
}

// triggered is a run as the service tells it, as far as it is used here.
type triggered struct {
	Run     int64             `json:"run"`
	Sync    string            `json:"sync"`
	Status  ledger.Status     `json:"status"`
	Done    bool              `json:"done"`
	Message string            `json:"message"`
	Guards  []owlatsync.Hit   `json:"guards"`
	Report  *owlatsync.Report `json:"report"`
}

func trigger(ctx context.Context, a *app, sync string, f triggerFlags) error {
	service, err := theService(a, f.url, f.tokenFile)
	if err != nil {
		return err
	}
	defer service.close()
	asked := map[string]any{}
	if f.full {
		asked["full"] = true
	}
	if len(f.only) > 0 {
		asked["only"] = f.only
	}
	if f.limit > 0 {
		asked["limit"] = f.limit
	}
	var taken struct {
		Run int64 `json:"run"`
	}
	if err := service.post(ctx, []string{"syncs", sync, "runs"}, asked, &taken); err != nil {
		return err
	}
	if !f.wait {
		if a.JSON {
			return a.PrintJSON(struct {
				Type string `json:"type"`
				Sync string `json:"sync"`
				Run  int64  `json:"run"`
			}{"queued", sync, taken.Run})
		}
		a.Printf("Run %d of %s is queued.\n", taken.Run, sync)
		return nil
	}
	a.Notef("Run %d of %s is queued; waiting for its end.\n", taken.Run, sync)
	raw, r, err := waitForRun(ctx, service, taken.Run, f.timeout)
	if err != nil {
		return err
	}
	if a.JSON {
		a.Printf("%s\n", raw)
	} else {
		a.Printf("%s\n", endOfRun(r))
	}
	if code := codeOfRun(r); code != exitcode.OK {
		return problem.Told(code)
	}
	return nil
}

const (
	askFirst = 100 * time.Millisecond
	askMost  = 2 * time.Second
	// unreachedMost is how long a service may be gone while somebody waits, so that it can be restarted meanwhile.
	unreachedMost = 2 * time.Minute
)

// waitForRun waits for the end of a run, and returns the service's last word about it.
func waitForRun(ctx context.Context, service *serviceCaller, run int64, timeout time.Duration) (raw json.RawMessage, r triggered, err error) {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	heard := time.Now()
	for pause := askFirst; ; pause = min(pause*3/2, askMost) {
		err = service.get(ctx, []string{"runs", fmt.Sprint(run)}, &raw)
		switch {
		case err == nil:
			heard = time.Now()
			if err := json.Unmarshal(raw, &r); err != nil || r.Run != run {
				return nil, r, fmt.Errorf("the service's answer about run %d is not understood: is it another version, or another program?", run)
			}
			if r.Done {
				return raw, r, nil
			}
		case ctx.Err() != nil, errors.As(err, new(*serviceError)), time.Since(heard) > unreachedMost:
			return nil, r, stillGoing(ctx, run, err)
		}
		select {
		case <-ctx.Done():
			return nil, r, stillGoing(ctx, run, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// stillGoing says that nobody waits for a run any more.
func stillGoing(ctx context.Context, run int64, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("run %d has not ended within --timeout; it goes on", run)
	case ctx.Err() != nil:
		return exitcode.With(exitcode.Interrupted, fmt.Errorf("no longer waiting for run %d, which goes on", run))
	}
	return fmt.Errorf("while waiting for run %d: %w", run, err)
}

// codeOfRun returns the exit code that "owlat-sync run" has for such an end.
func codeOfRun(r triggered) exitcode.Code {
	switch r.Status {
	case ledger.StatusOK, ledger.StatusApproved:
		if r.Report != nil && r.Report.Spoiled() != "" {
			return exitcode.FailedRows
		}
		return exitcode.OK
	case ledger.StatusFailedRows:
		return exitcode.FailedRows
	case ledger.StatusHeld, ledger.StatusSuperseded:
		return exitcode.Held
	case ledger.StatusStopped:
		return exitcode.Refused
	case ledger.StatusInterrupted, ledger.StatusCancelled:
		return exitcode.Interrupted
	}
	return exitcode.Error
}

// endOfRun tells how a run ended.
func endOfRun(r triggered) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Run %d of %s ended: %s.", r.Run, r.Sync, r.Status)
	if r.Report != nil {
		var parts []string
		for _, o := range owlatsync.Outcomes {
			if n := r.Report.Outcomes[o]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n, o))
			}
		}
		if len(parts) > 0 {
			fmt.Fprintf(&b, " Rows: %s.", strings.Join(parts, ", "))
		}
	}
	if r.Message != "" {
		fmt.Fprintf(&b, "\n%s", r.Message)
	}
	if r.Status == ledger.StatusHeld {
		fmt.Fprintf(&b, "\n\"owlat-sync plan --sync %s\" shows the plan, \"owlat-sync approve %d\" applies it.", r.Sync, r.Run)
	}
	return b.String()
}
