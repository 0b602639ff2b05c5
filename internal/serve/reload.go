package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"

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
		{"owlat.api_key", before.Owlat.APIKey == now.Owlat.APIKey || len(before.Owlat.MoreKeys)+len(now.Owlat.MoreKeys) > 0},
		{"owlat.api_keys", slices.Equal(before.Owlat.Keys(), now.Owlat.Keys()) || len(before.Owlat.MoreKeys)+len(now.Owlat.MoreKeys) == 0},
		{"owlat.requests_per_second", before.Owlat.RequestsPerSecond == now.Owlat.RequestsPerSecond},
		{"owlat.unsubscribe_secret", before.Owlat.UnsubscribeSecret == now.Owlat.UnsubscribeSecret},
		{"owlat.preferences_per_second", before.Owlat.PreferencesPerSecond == now.Owlat.PreferencesPerSecond},
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

// reload reads the configuration again and takes it over, or stays as it was. Of several deployments, each goes over to its own part whole,
// or stays as it was.
func (s turnover) reload(ctx context.Context) {
	if err := s.notify.tell("RELOADING=1"); err != nil {
		s.log.Warn("systemd does not know that the configuration is read again", "error", err)
	}
	status := ""
	stay, err := s.reloaded(ctx)
	if err != nil {
		s.log.Error("the configuration was not taken over; the service goes on with the one before", "error", err, hintOf(err))
		status = "STATUS=goes on with its old configuration: " + strings.Join(strings.Fields(err.Error()), " ")
	} else {
		s.log.Info("the configuration was taken over", s.size()...)
		status = s.statusLine()
	}
	for name, p := range s.directory.all() {
		told := ReloadData{OK: true}
		why := cmp.Or(err, stay[name])
		p.Stays(why)
		if why != nil {
			told = ReloadData{Error: why.Error()}
		}
		p.Hub().Publish(events.Event{Kind: events.Reload, Data: told})
	}
	if err := s.notify.tell("READY=1", status); err != nil {
		s.log.Warn("systemd does not know that the configuration was read again", "error", err)
	}
}

// step is what a reload does with one deployment that is open.
type step struct {
	*place
	cfg  *config.Config // nil: it goes
	next Next           // nil: it is opened anew
}

// reloaded takes the configuration over. It returns the deployments that stay as they were, with the reasons; or an error, and everything
// stays.
func (s turnover) reloaded(ctx context.Context) (stay map[string]error, err error) {
	set, err := s.o.Reload()
	if err != nil {
		return nil, err
	}
	s.moves.Wait()
	before := s.config()
	if err := check(set); err != nil {
		return nil, err
	}
	settings := changed{
		{"deployments", before.Several == set.Several},
		{"ledger", !set.Several || before.Ledger == set.Ledger},
		{"serve.log_format", before.Service.LogJSON == set.Service.LogJSON},
	}.names()
	if !set.Several && !before.Several {
		settings = append(fixed(before.Deployments[0], set.Deployments[0]), settings...)
	}
	if len(settings) > 0 {
		return nil, restartFor(settings...)
	}
	steps, stay, err := s.prepare(ctx, set)
	if err != nil {
		return nil, err
	}
	doors, err := s.front.prepare(ctx, before.Service, set.Service, isOpen(set))
	if err == nil && !reflect.DeepEqual(before.Service.TLS, set.Service.TLS) {
		if err = s.front.certificate.Replace(set.Service.TLS); err != nil {
			doors.drop()
		}
	}
	if err != nil {
		for _, one := range steps {
			if one.next != nil {
				err = errors.Join(err, one.next.Drop())
			}
		}
		return nil, err
	}
	ctx = context.WithoutCancel(ctx)
	s.mu.Lock()
	s.set = set
	s.mu.Unlock()
	s.admit(set)
	s.take(ctx, steps)
	s.openNew(ctx, set)
	s.front.replace(ctx, doors)
	return stay, nil
}

