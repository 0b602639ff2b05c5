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
	"owlatsync/internal/problem"
	"owlatsync/internal/setup"
	"owlatsync/internal/topics"
	"owlatsync/internal/words"
	"owlatsync/owlat"
)

// mostTopics is how many topics a check lists.
const mostTopics = 20

// enables is what the unsubscribe secret is good for.
const enables = "topics may be named by their names, and explain tells who is on them now"

// links proves the unsubscribe secret on one contact, without effect, and returns the topics that Owlat tells, none if it does not.
func (c deployment) links(ctx context.Context, client *owlat.Client) (book topics.Book) {
	f := Finding{Area: AreaOwlat, Subject: "unsubscribe secret", Status: Note}
	if !client.Preferences.Configured() {
		f.Message = "none; if you host Owlat yourself, set owlat.unsubscribe_secret to its UNSUBSCRIBE_SECRET, and " + enables
		if slices.ContainsFunc(c.Config.Syncs, func(s config.Sync) bool { return s.Suppressed.Column != "" }) {
			f.Message += "\nwithout it, people to whom no mail may go (suppressed) are taken off the topics of their sync; Owlat cannot be told more"
		}
		c.found(f)
		return book
	}
	book, err := topics.Read(ctx, client, setup.Recall{Opener: c.Opener, Config: c.Config}.Contact)
	switch {
	case err == nil:
		f.Status, f.Message = OK, "it is that of the deployment: "+enables+listed(book.Topics())
		c.found(f)
	case errors.Is(err, owlat.ErrNotFound) && !errors.Is(err, owlat.ErrNoRoute): // Owlat has looked at the signature first
		f.Status, f.Message = OK, "it is that of the deployment: "+enables+"\nthe contact that it was tried with is gone, so the topics are not listed"
		c.found(f)
	case errors.Is(err, topics.ErrNobody):
		f.Message = "it cannot be proven yet, because Owlat has no contact; check again after the first run"
		c.found(f)
	case errors.Is(err, owlat.ErrForbidden):
		f.Message = "it cannot be proven: the key may not list contacts, and the ledger knows none yet; give the key the scope contacts:read, or check again after the first run"
		c.found(f)
	default:
		c.misfit(err, client, f)
	}
	return book
}

// named finds out what the names of topics in the configuration stand for. What follows then knows the topics by their ids.
func (c deployment) named(ctx context.Context, book topics.Book) error {
	if !c.Config.Unresolved() {
		return nil
	}
	before, err := setup.Recall{Opener: c.Opener, Config: c.Config}.Names(ctx)
	if err != nil {
		return err
	}
	f := Finding{Area: AreaOwlat, Subject: "names of topics"}
	resolved, err := c.Config, errors.New("the topics are not known from Owlat (see the unsubscribe secret): give the topics' ids in place of their names, or mend that")
	if len(book.Topics()) > 0 {
		resolved, err = setup.Named(c.Config, book, before)
	}
	if err != nil {
		f.Message = err.Error()
		if hint := problem.HintOf(err); hint != "" {
			f.Message += "; " + hint
		}
		c.fail(exitcode.Usage, f)
		resolved = before.Apply(c.Config)
	}
	syncs := make([]config.Sync, len(c.Syncs))
	for i, s := range c.Syncs {
		syncs[i] = *resolved.Sync(s.Name)
		for j, t := range syncs[i].Topics {
			if t.ID == "" {
				syncs[i].Topics[j].ID = t.Name // only to show rows by it
			}
		}
	}
	c.Config, c.Syncs = resolved, syncs
	return nil
}

// listed lists topics, a line each.
func listed(all []topics.Topic) string {
	var b strings.Builder
	if len(all) == 0 {
		b.WriteString("\nOwlat has no topic")
	}
	for _, t := range all[:min(len(all), mostTopics)] {
		b.WriteString("\ntopic " + t.String())
	}
	if more := len(all) - mostTopics; more > 0 {
		fmt.Fprintf(&b, "\nand %s", words.Several(more, "other topic", "other topics"))
	}
	return b.String()
}

// misfit notes why the secret does not work, and what to do about it. The API has answered before, so the address is right for that.
func (c deployment) misfit(err error, client *owlat.Client, f Finding) {
	refusal, _ := errors.AsType[*owlat.PreferencesError](err)
	url := c.Config.Owlat.URL
	switch {
	case refusal != nil && refusal.Reason == owlat.ReasonInvalidSignature:
		f.Message = fmt.Sprintf("it is not that of the deployment at %s, which signs with another one: set owlat.unsubscribe_secret to what that very deployment has as %s, "+
			"not to that of another deployment, the API key or the secret of a webhook", url, config.EnvSecret)
	case refusal != nil && refusal.Reason == owlat.ReasonExpired:
		f.Message = "Owlat takes what was signed this moment for too old" + apart(client, time.Now()) + ": set the clock of this machine, best by NTP, or that of the deployment"
	case errors.Is(err, owlat.ErrNoRoute):
		f.Message = fmt.Sprintf("the API answers at %s, but the links of Owlat's mails do not: this Owlat may be older than they are, or owlat.url has a path that leads to the API alone; "+
			"use the address that the links in its mails begin with", url)
	default:
		c.refused(err, f)
		return
	}
	c.fail(exitcode.Of(err), f)
}

// apart says how far the clock of this machine, which shows now, is from the deployment's; nothing if they are close.
func apart(client *owlat.Client, now time.Time) string {
	earliest, latest, known := client.ServerTime(now)
	switch {
	case !known:
		return ""
	case now.Before(earliest.Add(-clocksApart)):
		return fmt.Sprintf(", because the clock of this machine is %s behind that of the deployment", words.Span(earliest.Sub(now).Round(time.Minute)))
	case now.After(latest.Add(clocksApart)):
		return fmt.Sprintf(", although the clock of this machine is %s ahead of that of the deployment", words.Span(now.Sub(latest).Round(time.Minute)))
	}
	return ""
}
