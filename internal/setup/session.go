package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/ledger"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

// session is what the syncs of one command share: the deployment, its budget and the ledger.
type session struct {
	app    *app
	cfg    *config.Config
	client *owlat.Client
	meter  *reconcile.Meter
	ledger *sqlite.Ledger
	unsent *unsent // nil: there is an API key
}

// withSession opens what syncs need and does something with the selected ones.
func (a *app) withSession(ctx context.Context, do func(context.Context, *session, []config.Sync) error) error {
	return a.withSessionFor(ctx, config.UseAll, do)
}

// withSessionFor is withSession for what uses only so much of the configuration. Without the deployment there is no client;
// with the deployment but without a key, the client sends nothing.
func (a *app) withSessionFor(ctx context.Context, use config.Use, do func(context.Context, *session, []config.Sync) error) (err error) {
	cfg, err := a.loadConfig(use)
	if err != nil {
		return err
	}
	syncs, err := a.selectSyncs(cfg)
	if err != nil {
		return err
	}
	s := &session{app: a, cfg: cfg, meter: &reconcile.Meter{}}
	if use&config.UseURL != 0 {
		if s.client, err = s.connect(); err != nil {
			return err
		}
		defer s.client.CloseIdleConnections()
	}
	if s.ledger, err = openLedger(ctx, cfg.Ledger); err != nil {
		return err
	}
	defer func() {
		if closeErr := s.ledger.Close(); closeErr != nil {
			err = errors.Join(err, fmt.Errorf("close the ledger: %w", closeErr))
		}
	}()
	return do(ctx, s, syncs)
}

// connect returns the client of the session.
func (s *session) connect() (*owlat.Client, error) {
	observe := owlat.WithObserver(s.meter.Observe)
	if s.cfg.Owlat.NoKey == nil {
		return s.app.newClient(s.cfg.Owlat, observe)
	}
	o := s.cfg.Owlat
	o.APIKey = config.NoKey
	s.unsent = &unsent{why: o.NoKey}
	return s.app.newClient(o, observe, owlat.WithTransport(s.unsent), owlat.WithRetries(0))
}

// unsent is what a client sends its requests to where there is no API key.
type unsent struct {
	why   error
	asked atomic.Bool // a request was to be sent
}

// RoundTrip refuses the request.
func (u *unsent) RoundTrip(*http.Request) (*http.Response, error) {
	u.asked.Store(true)
	return nil, u.why
}

// missed returns why there is no API key, if a request would have needed one.
func (s *session) missed() error {
	if s.unsent == nil || !s.unsent.asked.Load() {
		return nil
	}
	return usageError(s.unsent.why)
}

// eachSync opens what syncs need and does something for each selected one.
func (a *app) eachSync(ctx context.Context, do func(context.Context, *session, config.Sync) error) error {
	return a.eachSyncFor(ctx, config.UseAll, do)
}

// eachSyncFor is eachSync for what uses only so much of the configuration.
func (a *app) eachSyncFor(ctx context.Context, use config.Use, do func(context.Context, *session, config.Sync) error) error {
	return a.withSessionFor(ctx, use, func(ctx context.Context, s *session, syncs []config.Sync) error {
		return s.each(ctx, syncs, do).err()
	})
}

// each does something for each sync. One that fails does not keep the others from their turn, unless they would meet the
// same.
func (s *session) each(ctx context.Context, syncs []config.Sync, do func(context.Context, *session, config.Sync) error) severalErrors {
	var failed severalErrors
	for _, sync := range syncs {
		if err := do(ctx, s, sync); err != nil {
			failed = append(failed, s.explain(sync.Name, err))
			if endsAll(err) {
				break
			}
		}
	}
	return failed
}

// explain puts the name of the sync, if it is one's own, before its error, and behind it what to do.
func (s *session) explain(sync string, err error) error {
	if _, shown := errors.AsType[quietError](err); shown {
		return err
	}
	if errors.Is(err, context.Canceled) {
		err = exitcode.With(exitcode.Interrupted, errors.New("aborted; what Owlat has confirmed is recorded, the next run goes on from there"))
	}
	if sync != "" {
		err = fmt.Errorf("sync %q: %w", sync, err)
	}
	if _, elsewhere := errors.AsType[*ledger.DeploymentError](err); elsewhere {
		return s.explainElsewhere(err)
	}
	if broken, ok := errors.AsType[*reconcile.SourceError](err); ok && broken.Rows == 0 && s.cfg.Sync(sync) != nil {
		return withHint(err, "look at the source of this sync in %s, from line %d on; \"%s\" tests it", s.app.configPath, s.cfg.Sync(sync).Line, s.app.command("check", sync))
	}
	return explainOwlat(err, s.cfg.Owlat)
}

// explainElsewhere adds what to do where the ledger is that of another deployment, such as of a sandbox that was tried first.
func (s *session) explainElsewhere(err error) error {
	from := ""
	if _, set := s.app.lookupEnv(config.EnvURL); set {
		from = fmt.Sprintf(" (the address comes from the variable %s)", config.EnvURL)
	}
	return withHint(err, "to go on with this deployment%s, name another file as \"ledger\" in %s, or move %s away if it was a trial's",
		from, s.app.configPath, s.cfg.Ledger)
}

// endsAll reports whether what ended a sync would end the next one too.
func endsAll(err error) bool {
	if _, wrong := errors.AsType[*ledger.DeploymentError](err); wrong || errors.Is(err, reconcile.ErrUnavailable) {
		return true
	}
	switch exitcode.Of(err) {
	case exitcode.Refused, exitcode.Locked, exitcode.Interrupted:
		return true
	}
	return errors.Is(err, owlat.ErrNoRoute)
}

// withEngine opens the source of a sync and hands over an engine for it.
func (s *session) withEngine(sync config.Sync, observe func(reconcile.Progress), do func(*reconcile.Engine, reconcile.Sync) error) (err error) {
	src, closeSource, err := openSource(sync)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSource()) }()
	return do(s.engine(observe), sync.Reconcile(src))
}

// engine returns an engine that tells observe what it does.
func (s *session) engine(observe func(reconcile.Progress)) *reconcile.Engine {
	return reconcile.New(s.client, s.ledger, reconcile.Options{
		Logger: s.app.logger, Meter: s.meter, Observe: observe,
	})
}

// severalErrors are the errors of several syncs, each printed on lines of its own.
type severalErrors []error

func (e severalErrors) err() error {
	switch len(e) {
	case 0:
		return nil
	case 1:
		return e[0]
	}
	return exitcode.With(e.code(), e)
}

// code is the exit code of the error that a caller must know of first.
func (e severalErrors) code() exitcode.Code {
	for _, code := range []exitcode.Code{
		exitcode.Interrupted, exitcode.Refused, exitcode.Locked, exitcode.Usage, exitcode.Error, exitcode.Held,
	} {
		for _, err := range e {
			if exitcode.Of(err) == code {
				return code
			}
		}
	}
	return exitcode.FailedRows
}

func (e severalErrors) Error() string { return errors.Join(e...).Error() }

// Unwrap returns the errors.
func (e severalErrors) Unwrap() []error { return e }

// jsonLine encodes v, which holds nothing that cannot be encoded, as one line that is read by people too.
func jsonLine(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return b.Bytes()
}
