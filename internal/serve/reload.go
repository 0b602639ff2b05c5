package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"owlatsync/internal/alert"
	"owlatsync/internal/config"
	"owlatsync/internal/events"
	"owlatsync/internal/feedback"
	"owlatsync/internal/problem"
	"owlatsync/internal/schedule"
	"owlatsync/internal/setup"
	"owlatsync/internal/writeback"
)

// ErrRestart is matched by the error about a setting that cannot change while the service runs.
var ErrRestart = errors.New("this setting only changes with a restart")

// restartFor returns the error about settings that cannot change while the service runs.
func restartFor(settings ...string) error {
	return fmt.Errorf("%s: %w", strings.Join(settings, ", "), ErrRestart)
}

// fixed returns why the service cannot go over from one configuration to the other; nil: it can.
func fixed(before, now *config.Config) error {
	var settings []string
	for _, s := range []struct {
		name string
		same bool
	}{
		{"owlat.url", before.Owlat.URL == now.Owlat.URL},
		{"owlat.api_key", before.Owlat.APIKey == now.Owlat.APIKey},
		{"owlat.requests_per_second", before.Owlat.RequestsPerSecond == now.Owlat.RequestsPerSecond},
		{"ledger", before.Ledger == now.Ledger},
		{"history_days", before.History == now.History},
		{"serve.log_format", before.Service.LogJSON == now.Service.LogJSON},
	} {
		if !s.same {
			settings = append(settings, s.name)
		}
	}
	if len(settings) > 0 {
		return restartFor(settings...)
	}
	return nil
}

// next is a configuration that the service can go over to: everything that can fail was done.
type next struct {
	cfg     *config.Config
	entries []schedule.Entry
	targets []writeback.Target
	hooks   http.Handler
	subs    []alert.Subscription
	doors   doors
}

// turnover makes the service go over to another configuration.
type turnover struct{ *service }

// prepare does all of a configuration that can fail.
func (s turnover) prepare(ctx context.Context, cfg *config.Config) (n *next, err error) {
	n = &next{cfg: cfg}
	if n.entries, err = timetable(ctx, s.session.Ledger, cfg.Syncs); err != nil {
		return nil, problem.Usage(err)
	}
	if n.hooks, err = s.receiver(cfg); err != nil {
		return nil, problem.Usage(err)
	}
	if n.subs, err = alert.Channels(cfg.Alerts, alert.Means{Owlat: s.session.Client, Agent: s.o.Opener.UserAgent}); err != nil {
		return nil, problem.Usage(err)
	}
	if n.targets, err = s.o.Opener.WriteBacks(cfg); err != nil {
		return nil, err
	}
	if err = checkTargets(ctx, n.targets, s.log); err != nil {
		return nil, problem.Usage(errors.Join(err, setup.CloseTargets(n.targets)))
	}
	return n, nil
}

// receiver returns the handler of webhooks.
func (s turnover) receiver(cfg *config.Config) (http.Handler, error) {
	if len(cfg.Webhooks.Secrets) == 0 {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "webhooks are not taken in here: the configuration has no webhooks.secrets", http.StatusNotFound)
		}), nil
	}
	o := feedback.Options{MaxAge: cfg.Webhooks.MaxAge, Logger: s.log, Told: ears(s).heard}
	for _, secret := range cfg.Webhooks.Secrets {
		o.Secrets = append(o.Secrets, secret.Reveal())
	}
	for _, w := range cfg.WriteBacks {
		o.Routes = append(o.Routes, feedback.Route{Target: w.Name, On: w.On})
	}
	return feedback.NewReceiver(s.session.Ledger, o)
}

// take goes over to a configuration that was prepared.
func (s turnover) take(ctx context.Context, n *next) error {
	s.mu.Lock()
	s.cfg = n.cfg
	s.mu.Unlock()
	names := n.cfg.Names()
	if idle := asleep(n.cfg.Syncs); len(idle) > 0 {
		s.log.Warn("a sync without schedule, listen and poll runs only when somebody asks for it", "syncs", strings.Join(idle, ", "))
	}
	s.gate.Replace(n.cfg.Service.Tokens, n.cfg.Service.Proxies)
	s.metrics.Know(names...)
	s.vitals.Set(n.cfg.Syncs, time.Now())
	s.alerts.Set(n.subs, n.cfg.Service.URL)
	s.hooks.put(n.hooks)
	return errors.Join(s.outbox.replace(n.targets), s.syncs.set(ctx, n.cfg.Syncs, n.entries), s.session.KeepSources(woken(n.cfg.Syncs)), s.waker.Set(n.cfg.Syncs))
}

// woken returns the syncs that their sources wake: their runs must begin at once.
func woken(all []config.Sync) (some []config.Sync) {
	for _, s := range all {
		if s.Listen != "" || s.Poll > 0 {
			some = append(some, s)
		}
	}
	return some
}

// asleep returns the names of the syncs that nothing runs by itself.
func asleep(all []config.Sync) (names []string) {
	for _, s := range all {
		if !s.RunsByItself() {
			names = append(names, s.Name)
		}
	}
	return names
}

// ReloadData is the data of the event that tells of a configuration which was read again.
type ReloadData struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"` // why the service stays as it was
}

// reload reads the configuration again and takes it over whole, or stays as it was.
func (s turnover) reload(ctx context.Context) {
	if err := s.notify.tell("RELOADING=1"); err != nil {
		s.log.Warn("systemd does not know that the configuration is read again", "error", err)
	}
	told := ReloadData{OK: true}
	status := ""
	if err := s.reloaded(ctx); err != nil {
		told = ReloadData{Error: err.Error()}
		s.log.Error("the configuration was not taken over; the service goes on with the one before", "error", err, hintOf(err))
		status = "STATUS=goes on with its old configuration: " + strings.Join(strings.Fields(err.Error()), " ")
	} else {
		s.log.Info("the configuration was taken over", "syncs", len(s.config().Syncs))
		status = s.statusLine()
	}
	s.hub.Publish(events.Event{Kind: events.Reload, Data: told})
	if err := s.notify.tell("READY=1", status); err != nil {
		s.log.Warn("systemd does not know that the configuration was read again", "error", err)
	}
}

func (s turnover) reloaded(ctx context.Context) error {
	cfg, err := s.o.Reload()
	if err != nil {
		return err
	}
	before := s.config()
	if err := errors.Join(check(cfg), fixed(before, cfg)); err != nil {
		return err
	}
	n, err := s.prepare(ctx, cfg)
	if err != nil {
		return err
	}
	if n.doors, err = s.front.prepare(ctx, before.Service, cfg.Service); err == nil && !reflect.DeepEqual(before.Service.TLS, cfg.Service.TLS) {
		if err = s.front.certificate.Replace(cfg.Service.TLS); err != nil {
			n.doors.drop()
		}
	}
	if err != nil {
		return errors.Join(err, setup.CloseTargets(n.targets))
	}
	if err := s.take(context.WithoutCancel(ctx), n); err != nil {
		s.log.Warn("something of the old configuration is left", "error", err) // what is new holds all the same
	}
	s.front.replace(context.WithoutCancel(ctx), n.doors)
	return nil
}
