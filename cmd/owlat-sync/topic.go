package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/problem"
	"owlatsync/internal/setup"
	"owlatsync/owlat"
)

func newTopicCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "topic",
		Short: "Put contacts on a topic or take them off",
		Long: `Put contacts on a topic or take them off.

Topic ids come from the topic's page in Owlat; the API cannot list topics or their members.`,
		GroupID: groupOne,
		Args:    cobra.ArbitraryArgs,
		RunE:    runGroup,
	}
	cmd.AddCommand(newTopicAddCmd(a), newTopicRemoveCmd(a))
	return cmd
}

func newTopicAddCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "add TOPIC CONTACT...",
		Short: "Put contacts on a topic",
		Long: `Put contacts, given by address or contact id, on a topic.

Mind consent: this subscribes people again who have unsubscribed, and fires the topic's automations
(such as a welcome mail) for everybody who was not on it. On a topic with double opt-in, people who
have not confirmed yet get a mail that asks them to. Use it for people who asked for it.

Without a configuration file, set OWLAT_URL and OWLAT_API_KEY.`,
		Example: `  owlat-sync topic add jd7a1xp0q3w9topic0000000000000000 ada@example.com grace@example.com`,
		Args:    needArgs(2, -1, "a topic id and at least one address or contact id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return eachMember(a, cmd, args, func(ctx context.Context, client *owlat.Client, topic string, contacts []string) []memberResult {
				members := make([]owlat.AddMemberRequest, len(contacts))
				for i, c := range contacts {
					members[i] = member(c)
				}
				results := make([]memberResult, len(contacts))
				for i, r := range client.Topics.AddBatch(ctx, topic, members) {
					results[i] = memberResult{Contact: contacts[i], Outcome: "added", DOIStatus: r.Value.DOIStatus, err: r.Err}
				}
				return results
			})
		},
	}
}

func newTopicRemoveCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "remove TOPIC CONTACT...",
		Aliases: []string{"rm"},
		Short:   "Take contacts off a topic",
		Long: `Take contacts, given by address or contact id, off a topic. The contacts themselves stay.

Without a configuration file, set OWLAT_URL and OWLAT_API_KEY.`,
		Example: `  owlat-sync topic remove jd7a1xp0q3w9topic0000000000000000 ada@example.com`,
		Args:    needArgs(2, -1, "a topic id and at least one address or contact id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return eachMember(a, cmd, args, func(ctx context.Context, client *owlat.Client, topic string, contacts []string) []memberResult {
				results := make([]memberResult, len(contacts))
				for i, c := range contacts {
					removed, err := client.Topics.Remove(ctx, topic, c)
					results[i] = memberResult{Contact: c, Outcome: "removed", err: err}
					if err == nil && !removed {
						results[i].Outcome = "not a member"
					}
				}
				return results
			})
		},
	}
}

// memberResult is the result of a topic command for one contact.
type memberResult struct {
	Type      string `json:"type"`
	Topic     string `json:"topic"`
	Contact   string `json:"contact"`
	Outcome   string `json:"outcome"`
	DOIStatus string `json:"doi_status,omitempty"` // double opt-in: not_required, pending or confirmed
	Error     string `json:"error,omitempty"`

	err error
}

// member reads a typed contact: an address if it has an "@", else a contact id.
func member(contact string) owlat.AddMemberRequest {
	if strings.Contains(contact, "@") {
		return owlat.AddMemberRequest{Email: contact}
	}
	return owlat.AddMemberRequest{ContactID: contact}
}

type memberCall func(ctx context.Context, client *owlat.Client, topic string, contacts []string) []memberResult

// eachMember is what add and remove share: it checks the arguments, sends, prints, and returns one error for all contacts.
func eachMember(a *app, cmd *cobra.Command, args []string, send memberCall) error {
	topic, contacts := args[0], args[1:]
	if !config.ValidTopicID(topic) {
		return problem.Usage(fmt.Errorf("%q is not a topic id: that has at least 10 letters and digits; copy it from the topic's page in Owlat", topic))
	}
	for i, c := range contacts {
		if !strings.Contains(c, "@") {
			continue
		}
		address, err := owlatsync.NormalizeAddress(c)
		if err != nil {
			return problem.Usage(fmt.Errorf("%q: %w", c, err))
		}
		contacts[i] = address
	}
	client, to, err := a.openOwlat(cmd)
	if err != nil {
		return err
	}
	results := send(cmd.Context(), client, topic, contacts)
	err = printMembers(a, topic, results)
	if answer, ok := errors.AsType[*owlat.Error](err); ok && answer.StatusCode == http.StatusInternalServerError {
		return problem.Hint(err, "Owlat answers so to what is no topic's or contact's id: copy it from its page in Owlat")
	}
	return setup.Advise(err, to)
}

// printMembers prints every result and returns the first error, or one that counts them.
func printMembers(a *app, topic string, results []memberResult) error {
	var failed []error
	for _, r := range results {
		r.Type, r.Topic = "membership", topic
		if r.err != nil {
			failed = append(failed, r.err)
			r.Outcome, r.Error = "failed", r.err.Error()
		}
		switch {
		case a.JSON:
			if err := a.PrintJSON(r); err != nil {
				return err
			}
		case r.err != nil:
			a.Printf("%-12s  %s: %s\n", r.Outcome, r.Contact, r.Error)
		case r.DOIStatus == owlat.DOIPending:
			a.Printf("%-12s  %s (waits for the person's confirmation)\n", r.Outcome, r.Contact)
		default:
			a.Printf("%-12s  %s\n", r.Outcome, r.Contact)
		}
	}
	switch {
	case len(failed) == 0:
		return nil
	case len(failed) == 1 || exitcode.Of(failed[0]) != exitcode.Error:
		return failed[0]
	}
	return exitcode.With(exitcode.FailedRows, fmt.Errorf("%d of %d contacts failed", len(failed), len(results)))
}
