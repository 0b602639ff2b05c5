package services

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/problem"
)

// entry is a token or an account for the configuration.
type entry struct {
	list string // the key of the list that it belongs to
	name string
	role config.Role
	hash string
}

// entryPlace is where an entry stands in the configuration.
type entryPlace struct {
	what string
	keys []string // above the line of the entry
	all  bool     // it lets in to several deployments
}

// placeOf returns where an entry of the chosen deployment stands, or one for all. Without a configuration there is nothing to choose from.
func placeOf(a *program.App, list string) (entryPlace, error) {
	all := entryPlace{what: "For the configuration", keys: []string{"serve", list}}
	set, err := a.LoadSet(config.UseLedger)
	if a.Deployment == "" {
		all.all = err == nil && len(set.Names()) > 1
		return all, nil
	}
	if err != nil {
		return all, err
	}
	if !slices.Contains(set.Names(), a.Deployment) {
		_, err := set.Deployment(a.Deployment)
		return all, problem.Usage(err)
	}
	own := entryPlace{what: fmt.Sprintf("For the deployment %q in the configuration", a.Deployment), keys: []string{"deployments", quoted(a.Deployment), list}}
	if cfg, err := set.Deployment(a.Deployment); err == nil && a.FileOf(cfg) != a.ConfigPath {
		own.what, own.keys = "For "+a.FileOf(cfg), []string{list}
	}
	return own, nil
}

// print prints the lines of an entry.
func (e entry) print(a *program.App, where entryPlace) {
	a.Printf("%s; beside other %s only the last line:\n\n", where.what, e.list)
	for i, key := range where.keys {
		a.Printf("%s%s:\n", strings.Repeat("  ", i), key)
	}
	a.Printf("%s- {name: %s, role: %s, hash: %q}\n", strings.Repeat("  ", len(where.keys)), quoted(e.name), e.role, e.hash)
	if where.all {
		a.Notef("It lets in to all deployments; --deployment NAME makes one for that deployment alone.\n")
	}
}

// addRole gives a command the flag --role. The check says what is wrong with its value.
func addRole(cmd *cobra.Command) (role *config.Role, check func() error) {
	text := cmd.Flags().String("role", string(config.Viewer), "what it allows: `viewer` or operator")
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions([]string{string(config.Viewer), string(config.Operator)}, cobra.ShellCompDirectiveNoFileComp))
	role = (*config.Role)(text)
	return role, func() error {
		if *role != config.Viewer && *role != config.Operator {
			return problem.Usage(fmt.Errorf("--role %q is none of %s, %s", *role, config.Viewer, config.Operator))
		}
		return nil
	}
}

// quoted returns a text as YAML takes it.
func quoted(text string) string {
	b, _ := json.Marshal(text) // a text can be encoded
	return string(b)
}
