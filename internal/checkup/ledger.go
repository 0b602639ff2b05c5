package checkup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

// ledger checks whether runs can use or create the ledger, and whether it belongs to the deployment.
func (c *checker) ledger(ctx context.Context) {
	f := Finding{Area: AreaLedger, Subject: kindOf(c.Config.Ledger), Status: OK}
	var asks []Finding
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
		f.Status, f.Message, asks, err = c.standings(ctx)
		f.Message += newerWords(is)
		c.readable = err == nil
	}
	if err != nil {
		f.Message = err.Error()
		c.fail(exitcode.Of(err), f)
		return
	}
	for _, a := range append([]Finding{f}, asks...) {
		c.found(a)
	}
}

// newerWords say that a newer version has migrated the ledger, nothing if none has.
func newerWords(is ledger.Condition) string {
	if !is.Newer {
		return ""
	}
	return "\na newer version has brought it up to date, and this one still works with it"
}

// kindOf says what the ledger is.
func kindOf(l config.Ledger) string {
	if l.Postgres() {
		return "database"
	}
	return "file"
}

// sameDeployment returns an error if the ledger is tied to another deployment than the configured one.
func (c *checker) sameDeployment(bound string) error {
	client, err := c.Opener.Client(c.Config.Owlat, owlat.WithRetries(0))
	if err != nil || bound == "" || bound == client.BaseURL() {
		return err
	}
	return &ledger.DeploymentError{Bound: bound, Configured: client.BaseURL()}
}

// standings says how many rows of each sync the ledger has, and which topics of the syncs ask people to confirm. It warns if the
// ledger is older than what was done.
func (c *checker) standings(ctx context.Context) (status Status, message string, asks []Finding, err error) {
	l, err := c.Opener.Ledger(ctx, c.Config)
	if err != nil {
		return OK, "", nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	var standing []string
	status = OK
	for _, s := range c.Syncs {
		st, err := l.Standing(ctx, s.Name)
		if err != nil {
			return OK, "", nil, err
		}
		if !st.SetBack.IsZero() {
			status = Warning
		}
		standing = append(standing, fmt.Sprintf("%s has %s", s.Name, words.Plural(st.Entries, "row")))
		found, err := asking(ctx, l, s)
		if err != nil {
			return OK, "", nil, err
		}
		asks = append(asks, found...)
	}
	message = strings.Join(slices.Compact(standing), ", ")
	if status == Warning {
		message += "\nit is older than what was done: consents that it does not know count as old, \"owlat-sync plan\" tells what a run makes of it"
	}
	return status, message, append(asks, clockOff(time.Since(l.Now()))...), nil
}

// clocksApart is by how much the clock of a machine may be ahead of the ledger's, or behind it, before somebody should set it.
const clocksApart = 5 * time.Second

// clockOff warns if the machine's clock is so much ahead of that of a ledger in PostgreSQL, or behind it.
func clockOff(ahead time.Duration) []Finding {
	if ahead.Abs() <= clocksApart {
		return nil
	}
	way := "ahead of"
	if ahead < 0 {
		way = "behind"
	}
	return []Finding{{
		Area: AreaLedger, Subject: "clock", Status: Warning,
		Message: fmt.Sprintf("the clock of this machine is %s %s that of PostgreSQL, by which all nodes go; let NTP set the clocks of both", ahead.Abs().Round(time.Second), way),
	}}
}

// asking tells which topics of a sync ask people to confirm, as far as adds have shown it.
func asking(ctx context.Context, l ledger.Reader, s config.Sync) (asks []Finding, err error) {
	topics, err := ledger.Asks(ctx, l, s.Name)
	if err != nil {
		return nil, err
	}
	for _, t := range s.Topics {
		certain, asked := topics[t.ID]
		if !asked {
			continue
		}
		message := "an add has shown that this topic asks people to confirm"
		if !certain {
			message = "this topic seems to ask people to confirm"
		}
		asks = append(asks, Finding{
			Area: AreaLedger, Sync: s.Name, Subject: "double opt-in of topic " + t.ID, Status: OK,
			Message: fmt.Sprintf("%s: Owlat mails them a link that is valid for %s, and until they follow it they get nothing", message,
				words.Plural(int(ledger.ConfirmWithin.Hours()/24), "day")),
		})
	}
	return asks, nil
}
