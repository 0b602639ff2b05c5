package checkup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"owlatsync/internal/exitcode"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

// ledger checks whether runs can use or create the ledger, and whether it belongs to the deployment.
func (c *checker) ledger(ctx context.Context) {
	f := Finding{Area: AreaLedger, Subject: "file", Status: OK}
	is, err := c.Opener.Examine(ctx, c.Config)
	if err == nil {
		err = c.sameDeployment(is.Deployment)
	}
	switch {
	case err != nil:
	case is.Missing:
		f.Message = "new, the first run creates it"
	case is.Outdated:
		f.Message = "an older version wrote it, the next run brings it up to date"
	default:
		f.Status, f.Message, err = c.standings(ctx)
	}
	if err != nil {
		f.Message = err.Error()
		c.fail(exitcode.Of(err), f)
		return
	}
	c.found(f)
}

// sameDeployment returns an error if the ledger is tied to another deployment than the configured one.
func (c *checker) sameDeployment(bound string) error {
	client, err := c.Opener.Client(c.Config.Owlat, owlat.WithRetries(0))
	if err != nil || bound == "" || bound == client.BaseURL() {
		return err
	}
	return &ledger.DeploymentError{Bound: bound, Configured: client.BaseURL()}
}

// standings says how many rows of each sync the ledger has, and warns if it is older than what was done.
func (c *checker) standings(ctx context.Context) (status Status, message string, err error) {
	l, err := c.Opener.Ledger(ctx, c.Config)
	if err != nil {
		return OK, "", err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	var standing []string
	status = OK
	for _, s := range c.Syncs {
		st, err := l.Standing(ctx, s.Name)
		if err != nil {
			return OK, "", err
		}
		if !st.SetBack.IsZero() {
			status = Warning
		}
		standing = append(standing, fmt.Sprintf("%s has %s", s.Name, words.Plural(st.Entries, "row")))
	}
	message = strings.Join(slices.Compact(standing), ", ")
	if status == Warning {
		message += "\nit is older than what was done: consents that it does not know count as old, \"owlat-sync plan\" tells what a run makes of it"
	}
	return status, message, nil
}
