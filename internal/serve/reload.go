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
	"owlatsync/internal/sourcedsn"
)

// ErrRestart is matched by the error about a setting that cannot change while the service runs.
var ErrRestart = errors.New("this setting only changes with a restart")

// restartFor returns the error about settings that cannot change while the service runs.
func restartFor(settings ...string) error {
	return fmt.Errorf("%s: %w", strings.Join(settings, ", "), ErrRestart)
}

// check refuses what only a command that runs once can do.
func check(set *config.Set) error {
	var wrong problem.Several
	if set.NoService != nil {
		wrong = append(wrong, set.NoService)
	}
	if !set.Several {
		wrong = append(wrong, unfit(set.Deployments[0])...)
	}
	return problem.Usage(wrong.Err())
}

// unfit returns what of a deployment's configuration only a command that runs once can do.
func unfit(cfg *config.Config) (wrong problem.Several) {
	if cfg.NoService != nil {
		wrong = append(wrong, cfg.NoService)
	}
	for _, s := range cfg.Syncs {
		if s.Target.Path() == sourcedsn.Stdin {
			wrong = append(wrong, fmt.Errorf("sync %q, from line %d on: a service cannot read its standard input again and again; name a file", s.Name, s.Line))
		}
	}
	return wrong
}

// changed are settings of which some differ.
type changed []struct {
	name string
	same bool
}

func (c changed) names() (all []string) {
	for _, s := range c {
		if !s.same {
			all = append(all, s.name)
		}
	}
	return all
}

// fixed returns the settings of a deployment in which its home cannot go over from one configuration to the other.
func fixed(before, now *config.Config) []string {
	return changed{
		{"owlat.url", before.Owlat.URL == now.Owlat.URL},
		{"owlat.api_key", before.Owlat.APIKey == now.Owlat.APIKey},
		{"owlat.requests_per_second", before.Owlat.RequestsPerSecond == now.Owlat.RequestsPerSecond},
		{"ledger", before.Ledger == now.Ledger},
		{"history_days", before.History == now.History},
	}.names()
}

// turnover makes the service go over to another configuration.
type turnover struct{ *service }

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
		s.log.Info("the configuration was taken over", "syncs", s.syncs())
		status = s.statusLine()
	}
	s.doors.only.Hub().Publish(events.Event{Kind: events.Reload, Data: told})
	if err := s.notify.tell("READY=1", status); err != nil {
		s.log.Warn("systemd does not know that the configuration was read again", "error", err)
	}
}

func (s turnover) reloaded(ctx context.Context) error {
	set, err := s.o.Reload()
	if err != nil {
		return err
	}
	before := s.config()
	settings := changed{
		{"deployments", before.Several == set.Several},
		{"serve.log_format", before.Service.LogJSON == set.Service.LogJSON},
	}.names()
	if !set.Several && !before.Several {
		settings = append(fixed(before.Deployments[0], set.Deployments[0]), settings...)
	}
	if len(settings) > 0 {
		return errors.Join(check(set), restartFor(settings...))
	}
	if err := check(set); err != nil {
		return err
	}
	n, err := s.way.Prepare(ctx, s.doors.only, set.Deployments[0])
	if err != nil {
		return err
	}
	doors, err := s.front.prepare(ctx, before.Service, set.Service)
	if err == nil && !reflect.DeepEqual(before.Service.TLS, set.Service.TLS) {
		if err = s.front.certificate.Replace(set.Service.TLS); err != nil {
			doors.drop()
		}
	}
	if err != nil {
		return errors.Join(err, n.Drop())
	}
	s.mu.Lock()
	s.set = set
	s.mu.Unlock()
	s.gate.Replace(set.Service.Tokens, set.Service.Proxies)
	if err := n.Take(context.WithoutCancel(ctx)); err != nil {
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
