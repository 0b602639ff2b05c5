package contacts

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"owlatsync"
	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/list"
	"owlatsync/internal/listfile"
	"owlatsync/internal/problem"
	"owlatsync/internal/render"
	"owlatsync/internal/setup"
	"owlatsync/owlat"
	"owlatsync/reconcile/progress"
)

// listTale does the job of a list and tells it.
type listTale struct {
	*program.App
	flags   *listFlags
	job     list.Job
	people  *list.List
	journal *list.Journal                  // nil: none
	failed  *listfile.File                 // nil: none
	open    func() (*setup.Outside, error) // opens what sends
	advise  func(error) error
	survey  func(context.Context, *list.Journal) error // finds out what is to be told of the plan; nil: nothing
	takes   func() int                                 // requests of the key's budget; nil: one for each
	more    func()                                     // tells more of the plan; nil: nothing
	done    func(context.Context, list.Sums)           // is told how it ended; nil: nobody is
	begun   bool                                       // it was agreed to
	shown   int                                        // failures
}

// listColumns is the header of the list of failures.
var listColumns = []string{"contact", "line", "reason"}

func (t *listTale) work(ctx context.Context, client *owlat.Client) (err error) {
	if t.flags.failed != "" {
		if t.failed, err = listfile.Create("--failures", t.flags.failed, listColumns); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, t.failed.Close(t.begun)) }()
	}
	path := t.flags.journal
	if path == "" && !list.OnStdin(t.flags.file) {
		path = journalOf(t.flags.file)
	}
	if path != "" {
		if t.journal, err = list.OpenJournal(path, t.job); err != nil {
			return err
		}
	}
	before := t.journal.Before(t.people.Entries)
	sums := list.Sums{Before: before}
	if t.survey != nil {
		if err = t.survey(ctx, t.journal); err != nil {
			return errors.Join(err, t.journal.Close(t.journal.Continued()))
		}
	}
	if err = t.agree(ctx, client, len(t.people.Entries)-before); err == nil {
		sums, err = t.send(ctx, len(t.people.Entries)-before)
		render.ListSums(t.To(), t.job, t.people, sums)
		if t.done != nil {
			t.done(ctx, sums)
		}
	}
	unfinished := err != nil || sums.Failed > 0
	kept := unfinished && (t.journal.Continued() || len(sums.Outcomes) > 0 || sums.Failed > 0) && t.journal != nil
	if closeErr := t.journal.Close(kept); closeErr != nil {
		return errors.Join(t.advise(err), closeErr)
	}
	switch {
	case err != nil && kept && !problem.WasTold(err):
		return problem.Hint(t.advise(err), "the journal %s remembers who is done: the same command goes on from there", t.journal.Path())
	case err != nil:
		return t.advise(err)
	case t.shown > 0:
		return problem.Told(exitcode.FailedRows)
	}
	return nil
}

// journalOf returns the file beside a list.
func journalOf(from string) string {
	if scheme, path, found := strings.Cut(from, ":"); found && len(scheme) > 1 {
		from = path
	}
	from, _, _ = strings.Cut(from, "?")
	return from + ".journal"
}

// agree says what the job will do, and asks whether it may begin.
func (t *listTale) agree(ctx context.Context, client *owlat.Client, left int) error {
	render.ListPlan(t.To(), t.flags.file, t.job, t.people, client.Estimate(t.requests(left)))
	t.tellMore()
	if done := len(t.people.Entries) - left; done > 0 {
		t.Tell("  done by the run that began at %s: %d; left: %d\n", t.journal.Began().Format(time.DateTime), done, left)
	}
	if t.Yes || left == 0 {
		return nil
	}
	ask := t.Asker(ctx)
	if ask == nil {
		return problem.Usage(errors.New("nobody can be asked whether this is right: add --yes, or --dry-run to only see what would be sent"))
	}
	if yes, err := ask.Confirm("Go on?"); err != nil || yes {
		return err
	}
	return exitcode.With(exitcode.Held, errors.New("nothing was sent"))
}

// send does the job. The budget is not taken before: somebody may have been asked for long whether it is right.
func (t *listTale) send(ctx context.Context, left int) (_ list.Sums, err error) {
	out, err := t.open()
	if err != nil {
		return list.Sums{}, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	t.begun = true
	t.refuse()
	pace := new(listPace)
	client, err := out.With(owlat.WithObserver(pace.observe))
	if err != nil {
		return list.Sums{}, err
	}
	pace.client = client
	display := t.StartDisplay(t.job.Name, true, pace)
	defer display.Stop()
	display.Observe(progress.Planned{Summary: owlatsync.Summary{Requests: left, Duration: client.Estimate(t.requests(left))}})
	stop := t.NewSoftStop()
	stop.Arm()
	defer stop.Disarm()
	return t.job.Do(ctx, client, t.people.Entries, t.journal, stop.C(), func(r list.Result) {
		v := progress.RowDone{}
		v.Requests = 1
		if r.Err != nil {
			v.Outcome = owlatsync.Failed
			display.Suspend(func() { t.fail(r) })
		} else if t.JSON {
			render.Contact(t.To(), t.job.Topic, r)
		}
		display.Observe(v)
	})
}

// requests returns how many requests of the key's budget the job takes at most for so many contacts.
func (t *listTale) requests(left int) int {
	if t.takes == nil {
		return left
	}
	return t.takes()
}

// tellMore tells what else is to be said of the plan.
func (t *listTale) tellMore() {
	if t.more != nil {
		t.more()
	}
}

// refuse tells the lines that cannot be sent.
func (t *listTale) refuse() {
	for _, r := range t.people.Refused {
		t.fail(list.Result{Entry: list.Entry{Place: r.Place}, Err: errors.New(r.Reason)})
	}
}

// fail tells a line that was not done.
func (t *listTale) fail(r list.Result) {
	t.shown++
	if t.failed == nil {
		render.ListFailure(t.To(), t.job.Topic, r, t.shown, "")
		return
	}
	t.failed.Write(r.Contact, r.Place.String(), r.Err.Error())
	render.ListFailure(t.To(), t.job.Topic, r, t.shown, t.failed.Path())
}

// listPace tells the display of a list how fast it goes on.
type listPace struct {
	client  *owlat.Client
	refused atomic.Int64
}

func (p *listPace) observe(a owlat.Attempt) {
	if a.Status == http.StatusTooManyRequests && !a.ByToken {
		p.refused.Add(1)
	}
}

// Refused returns how many requests have met the rate limit.
func (p *listPace) Refused() int { return int(p.refused.Load()) }

// Estimate returns how long that many requests take from now on within the budget.
func (p *listPace) Estimate(requests int) time.Duration { return p.client.Estimate(requests) }
