package program

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

// Opener returns the opener of this program, with its drivers. It logs as --log-level says.
func (a *App) Opener() setup.Opener {
	return setup.Opener{Drivers: a.Drivers, Stdin: a.stdin, UserAgent: a.UserAgent(), Logger: a.Log, Databases: &a.databases, Line: a.line}
}

// KeepDatabases makes ledgers in one database share its connections, also one after the other, until end is called.
func (a *App) KeepDatabases() (end func()) { return a.databases.Keep() }

// Care returns what fills, moves, puts back and migrates ledgers.
func (a *App) Care() setup.Care { return setup.Care{Opener: a.Opener()} }

// Reader is the opener for commands that write nothing to the ledger.
func (a *App) Reader() setup.Opener {
	o := a.Opener()
	o.Reads = true
	return o
}

// WithLedger calls do with the ledger, for commands that need neither Owlat nor a source, and closes it after that. Without a
// ledger, its error is setup.ErrNoLedger.
func (a *App) WithLedger(ctx context.Context, cfg *config.Config, do func(setup.Ledger) error) error {
	return a.Opener().WithLedger(ctx, cfg, do)
}

// NeedLedger returns an error if the configuration cannot be read, or if it names a ledger that is not there.
func (a *App) NeedLedger(ctx context.Context) error {
	cfg, err := a.LoadConfig(config.UseLedger)
	if err != nil {
		return err
	}
	return a.Reader().Need(ctx, cfg)
}

// WithSession opens what syncs need, calls do with the syncs that --sync names, in the order of the file, and closes the session
// after that. Its error is that of do, joined with that of closing, or why do was not called.
func (a *App) WithSession(ctx context.Context, do func(*setup.Session, []config.Sync) error) error {
	return a.WithSessionFor(ctx, config.UseAll, do)
}

// WithReading is WithSessionFor for commands that write nothing to the ledger.
func (a *App) WithReading(ctx context.Context, use config.Use, do func(*setup.Session, []config.Sync) error) error {
	return a.WithSessionOf(ctx, a.Reader(), use, do)
}

// WithSessionFor is WithSession for commands that use only a part of the configuration.
func (a *App) WithSessionFor(ctx context.Context, use config.Use, do func(*setup.Session, []config.Sync) error) error {
	return a.WithSessionOf(ctx, a.Opener(), use, do)
}

// WithSessionOf is WithSessionFor with an opener that the command has changed.
func (a *App) WithSessionOf(ctx context.Context, opener setup.Opener, use config.Use, do func(*setup.Session, []config.Sync) error) (err error) {
	cfg, syncs, err := a.LoadSyncs(use)
	if err != nil {
		return err
	}
	s, err := opener.Open(ctx, cfg, use)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return do(s, resolved(s.Config, syncs))
}

// resolved returns the syncs as the session has them, with the ids of topics that are known by their names.
func resolved(cfg *config.Config, syncs []config.Sync) []config.Sync {
	out := make([]config.Sync, len(syncs))
	for i, sync := range syncs {
		out[i] = *cfg.Sync(sync.Name)
	}
	return out
}

// EachSync calls do for each sync of a session. After a failure the other syncs follow, unless they would fail in the same way.
func (a *App) EachSync(s *setup.Session, syncs []config.Sync, do func(config.Sync) error) problem.Several {
	var failed problem.Several
	for _, sync := range syncs {
		if err := do(sync); err != nil {
			failed = append(failed, a.ExplainError(s.Config, sync.Name, err))
			if setup.EndsAll(err) {
				break
			}
		}
	}
	return failed
}

// ExplainError adds the name of the sync and a hint to an error. An error without a sync has an empty name.
func (a *App) ExplainError(cfg *config.Config, sync string, err error) error {
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
		return problem.Hint(err, "look at the source of this sync in %s, from line %d on; \"%s\" tests it", a.FileOf(cfg), cfg.Sync(sync).Line, a.Typed().Command("check", sync))
	}
	return setup.Advise(err, cfg.Owlat)
}

// explainElsewhere adds what to do if the ledger belongs to another deployment, such as a sandbox that was tried first.
func (a *App) explainElsewhere(cfg *config.Config, err error) error {
	from := ""
	if _, set := a.LookupEnv(config.EnvURL); set && cfg.Name == "" {
		from = fmt.Sprintf(" (the address comes from the variable %s)", config.EnvURL)
	}
	if cfg.Ledger.Postgres() {
		return problem.Hint(err, "to go on with this deployment%s, name another schema in \"ledger\" of %s, or give the deployment another name", from, a.ConfigPath)
	}
	return problem.Hint(err, "to go on with this deployment%s, name another file as \"ledger\" in %s, or move %s away if it was a trial's",
		from, a.ConfigPath, cfg.Ledger)
}
