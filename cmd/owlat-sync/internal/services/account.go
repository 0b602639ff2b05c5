package services

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/account"
	"owlatsync/internal/config"
	"owlatsync/internal/console"
	"owlatsync/internal/problem"
	"owlatsync/internal/session"
)

// accountJSON is what "account --json" prints.
type accountJSON struct {
	Type string      `json:"type"`
	Name string      `json:"name"`
	Role config.Role `json:"role"`
	Hash string      `json:"hash"` // for the accounts of the configuration
	// Deployment is the one that the account lets in to; empty: all that there are.
	Deployment string `json:"deployment,omitempty"`
	SignIn     string `json:"sign_in"` // the name to sign in with
}

// NewAccountCmd returns the command "account", which makes an account for the page.
func NewAccountCmd(a *program.App) *cobra.Command {
	var role *config.Role
	var check func() error
	cmd := &cobra.Command{
		Use:   "account NAME",
		Short: "Make an account for the page of \"owlat-sync serve\"",
		Long: `Ask for a password, and print the line for the configuration with which NAME can sign in to the page of
"owlat-sync serve". The configuration keeps only the password's hash (argon2id). If it has "accounts"
there already, add only the line that begins with "-" to them.

The password needs 12 characters at least. On a terminal it is asked for twice and not shown; else it is
the first line of standard input, as a manager of passwords gives it.

A viewer sees how the syncs stand, and no addresses. An operator sees everything, and starts, approves
and cancels runs. To change a password or a role, put the new line in the place of the old one, and send
SIGHUP to the service: whoever had signed in with the old one is signed out.

Where the configuration has several deployments, an account reaches all of them. With --deployment it is
one for that deployment alone, stands there, and signs in as DEPLOYMENT/NAME.`,
		Example: `  owlat-sync account ada --role operator
  openssl rand -base64 24 | tee password.txt | owlat-sync account wall
  owlat-sync account acme --deployment acme`,
		GroupID: program.GroupTools,
		Args:    program.NeedArgs(1, 1, "one name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := check(); err != nil {
				return err
			}
			name, err := account.Name(args[0])
			if err != nil {
				return problem.Usage(err)
			}
			where, err := placeOf(a, "accounts")
			if err != nil {
				return err
			}
			acc := accountJSON{Type: "account", Name: name, Role: *role, Deployment: a.Deployment, SignIn: session.SignInName(name, a.Deployment)}
			password, err := a.NewPassword(cmd.Context(), fmt.Sprintf("Password for %s, at least %d characters: ", acc.SignIn, account.ShortestPassword))
			switch {
			case errors.Is(err, console.ErrMismatch):
				return problem.Usage(problem.Hint(err, "try again"))
			case err != nil:
				return err
			}
			hash, err := account.New(password)
			if err != nil {
				return problem.Usage(problem.Hint(err, "several words in a row are easy to keep, or let a manager of passwords make one"))
			}
			if acc.Hash = hash.Text(); a.JSON {
				return a.PrintJSON(acc)
			}
			entry{"accounts", acc.Name, acc.Role, acc.Hash}.print(a, where)
			a.Notef("The name to sign in with is %s.\n", acc.SignIn)
			return nil
		},
	}
	role, check = addRole(cmd)
	return cmd
}
