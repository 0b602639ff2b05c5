package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"

	"owlatsync/internal/config"
	"owlatsync/internal/events"
	"owlatsync/internal/problem"
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

// ReloadData is the data of the event that tells of a configuration which was read again.
type ReloadData struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"` // why the service stays as it was
}

// reload reads the configuration again and takes it over whole, or stays as it was.
func (s *service) reload(ctx context.Context) {
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
	s.home.Hub().Publish(events.Event{Kind: events.Reload, Data: told})
	if err := s.notify.tell("READY=1", status); err != nil {
		s.log.Warn("systemd does not know that the configuration was read again", "error", err)
	}
}

func (s *service) reloaded(ctx context.Context) error {
	cfg, err := s.o.Reload()
	if err != nil {
		return err
	}
	before := s.config()
	if err := errors.Join(check(cfg), fixed(before, cfg)); err != nil {
		return err
	}
	n, err := s.home.Prepare(ctx, cfg)
	if err != nil {
		return err
	}
	doors, err := s.front.prepare(ctx, before.Service, cfg.Service)
	if err == nil && !reflect.DeepEqual(before.Service.TLS, cfg.Service.TLS) {
		if err = s.front.certificate.Replace(cfg.Service.TLS); err != nil {
			doors.drop()
		}
	}
	if err != nil {
		return errors.Join(err, n.Close())
	}
	s.mu.Lock()
	s.cfg = cfg
	s.mu.Unlock()
	s.gate.Replace(cfg.Service.Tokens, cfg.Service.Proxies)
	if err := s.home.Take(context.WithoutCancel(ctx), n); err != nil {
		s.log.Warn("something of the old configuration is left", "error", err) // what is new holds all the same
	}
	s.front.replace(context.WithoutCancel(ctx), doors)
	return nil
}

// hintOf returns what the log says about what to do, nothing if the error does not know.
func hintOf(err error) slog.Attr {
	if hint := problem.HintOf(err); hint != "" {
		return slog.String("hint", hint)
	}
	return slog.Attr{}
}
