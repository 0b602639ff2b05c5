package program

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/setup"
	"owlatsync/internal/words"
)

// LoadConfig reads the configuration file that --config names, for a command that uses this part of the deployment that --deployment
// names. Its error is one of usage.
func (a *App) LoadConfig(use config.Use) (*config.Config, error) {
	cfg, err := config.LoadDeployment(a.ConfigPath, a.Deployment, use, a.LookupEnv)
	return cfg, adviseLoad(err)
}

// LoadSet is LoadConfig for all deployments.
func (a *App) LoadSet(use config.Use) (*config.Set, error) {
	set, err := config.LoadSet(a.ConfigPath, use, a.LookupEnv)
	return set, adviseLoad(err)
}

// adviseLoad adds what to do to an error of loading, and makes it one of usage.
func adviseLoad(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, config.ErrNoFile):
		err = problem.Hint(err, "\"owlat-sync init DSN\" looks at your database and writes one; --config FILE names another")
	case errors.Is(err, config.ErrWhich):
		err = problem.Hint(err, "--deployment NAME or the environment variable %s chooses one", EnvDeployment)
	}
	return problem.Usage(err)
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

// EachOf returns all deployments of the configuration if it has several and neither --deployment nor --sync chooses: for commands that can
// look at all of them. Otherwise it returns nil, and LoadSyncs has what is chosen.
func (a *App) EachOf(use config.Use) (*config.Set, error) {
	if a.Deployment != "" || len(a.Syncs) > 0 {
		return nil, nil
	}
	set, err := a.LoadSet(use)
	if err != nil || len(set.Names()) < 2 {
		return nil, err
	}
	return set, nil
}

// selectSyncs returns the syncs that --sync names in the order of the file, or all if it names none.
func (a *App) selectSyncs(cfg *config.Config) ([]config.Sync, error) {
	if len(a.Syncs) == 0 {
		return cfg.Syncs, nil
	}
	wanted := make(map[string]bool, len(a.Syncs))
	for _, name := range a.Syncs {
		if cfg.Sync(name) == nil {
			return nil, problem.Usage(fmt.Errorf("there is no sync %q in %s; it has: %s", name, a.Place(cfg), strings.Join(cfg.Names(), ", ")))
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
// asked for, the environment alone is the configuration. The caller closes the client.
func (a *App) OpenOwlat(cmd *cobra.Command) (*setup.Outside, config.Owlat, error) {
	cfg, err := a.LoadOwlat(cmd)
	if err != nil {
		return nil, config.Owlat{}, err
	}
	client, err := setup.OpenOutside(cmd.Context(), a.Opener(), cfg, cmd.CommandPath(), true)
	return client, cfg.Owlat, err
}

// LoadOwlat is OpenOwlat without the client: it reads how the deployment is reached. Its error is one of usage.
func (a *App) LoadOwlat(cmd *cobra.Command) (*config.Config, error) {
	cfg, err := config.LoadDeployment(a.ConfigPath, a.Deployment, config.UseKey|config.UseURL, a.LookupEnv)
	if errors.Is(err, config.ErrNoFile) && !cmd.Flags().Changed("config") && a.Env[EnvConfig] == "" {
		if cfg, envErr := config.FromEnvironment(a.LookupEnv); envErr == nil {
			return cfg, nil
		}
		return nil, problem.Usage(problem.Hint(err, "set %s and %s, or name a configuration file with --config", config.EnvURL, config.EnvAPIKey))
	}
	return cfg, adviseLoad(err)
}

// FileOf returns the file in which a deployment stands, named as the person names the configuration: that, or one in the folder of deployments.
func (a *App) FileOf(cfg *config.Config) string {
	whole, err := filepath.Abs(a.ConfigPath)
	if err != nil || cfg.File == "" || cfg.File == whole {
		return a.ConfigPath
	}
	file, err := filepath.Rel(filepath.Dir(whole), cfg.File)
	if err != nil {
		return cfg.File
	}
	return filepath.Join(filepath.Dir(a.ConfigPath), file)
}

// Place says where a deployment stands: its file, with its name if it is one of several in it.
func (a *App) Place(cfg *config.Config) string {
	file := a.FileOf(cfg)
	if cfg.Name == "" || file != a.ConfigPath {
		return file
	}
	return fmt.Sprintf("the deployment %q in %s", cfg.Name, file)
}

// Typed says how the person types commands, for advice.
func (a *App) Typed() words.Typed {
	typed := words.Typed{Config: a.ConfigPath, Deployment: a.Deployment}
	if a.ConfigPath == config.DefaultFile || a.ConfigPath == a.Env[EnvConfig] {
		typed.Config = ""
	}
	if a.Deployment == a.Env[EnvDeployment] {
		typed.Deployment = ""
	}
	return typed
}
