package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/render"
	"owlatsync/owlat"
)

// loadConfig reads the configuration file that --config names, for a command that uses this part of it.
func (a *app) loadConfig(use config.Use) (*config.Config, error) {
	cfg, err := config.Load(a.configPath, use, a.lookupEnv)
	switch {
	case err == nil:
		return cfg, nil
	case errors.Is(err, config.ErrNoFile):
		err = problem.Hint(err, "\"owlat-sync init DSN\" looks at your database and writes one; --config FILE names another")
	}
	return nil, problem.Usage(err)
}

// loadSyncs reads the configuration file, and selects the syncs that --sync names.
func (a *app) loadSyncs(use config.Use) (*config.Config, []config.Sync, error) {
	cfg, err := a.loadConfig(use)
	if err != nil {
		return nil, nil, err
	}
	syncs, err := a.selectSyncs(cfg)
	return cfg, syncs, err
}

// selectSyncs returns the syncs that --sync names in the order of the file, or all if it names none.
func (a *app) selectSyncs(cfg *config.Config) ([]config.Sync, error) {
	if len(a.syncs) == 0 {
		return cfg.Syncs, nil
	}
	wanted := make(map[string]bool, len(a.syncs))
	for _, name := range a.syncs {
		if cfg.Sync(name) == nil {
			return nil, problem.Usage(fmt.Errorf("there is no sync %q in %s; it has: %s", name, a.configPath, strings.Join(cfg.Names(), ", ")))
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

// openOwlat returns a client for commands that need no sync, and how it reaches the deployment. If there is no file and none was
// asked for, the environment alone is the configuration.
func (a *app) openOwlat(cmd *cobra.Command) (*owlat.Client, config.Owlat, error) {
	cfg, err := a.loadOwlat(cmd)
	if err != nil {
		return nil, config.Owlat{}, err
	}
	client, err := a.opener().Client(cfg.Owlat)
	return client, cfg.Owlat, err
}

func (a *app) loadOwlat(cmd *cobra.Command) (*config.Config, error) {
	cfg, err := config.Load(a.configPath, config.UseKey|config.UseURL, a.lookupEnv)
	if errors.Is(err, config.ErrNoFile) && !cmd.Flags().Changed("config") && a.env[envConfig] == "" {
		if cfg, envErr := config.FromEnvironment(a.lookupEnv); envErr == nil {
			return cfg, nil
		}
		err = problem.Hint(err, "set %s and %s, or name a configuration file with --config", config.EnvURL, config.EnvAPIKey)
	}
	if err != nil {
		return nil, problem.Usage(err)
	}
	return cfg, nil
}

// typed says how the person types commands, for advice.
func (a *app) typed() render.Typed {
	if a.configPath == config.DefaultFile || a.configPath == a.env[envConfig] {
		return render.Typed{}
	}
	return render.Typed{Config: a.configPath}
}