// prepare does all of a configuration that can fail. What fails with one of several deployments is told, and leaves that one as it was.
func (s turnover) prepare(ctx context.Context, set *config.Set) (steps []step, stay map[string]error, err error) {
	now := make(map[string]*config.Config, len(set.Deployments))
	for _, cfg := range set.Deployments {
		now[cfg.Name] = cfg
	}
	stay = make(map[string]error)
	var mu sync.Mutex
	add := func(one step) {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, one)
	}
	fail := func(name string, err error) {
		s.log.Error("a deployment stays as it was; the others go on", "deployment", name, "error", err, hintOf(err))
		mu.Lock()
		defer mu.Unlock()
		stay[name] = err
	}
	var alter []*config.Config
	for name, p := range s.directory.all() {
		switch cfg, wrong := now[name], set.Broken[name]; {
		case wrong != nil:
			fail(name, wrong)
		case cfg == nil:
			add(step{place: p})
		case !reflect.DeepEqual(cfg, p.Config()):
			alter = append(alter, cfg)
		}
	}
	each(len(alter), func(i int) {
		cfg := alter[i]
		p := s.directory.at(cfg.Name)
		one := step{place: p, cfg: cfg}
		wrong := problem.Usage(unfit(cfg).Err())
		if wrong == nil && len(fixed(p.Config(), cfg)) == 0 {
			one.next, wrong = s.way.Prepare(ctx, p.Deployment, cfg)
		}
		switch {
		case wrong == nil:
			add(one)
		case set.Several:
			fail(cfg.Name, wrong)
		default:
			mu.Lock()
			defer mu.Unlock()
			err = wrong
		}
	})
	return steps, stay, err
}

// errMoves is why a deployment is not open for a while.
var errMoves = errors.New("it is being opened anew, with another key, address, pace or history")

// take does what was prepared. Deployments that go or are opened anew do so by the way.
func (s turnover) take(ctx context.Context, steps []step) {
	for _, one := range steps {
		if one.next != nil {
			if err := one.next.Take(ctx); err != nil {
				s.log.Warn("something of the old configuration is left", "error", err) // what is new holds all the same
			}
			continue
		}
		name := one.Name()
		if one.cfg != nil {
			s.directory.lack(name, errMoves)
		} else {
			s.directory.drop(name)
		}
		s.moves.Go(func() { s.move(ctx, one) })
	}
}

// move ends the work for a deployment, and opens it anew if it has a configuration.
func (s turnover) move(ctx context.Context, one step) {
	name := one.Name()
	within, cancel := context.WithTimeout(ctx, s.config().Service.StopWithin)
	defer cancel()
	if err := errors.Join(s.way.Shut(within, one.Deployment), one.release()); err != nil {
		s.log.Warn("a deployment did not end as it should", "deployment", name, "error", err)
	}
	if one.cfg == nil {
		s.metrics.Forget(name)
		s.log.Info("a deployment is gone", "deployment", name)
		return
	}
	if s.stopping.Load() {
		return
	}
	s.add(ctx, one.cfg)
}

// openNew opens the deployments of a configuration that are not open, and tells which cannot be.
func (s turnover) openNew(ctx context.Context, set *config.Set) {
	for _, name := range s.directory.Names() { // those that were left out, and are no more
		if _, err := s.directory.Find(name); err != nil && !errors.Is(err, errMoves) && !slices.Contains(set.Names(), name) {
			s.outcries.still(name)
			s.directory.drop(name)
		}
	}
	for name, err := range set.Broken {
		if s.directory.at(name) == nil {
			s.leaveOut(set, name, set.Alerts[name], err)
		}
	}
	each(len(set.Deployments), func(i int) {
		cfg := set.Deployments[i]
		if _, err := s.directory.Find(cfg.Name); err != nil && !errors.Is(err, errMoves) {
			s.add(ctx, cfg)
		}
	})
}

// add opens a deployment of several.
func (s turnover) add(ctx context.Context, cfg *config.Config) {
	s.outcries.still(cfg.Name) // it goes on with what was told
	p, err := s.openOne(ctx, cfg)
	if err != nil {
		s.leaveOut(s.config(), cfg.Name, cfg.Alerts, err)
		return
	}
	s.directory.put(p)
	s.log.Info("a deployment is open", "deployment", cfg.Name)
}

// hintOf returns what the log says about what to do, nothing if the error does not know.
func hintOf(err error) slog.Attr {
	if hint := problem.HintOf(err); hint != "" {
		return slog.String("hint", hint)
	}
	return slog.Attr{}
}
