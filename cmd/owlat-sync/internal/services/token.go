package services

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/access"
	"owlatsync/internal/config"
	"owlatsync/internal/problem"
)

// tokenJSON is what "token --json" prints.
type tokenJSON struct {
	Type  string      `json:"type"`
	Name  string      `json:"name"`
	Role  config.Role `json:"role"`
	Token string      `json:"token"`
	Hash  string      `json:"hash"` // for the tokens of the configuration
	// Deployment is the one that the token lets in to; empty: all that there are.
	Deployment string `json:"deployment,omitempty"`
}

// NewTokenCmd returns the command "token", which makes a token for the HTTP API.
func NewTokenCmd(a *program.App) *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use:   "token [NAME]",
		Short: "Make a token for the HTTP API of \"owlat-sync serve\"",
		Long: `Make a token that lets a program use the HTTP API of "owlat-sync serve", and print it with the line for
the configuration. That keeps only the token's hash, so the token is shown this once. If the
configuration has "tokens" there already, add only the line that begins with "-" to them.

A viewer sees how the syncs stand, and no addresses. An operator sees everything, and starts, approves
and cancels runs. NAME says whose token it is; it appears in the log beside what is done with it.

Where the configuration has several deployments, a token lets in to all of them. With --deployment it is
one for that deployment alone, and stands there.`,
		Example: `  owlat-sync token grafana
  owlat-sync token ci --role operator
  owlat-sync token acme --deployment acme`,
		GroupID: program.GroupTools,
		Args:    program.NeedArgs(0, 1, "at most one name"),
		RunE: func(_ *cobra.Command, args []string) error {
			t := tokenJSON{Type: "token", Name: role, Role: config.Role(role), Token: access.NewToken()}
			if t.Role != config.Viewer && t.Role != config.Operator {
				return problem.Usage(fmt.Errorf("--role %q is none of %s, %s", role, config.Viewer, config.Operator))
			}
			if len(args) > 0 {
				t.Name = strings.TrimSpace(args[0])
			}
			if t.Name == "" || strings.ContainsFunc(t.Name, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
				return problem.Usage(problem.Hint(fmt.Errorf("%q is no name for a token", t.Name), "say whose token it is, such as \"owlat-sync token ci\""))
			}
			t.Hash, t.Deployment = access.HashToken(t.Token), a.Deployment
			where, err := tokensAt(a)
			if err != nil {
				return err
			}
			if a.JSON {
				return a.PrintJSON(t)
			}
			a.Printf("The token of %s (%s), shown only this once:\n\n  %s\n\n%s; beside other tokens only the last line:\n\n", t.Name, t.Role, t.Token, where.what)
			for i, key := range where.keys {
				a.Printf("%s%s:\n", strings.Repeat("  ", i), key)
			}
			a.Printf("%s- {name: %s, role: %s, hash: %q}\n", strings.Repeat("  ", len(where.keys)), quoted(t.Name), t.Role, t.Hash)
			if where.all {
				a.Notef("It lets in to all deployments; --deployment NAME makes one for that deployment alone.\n")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&role, "role", string(config.Viewer), "what it allows: `viewer` or operator")
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions([]string{string(config.Viewer), string(config.Operator)}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// tokenPlace is where a token stands in the configuration.
type tokenPlace struct {
	what string
	keys []string // above the line of the token
	all  bool     // it lets in to several deployments
}

// tokensAt returns where the token of the chosen deployment stands, or one for all. Without a configuration there is nothing to choose from.
func tokensAt(a *program.App) (tokenPlace, error) {
	all := tokenPlace{what: "For the configuration", keys: []string{"serve", "tokens"}}
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
	own := tokenPlace{what: fmt.Sprintf("For the deployment %q in the configuration", a.Deployment), keys: []string{"deployments", quoted(a.Deployment), "tokens"}}
	if cfg, err := set.Deployment(a.Deployment); err == nil && a.FileOf(cfg) != a.ConfigPath {
		own.what, own.keys = "For "+a.FileOf(cfg), []string{"tokens"}
	}
	return own, nil
}

// quoted returns a text as YAML takes it.
func quoted(text string) string {
	b, _ := json.Marshal(text) // a text can be encoded
	return string(b)
}
