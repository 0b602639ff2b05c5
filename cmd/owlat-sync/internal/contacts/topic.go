package contacts

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync"
	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/list"
	"owlatsync/internal/problem"
	"owlatsync/internal/render"
	"owlatsync/internal/setup"
	"owlatsync/owlat"
)

// NewTopicCmd returns the command "topic", which puts contacts on a topic or takes them off.
func NewTopicCmd(a *program.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "topic",
		Short: "Put contacts on a topic or take them off",
		Long: `Put contacts on a topic or take them off.

Topic ids come from the topic's page in Owlat; the API cannot list topics or their members.`,
		GroupID: program.GroupOne,
		Args:    cobra.ArbitraryArgs,
		RunE:    program.RunGroup,
	}
	cmd.AddCommand(newTopicAddCmd(a), newTopicRemoveCmd(a))
	return cmd
}

func newTopicAddCmd(a *program.App) *cobra.Command {
	var from listFlags
	cmd := &cobra.Command{
		Use:   "add TOPIC CONTACT...",
		Short: "Put contacts on a topic",
		Long: `Put contacts, given by address or contact id, on a topic.

Mind consent: this subscribes people again who have unsubscribed, and fires the topic's automations
(such as a welcome mail) for everybody who was not on it. On a topic with double opt-in, people who
have not confirmed yet get a mail that asks them to. Use it for people who asked for it.

` + fromFileLong + `

Whose answer was lost is not sent again: they may have left since.

Without a configuration file, set OWLAT_URL and OWLAT_API_KEY.`,
		Example: `  owlat-sync topic add jd7a1xp0q3w9topic0000000000000000 ada@example.com grace@example.com
  owlat-sync topic add jd7a1xp0q3w9topic0000000000000000 --from people.csv --dry-run`,
		Args: from.orContacts(),
		RunE: func(cmd *cobra.Command, args []string) error { return forContacts(a, cmd, args, &from, list.Add) },
	}
	from.bind(cmd, false)
	return cmd
}

func newTopicRemoveCmd(a *program.App) *cobra.Command {
	var from listFlags
	cmd := &cobra.Command{
		Use:     "remove TOPIC CONTACT...",
		Aliases: []string{"rm"},
		Short:   "Take contacts off a topic",
		Long: `Take contacts, given by address or contact id, off a topic. The contacts themselves stay.

` + fromFileLong + `

Without a configuration file, set OWLAT_URL and OWLAT_API_KEY.`,
		Example: `  owlat-sync topic remove jd7a1xp0q3w9topic0000000000000000 ada@example.com
  owlat-sync topic remove jd7a1xp0q3w9topic0000000000000000 --from left.csv`,
		Args: from.orContacts(),
		RunE: func(cmd *cobra.Command, args []string) error { return forContacts(a, cmd, args, &from, list.Remove) },
	}
	from.bind(cmd, false)
	return cmd
}

// forContacts does a topic's job for the contacts of the command line, or for those of a list.
func forContacts(a *program.App, cmd *cobra.Command, args []string, from *listFlags, job func(topic string) list.Job) (err error) {
	topic, contacts := args[0], args[1:]
	if !config.ValidTopicID(topic) {
		return problem.Usage(fmt.Errorf("%q is not a topic id: that has at least 10 letters and digits; copy it from the topic's page in Owlat", topic))
	}
	if from.file != "" {
		return from.run(a, cmd, job(topic))
	}
	entries := make([]list.Entry, len(contacts))
	for i, c := range contacts {
		entries[i].Contact = c
		if !strings.Contains(c, "@") {
			continue
		}
		address, err := owlatsync.NormalizeAddress(c)
		if err != nil {
			return problem.Usage(fmt.Errorf("%q: %w", c, err))
		}
		entries[i].Contact = address
	}
	client, to, err := a.OpenOwlat(cmd)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	results := make(map[string]list.Result, len(entries))
	_, err = job(topic).Do(cmd.Context(), client.Client, entries, nil, nil, func(r list.Result) { results[r.Contact] = r })
	told := make([]list.Result, 0, len(entries))
	for _, e := range entries { // in the order of the command line
		if r, has := results[e.Contact]; has {
			told = append(told, r)
		}
	}
	return aboutTopic(setup.Advise(printMembers(a, topic, told, err), to))
}

// aboutTopic adds what a 500 to a topic's request means.
func aboutTopic(err error) error {
	if answer, ok := errors.AsType[*owlat.Error](err); ok && answer.StatusCode == http.StatusInternalServerError {
		return problem.Hint(err, "Owlat answers so to what is no topic's or contact's id: copy it from its page in Owlat")
	}
	return err
}

// printMembers prints every result and returns why the job ended, the first error, or one that counts them.
func printMembers(a *program.App, topic string, results []list.Result, ended error) error {
	var failed []error
	for _, r := range results {
		render.Contact(a.To(), topic, r)
		if r.Err != nil {
			failed = append(failed, r.Err)
		}
	}
	switch {
	case len(failed) == 0 || ended != nil:
		return ended
	case len(failed) == 1:
		return failed[0]
	}
	return exitcode.With(exitcode.FailedRows, fmt.Errorf("%d of %d contacts failed", len(failed), len(results)))
}
