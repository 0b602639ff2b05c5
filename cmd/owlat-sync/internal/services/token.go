package services

import (
	"encoding/json"
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
	Hash  string      `json:"hash"` // for serve.tokens of the configuration
}

// NewTokenCmd returns the command "token", which makes a token for the HTTP API.
func NewTokenCmd(a *program.App) *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use:   "token [NAME]",
		Short: "Make a token for the HTTP API of \"owlat-sync serve\"",
		Long: `Make a token that lets a program use the HTTP API of "owlat-sync serve", and print it with the line for
the configuration. That keeps only the token's hash, so the token is shown this once. If the configuration has "tokens" under "serve" already, add only the line
that begins with "-" to them.

A viewer sees how the syncs stand, and no addresses. An operator sees everything, and starts, approves
and cancels runs. NAME says whose token it is; it appears in the log beside what is done with it.`,
		Example: `  owlat-sync token grafana
  owlat-sync token ci --role operator`,
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
			t.Hash = access.HashToken(t.Token)
			if a.JSON {
				return a.PrintJSON(t)
			}
			a.Printf("The token of %s (%s), shown only this once:\n\n  %s\n\nFor the configuration; beside other tokens only the last line:\n\nserve:\n  tokens:\n    - {name: %s, role: %s, hash: %q}\n",
				t.Name, t.Role, t.Token, quoted(t.Name), t.Role, t.Hash)
			return nil
		},
	}
	cmd.Flags().StringVar(&role, "role", string(config.Viewer), "what it allows: `viewer` or operator")
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions([]string{string(config.Viewer), string(config.Operator)}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// quoted returns a text as YAML takes it.
func quoted(text string) string {
	b, _ := json.Marshal(text) // a text can be encoded
	return string(b)
}
