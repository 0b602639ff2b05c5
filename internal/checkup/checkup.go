// Package checkup tests everything that a run needs, and changes nothing: the deployment, the key with its scopes, the topics, the
// ledger, each source with its first rows, and what Owlat's webhooks and write-backs need. It tells each finding as it comes and shows nothing itself.
package checkup

import (
	"context"

	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/setup"
)

// Status is the result of a check.
type Status string

// The results of a check.
const (
	OK      Status = "ok"
	Note    Status = "note" // nothing is wrong, and there is something to know
	Warning Status = "warning"
	Failed  Status = "failed"
)

// Area is what a check is about.
type Area string

// The areas in the order of the checks.
const (
	AreaConfig Area = "configuration" // only of one of several deployments: else nothing is checked
	AreaOwlat  Area = "owlat"
	AreaLedger Area = "ledger"
	AreaSync   Area = "sync"

	AreaFeedback Area = "feedback"
)

// Finding is the result of one check.
type Finding struct {
	Area    Area   `json:"area"`
	Sync    string `json:"sync,omitempty"`
	Subject string `json:"subject"`
	Status  Status `json:"status"`
	Message string `json:"message,omitempty"`
}

// Report is the result of all checks. As JSON it is what "check --json" prints.
type Report struct {
	Type       string    `json:"type"`
	Deployment string    `json:"deployment,omitempty"` // its name, if it is one of several
	OK         bool      `json:"ok"`
	Checks     []Finding `json:"checks"`
	Syncs      []Sample  `json:"syncs"`

	Failed   int           `json:"-"` // checks
	Warnings int           `json:"-"`
	Code     exitcode.Code `json:"-"` // the exit code of the gravest failure
}

// Listener is told about the checks while they are made.
type Listener interface {
	// Owlat, Ledger, Source and Feedback say what the next checks are about.
	Owlat(config.Owlat)
	Ledger(path string)
	Source(config.Sync)
	Feedback()
	// Found tells the result of a check.
	Found(Finding)
	// Rows tells the first rows of a source, if there are any.
	Rows(config.Sync, []Row)
}

// Question says what to check.
type Question struct {
	Opener   setup.Opener
	Config   *config.Config
	Syncs    []config.Sync
	Rows     int // how many rows of each source to show
	Listener Listener
}

// Check makes all checks. A failed check is no error. Check fails with the context's error, or if the configuration allows no
// client.
func Check(ctx context.Context, q Question) (Report, error) {
	c := &checker{Question: q}
	q.Listener.Owlat(q.Config.Owlat)
	if err := (deployment{checker: c}).check(ctx); err != nil {
		return c.report, err
	}
	q.Listener.Ledger(q.Config.Ledger.String())
	c.ledger(ctx)
	for _, s := range c.Syncs {
		q.Listener.Source(s)
		(supply{c, s}).check(ctx)
	}
	(hearing{c}).check(ctx)
	c.report.Type, c.report.Deployment, c.report.OK = "check", q.Config.Name, c.report.Failed == 0
	return c.report, ctx.Err()
}

// Misconfigured returns the report on a deployment whose configuration cannot be used, and tells it.
func Misconfigured(deployment string, why error, tell Listener) Report {
	f := Finding{Area: AreaConfig, Subject: "configuration", Status: Failed, Message: why.Error()}
	tell.Found(f)
	return Report{Type: "check", Deployment: deployment, Checks: []Finding{f}, Syncs: []Sample{}, Failed: 1, Code: exitcode.Usage}
}

// checker makes the checks and tells them as they come.
type checker struct {
	Question
	report   Report
	readable bool // there is a ledger, and it can be read
	contacts int  // that Owlat has, as far as it told
}

// found notes a result that is no failure.
func (c *checker) found(f Finding) {
	if f.Status == Warning {
		c.report.Warnings++
	}
	c.report.Checks = append(c.report.Checks, f)
	c.Listener.Found(f)
}

// fail notes a failure with its exit code; a refused key or scope outweighs other failures.
func (c *checker) fail(code exitcode.Code, f Finding) {
	f.Status = Failed
	c.found(f)
	c.report.Failed++
	if c.report.Code == exitcode.OK || code == exitcode.Refused {
		c.report.Code = code
	}
}
