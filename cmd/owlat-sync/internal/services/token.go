package services

import (
	"fmt"
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
	var role *config.Role
	var check func() error
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
			if err := check(); err != nil {
				return err
			}
			t := tokenJSON{Type: "token", Name: string(*role), Role: *role, Token: access.NewToken()}
			if len(args) > 0 {
				t.Name = strings.TrimSpace(args[0])
			}
			if t.Name == "" || strings.ContainsFunc(t.Name, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
				return problem.Usage(problem.Hint(fmt.Errorf("%q is no name for a token", t.Name), "say whose token it is, such as \"owlat-sync token ci\""))
			}
			t.Hash, t.Deployment = access.HashToken(t.Token), a.Deployment
			where, err := placeOf(a, "tokens")
			if err != nil {
				return err
			}
			if a.JSON {
				return a.PrintJSON(t)
			}
			a.Printf("The token of %s (%s), shown only this once:\n\n  %s\n\n", t.Name, t.Role, t.Token)
			entry{"tokens", t.Name, t.Role, t.Hash}.print(a, where)
			return nil
		},
	}
	role, check = addRole(cmd)
	return cmd
}
