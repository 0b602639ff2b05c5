package program

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

// LoadConfig reads the configuration file that --config names, for a command that uses this part of it. Its error is one of usage.
func (a *App) LoadConfig(use config.Use) (*config.Config, error) {
	cfg, err := config.Load(a.ConfigPath, use, a.LookupEnv)
	switch {
	case err == nil:
		return cfg, nil
	case errors.Is(err, config.ErrNoFile):
		err = problem.Hint(err, "\"owlat-sync init DSN\" looks at your database and writes one; --config FILE names another")
	}
	return nil, problem.Usage(err)
}

// LoadSyncs reads the configuration file, and selects the syncs that --sync names.
func (a *App) LoadSyncs(use config.Use) (*config.Config, []config.Sync, error) {
	cfg, err := a.LoadConfig(use)
	if err != nil {
		return nil, nil, err
	}
	syncs, err := a.selectSyncs(cfg)
	return cfg, syncs, err
}

// selectSyncs returns the syncs that --sync names in the order of the file, or all if it names none.
func (a *App) selectSyncs(cfg *config.Config) ([]config.Sync, error) {
	if len(a.Syncs) == 0 {
		return cfg.Syncs, nil
	}
	wanted := make(map[string]bool, len(a.Syncs))
	for _, name := range a.Syncs {
		if cfg.Sync(name) == nil {
			return nil, problem.Usage(fmt.Errorf("there is no sync %q in %s; it has: %s", name, a.ConfigPath, strings.Join(cfg.Names(), ", ")))
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

// OpenOwlat returns a client for commands that need no sync, and how it reaches the deployment. If there is no file and none was
// asked for, the environment alone is the configuration.
func (a *App) OpenOwlat(cmd *cobra.Command) (*owlat.Client, config.Owlat, error) {
	cfg, err := a.LoadOwlat(cmd)
	if err != nil {
		return nil, config.Owlat{}, err
	}
	client, err := a.Opener().Client(cfg.Owlat)
	return client, cfg.Owlat, err
}

// LoadOwlat is OpenOwlat without the client: it reads how the deployment is reached. Its error is one of usage.
func (a *App) LoadOwlat(cmd *cobra.Command) (*config.Config, error) {
	cfg, err := config.Load(a.ConfigPath, config.UseKey|config.UseURL, a.LookupEnv)
	if errors.Is(err, config.ErrNoFile) && !cmd.Flags().Changed("config") && a.Env[EnvConfig] == "" {
		if cfg, envErr := config.FromEnvironment(a.LookupEnv); envErr == nil {
			return cfg, nil
		}
		err = problem.Hint(err, "set %s and %s, or name a configuration file with --config", config.EnvURL, config.EnvAPIKey)
	}
	if err != nil {
		return nil, problem.Usage(err)
	}
	return cfg, nil
}

// Typed says how the person types commands, for advice.
func (a *App) Typed() render.Typed {
	if a.ConfigPath == config.DefaultFile || a.ConfigPath == a.Env[EnvConfig] {
		return render.Typed{}
	}
	return render.Typed{Config: a.ConfigPath}
}
