package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync/internal/config"
	"owlatsync/owlat"
)

// loadConfig reads the configuration file that --config names, for a command that uses so much of it.
func (a *app) loadConfig(use config.Use) (*config.Config, error) {
	cfg, err := config.Load(a.configPath, use, a.lookupEnv)
	switch {
	case err == nil:
		return cfg, nil
	case errors.Is(err, config.ErrNoFile):
		err = withHint(err, "\"owlat-sync init DSN\" looks at your database and writes one; --config FILE names another")
	}
	return nil, usageError(err)
}

// loadOwlat reads how to reach the deployment, for commands that need no sync: from the configuration file, or from the
// environment alone where there is no file and none was asked for.
func (a *app) loadOwlat(cmd *cobra.Command) (*config.Config, error) {
	cfg, err := config.Load(a.configPath, config.UseKey|config.UseURL, a.lookupEnv)
	if errors.Is(err, config.ErrNoFile) && !cmd.Flags().Changed("config") && a.env[envConfig] == "" {
		if cfg, envErr := config.FromEnvironment(a.lookupEnv); envErr == nil {
			return cfg, nil
		}
		err = withHint(err, "set %s and %s, or name a configuration file with --config", config.EnvURL, config.EnvAPIKey)
	}
	if err != nil {
		return nil, usageError(err)
	}
	return cfg, nil
}

// selectSyncs returns the syncs that --sync names, in the order of the file; all when it names none.
func (a *app) selectSyncs(cfg *config.Config) ([]config.Sync, error) {
	if len(a.syncs) == 0 {
		return cfg.Syncs, nil
	}
	wanted := make(map[string]bool, len(a.syncs))
	for _, name := range a.syncs {
		if cfg.Sync(name) == nil {
			return nil, usageError(fmt.Errorf("there is no sync %q in %s; it has: %s", name, a.configPath, strings.Join(cfg.Names(), ", ")))
		}
		wanted[name] = true
	}
	var selected []config.Sync
	for _, s := range cfg.Syncs {
		if wanted[s.Name] {
			selected = append(selected, s)
		}
	}
	return selected, nil
}

// newLimiter returns the limiter of the configured budget: what Owlat allows, or less if the configuration says so.
func newLimiter(o config.Owlat) *owlat.Limiter {
	if o.RequestsPerSecond == 0 {
		return owlat.NewAutoLimiter()
	}
	const seconds = float64(owlat.DefaultBurst) / owlat.DefaultRate
	return owlat.NewLimiter(o.RequestsPerSecond, max(1, int(seconds*o.RequestsPerSecond)))
}

// newClient returns a client of the configured deployment. It sends nothing.
func (a *app) newClient(o config.Owlat, opts ...owlat.Option) (*owlat.Client, error) {
	all := append([]owlat.Option{
		owlat.WithLimiter(newLimiter(o)),
		owlat.WithUserAgent("owlat-sync/" + readVersion().Version),
		owlat.WithLogger(a.logger),
	}, opts...)
	client, err := owlat.NewClient(o.URL, o.APIKey.Reveal(), all...)
	if err != nil {
		return nil, usageError(err)
	}
	return client, nil
}

// explainOwlat adds to an error of the SDK what to do about it.
func explainOwlat(err error, o config.Owlat) error {
	var transport *owlat.TransportError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, owlat.ErrUnauthenticated):
		return withHint(err, "make an API key in Owlat's settings and set %s to it", config.EnvAPIKey)
	case errors.Is(err, owlat.ErrForbidden):
		return withHint(err, "give the key this scope in Owlat's settings, or make a key that has it")
	case errors.Is(err, owlat.ErrLimitReached):
		return withHint(err, "the plan of this Owlat deployment allows no more; see its settings")
	case errors.Is(err, owlat.ErrRateLimited):
		return withHint(err, "something else seems to use this API key: give it a key of its own, or set \"requests_per_second\" to a part of the limit")
	case errors.Is(err, owlat.ErrNoRoute):
		return withHint(err, "%s does not lead to Owlat's API; a deployment of your own has an address such as https://example.convex.site", o.URL)
	case errors.Is(err, owlat.ErrParse):
		return withHint(err, "what answers at %s does not speak as Owlat's API does: is that the address of your deployment?", o.URL)
	case errors.As(err, &transport):
		return withHint(err, "is %s the right address of your deployment, and can it be reached from here?", o.URL)
	}
	return err
}
