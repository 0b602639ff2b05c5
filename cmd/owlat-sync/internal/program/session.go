package main

import (
	"context"
	"errors"
	"fmt"

	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/problem"
	"owlatsync/internal/setup"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// opener returns the opener of this program, with its drivers.
func (a *app) opener() setup.Opener {
	return setup.Opener{Drivers: drivers(), Stdin: a.stdin, UserAgent: "owlat-sync/" + readVersion().Version, Logger: a.logger}
}

// reader is the opener for commands that write nothing to the ledger.
func (a *app) reader() setup.Opener {
	o := a.opener()
	o.Reads = true
	return o
}

// withLedger calls do with the ledger, for commands that need neither Owlat nor a source.
func (a *app) withLedger(ctx context.Context, cfg *config.Config, do func(setup.Ledger) error) error {
	return a.opener().WithLedger(ctx, cfg, do)
}

// needLedger returns an error if there is no ledger.
func (a *app) needLedger() error {
	cfg, err := a.loadConfig(config.UseLedger)
	if err != nil {
		return err
	}
	return setup.NeedLedger(cfg)
}

// withSession opens what syncs need, and calls do with the selected syncs.
func (a *app) withSession(ctx context.Context, do func(*setup.Session, []config.Sync) error) error {
	return a.withSessionFor(ctx, config.UseAll, do)
}

// withReading is withSessionFor for commands that write nothing to the ledger.
func (a *app) withReading(ctx context.Context, use config.Use, do func(*setup.Session, []config.Sync) error) error {
	return a.withSessionOf(ctx, a.reader(), use, do)
}

// withSessionFor is withSession for commands that use only a part of the configuration.
func (a *app) withSessionFor(ctx context.Context, use config.Use, do func(*setup.Session, []config.Sync) error) error {
	return a.withSessionOf(ctx, a.opener(), use, do)
}

func (a *app) withSessionOf(ctx context.Context, opener setup.Opener, use config.Use, do func(*setup.Session, []config.Sync) error) (err error) {
	cfg, syncs, err := a.loadSyncs(use)
	if err != nil {
		return err
	}
	s, err := opener.Open(ctx, cfg, use)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return do(s, syncs)
}

// eachSync calls do for each sync of a session. After a failure the other syncs follow, unless they would fail in the same way.
func (a *app) eachSync(s *setup.Session, syncs []config.Sync, do func(config.Sync) error) problem.Several {
	var failed problem.Several
	for _, sync := range syncs {
		if err := do(sync); err != nil {
			failed = append(failed, a.explainError(s.Config, sync.Name, err))
			if setup.EndsAll(err) {
				break
			}
		}
	}
	return failed
}

// explainError adds the name of the sync and a hint to an error. An error without a sync has an empty name.
func (a *app) explainError(cfg *config.Config, sync string, err error) error {
	if problem.WasTold(err) {
		return err
	}
	if errors.Is(err, context.Canceled) {
		err = exitcode.With(exitcode.Interrupted, errors.New("aborted; what Owlat has confirmed is recorded, the next run goes on from there"))
	}
	if sync != "" {
		err = fmt.Errorf("sync %q: %w", sync, err)
	}
	if _, elsewhere := errors.AsType[*ledger.DeploymentError](err); elsewhere {
		return a.explainElsewhere(cfg, err)
	}
	if broken, ok := errors.AsType[*reconcile.SourceError](err); ok && broken.Rows == 0 && cfg.Sync(sync) != nil {
		return problem.Hint(err, "look at the source of this sync in %s, from line %d on; \"%s\" tests it", a.configPath, cfg.Sync(sync).Line, a.typed().Command("check", sync))
	}
	return setup.Advise(err, cfg.Owlat)
}

// explainElsewhere adds what to do if the ledger belongs to another deployment, such as a sandbox that was tried first.
func (a *app) explainElsewhere(cfg *config.Config, err error) error {
	from := ""
	if _, set := a.lookupEnv(config.EnvURL); set {
		from = fmt.Sprintf(" (the address comes from the variable %s)", config.EnvURL)
	}
	return problem.Hint(err, "to go on with this deployment%s, name another file as \"ledger\" in %s, or move %s away if it was a trial's",
		from, a.configPath, cfg.Ledger)
}
