package contacts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"owlatsync"
	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/list"
	"owlatsync/internal/problem"
	"owlatsync/internal/render"
	"owlatsync/internal/setup"
	"owlatsync/ledger"
	"owlatsync/reconcile/bar"
)

// NewOptoutCmd returns the command "optout", which sees to it that no mail goes to people any more.
func NewOptoutCmd(a *program.App) *cobra.Command {
	var from listFlags
	cmd := &cobra.Command{
		Use:   "optout CONTACT...",
		Short: "Opt people out of everything, for good",
		Long: `Opt people, given by address or contact id, out of everything, such as those on the bounce or block
list of another provider.

Owlat takes them off all topics and mails them nothing any more, as if they had followed the link in
a mail. The ledger remembers them, also those who are not in Owlat: no run creates them, puts them on
a topic or sends an event for them. Nobody but the person takes that back: they sign up again, or "owlat-sync
topic add" puts them on a topic. "owlat-sync feedback lift" only lets runs treat them like others.

It needs owlat.unsubscribe_secret. Without it they are taken off the topics that the configuration
names, and remembered, which is the nearest thing: Owlat cannot be told more.

` + fromFileLong + `

It may be repeated: who was opted out before costs no request.`,
		Example: `  owlat-sync optout ada@example.com
  owlat-sync optout --from bounces.csv --dry-run`,
		GroupID: program.GroupOne,
		Args: func(cmd *cobra.Command, args []string) error {
			if from.file != "" {
				return program.NeedArgs(0, 0, "no address beside --from")(cmd, args)
			}
			if err := from.unused(); err != nil {
				return err
			}
			return program.NeedArgs(1, -1, "at least one address or contact id, or --from")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return optout(a, cmd, args, &from) },
	}
	from.bind(cmd, false)
	return cmd
}

// optout bars the people of the command line, or those of a list.
func optout(a *program.App, cmd *cobra.Command, args []string, from *listFlags) (err error) {
	entries := make([]list.Entry, len(args))
	for i, c := range args {
		if entries[i].Contact = c; !strings.Contains(c, "@") {
			continue
		}
		if entries[i].Contact, err = owlatsync.NormalizeAddress(c); err != nil {
			return problem.Usage(fmt.Errorf("%q: %w", c, err))
		}
	}
	if list.OnStdin(from.file) && !a.Yes && !from.dryRun {
		return problem.Usage(errors.New("with a list on standard input nobody can be asked: add --yes, or --dry-run to see what would be sent"))
	}
	cfg, err := a.LoadConfig(config.UseKey | config.UseURL | config.UseLedger)
	if err != nil {
		return err
	}
	client, err := a.Opener().Client(cfg.Owlat, setup.BesideLinks(cfg.Owlat))
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	l, err := a.Opener().Ledger(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	bars := &bar.Bars{Ledger: l, Links: client, Topics: topicsOf(cfg)}
	t := &listTale{App: a, flags: from, job: list.OptOut(bars), advise: func(err error) error { return setup.Advise(err, cfg.Owlat) },
		open: func() (*setup.Outside, error) {
			return setup.OpenOutside(cmd.Context(), a.Opener(), cfg, cmd.CommandPath(), true)
		}}
	t.job.Deployment = cfg.Owlat.URL
	if from.file == "" {
		return each(cmd.Context(), t, l, entries)
	}
	if t.people, err = list.Read(cmd.Context(), a.Opener(), list.Ask{From: from.file, Columns: list.Columns{Contact: from.column}}); err != nil {
		return err
	}
	var survey list.Survey
	t.survey = func(ctx context.Context, journal *list.Journal) (err error) {
		survey, err = list.SurveyOf(ctx, bars, t.people.Entries, journal)
		return err
	}
	t.takes = func() int { return survey.Requests }
	t.more = func() {
		secret, byLinks := client.Preferences.Configured(), time.Duration(0)
		if secret {
			byLinks = time.Duration(float64(survey.Links) / client.Preferences.Rate() * float64(time.Second))
		}
		render.Survey(a.To(), survey, secret, len(bars.Topics), byLinks)
	}
	t.done = func(ctx context.Context, sums list.Sums) { note(ctx, a, l, sums) }
	return from.tell(cmd, t, client)
}

// each bars the people of the command line.
func each(ctx context.Context, t *listTale, l setup.Ledger, entries []list.Entry) (err error) {
	out, err := t.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	results := make(map[string]list.Result, len(entries))
	sums, err := t.job.Do(ctx, out.Client, entries, nil, nil, func(r list.Result) { results[r.Contact] = r })
	note(ctx, t.App, l, sums)
	var told []list.Result
	for _, e := range entries { // in the order of the command line
		if r, has := results[e.Contact]; has {
			told = append(told, r)
		}
	}
	return t.advise(printMembers(t.App, "", told, err))
}

// note notes in the audit how many people were barred.
func note(ctx context.Context, a *program.App, l setup.Ledger, sums list.Sums) {
	n := 0
	for _, of := range sums.Outcomes {
		n += of
	}
	if n > 0 {
		a.Note(context.WithoutCancel(ctx), l, ledger.AuditLine{What: ledger.DeedOptOut, Count: n})
	}
}

// topicsOf returns the ids of all topics that the configuration names.
func topicsOf(cfg *config.Config) (ids []string) {
	for _, s := range cfg.Syncs {
		for _, topic := range s.Topics {
			if topic.ID != "" && !slices.Contains(ids, topic.ID) {
				ids = append(ids, topic.ID)
			}
		}
	}
	return ids
}
