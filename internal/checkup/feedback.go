package checkup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/feedback"
	"owlatsync/internal/problem"
	"owlatsync/internal/setup"
	"owlatsync/internal/words"
	"owlatsync/internal/writeback"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

const (
	// lookedAt is how many of the newest contacts are read to see whether somebody else changes them.
	lookedAt = 300
	pageSize = 100
)

// hearing checks what the service needs to hear and to write back.
type hearing struct{ *checker }

// check checks whether webhooks arrive and whether each write-back could be told. Without either it checks nothing.
func (c hearing) check(ctx context.Context) {
	cfg := c.Config
	if len(cfg.Webhooks.Secrets) == 0 && len(cfg.WriteBacks) == 0 && cfg.Feedback.Every == 0 {
		return
	}
	c.Listener.Feedback()
	if cfg.NoService != nil {
		c.found(Finding{Area: AreaFeedback, Subject: "settings", Status: Warning, Message: cfg.NoService.Error()})
		return
	}
	c.rounds()
	switch {
	case len(cfg.Webhooks.Secrets) == 0 && cfg.Feedback.Every > 0: // whoever leaves is found without them
	case len(cfg.Webhooks.Secrets) == 0:
		c.found(Finding{Area: AreaFeedback, Subject: "webhooks", Status: Warning, Message: "there is no secret, so that no webhook is taken in and nothing written back: add webhooks: {secrets: […]}, or feedback: poll"})
	case c.readable:
		c.silence(ctx)
	}
	for _, w := range cfg.WriteBacks {
		c.writeBack(ctx, w)
	}
}

// rounds says what it takes to look for people who have left.
func (c hearing) rounds() {
	cfg := c.Config.Feedback
	if cfg.Every == 0 {
		return
	}
	f := Finding{Area: AreaFeedback, Subject: "who leaves", Status: OK, Message: "looked for every " + words.Span(cfg.Every)}
	takes := setup.RoundTakes(c.Config, c.contacts)
	all := takes.Whole
	switch span := func(s float64) string { return words.Span(time.Duration(s * float64(time.Second))) }; {
	case c.contacts == 0:
	case cfg.All:
		f.Message += fmt.Sprintf(": a round takes at most %s, and nothing of the budget", span(all.Seconds))
		if time.Duration(all.Seconds*float64(time.Second)) > cfg.Every {
			f.Status = Warning
			f.Message += "; that is longer than the interval: read: moved takes less, or give feedback.poll a longer one"
		}
	default:
		list := takes.Usual
		f.Message += fmt.Sprintf(": a round takes %s of the budget, and with a hundredth of the contacts changed %s; at most %s more",
			words.Plural(list.Requests, "request"), span(list.Seconds), span(all.Seconds))
	}
	c.found(f)
}

// silence checks whether Owlat tells what it should tell.
func (c hearing) silence(ctx context.Context) {
	f := Finding{Area: AreaFeedback, Subject: "webhooks", Status: OK}
	l, err := c.Opener.Ledger(ctx, c.Config)
	if err == nil {
		f.Status, f.Message, err = c.judge(ctx, l, l.Now())
		err = errors.Join(err, l.Close())
	}
	if err != nil {
		f.Message = err.Error()
		c.fail(exitcode.Of(err), f)
		return
	}
	c.found(f)
}

// judge says when the latest webhook came. It warns if none ever has, or if others should have come since: contacts were created, or
// changed by somebody else.
func (c hearing) judge(ctx context.Context, l ledger.Store, now time.Time) (Status, string, error) {
	s, err := feedback.SilenceOf(ctx, l, now)
	if err != nil {
		return OK, "", err
	}
	message := "none has ever come"
	if !s.Last.IsZero() {
		message = "the latest came at " + words.Clock(s.Last)
	}
	after := c.Config.Webhooks.SilentAfter
	switch {
	case after == 0:
	case s.Contacts > 0:
		return Warning, message + fmt.Sprintf(", although runs have created %s since %s\n%s", words.Plural(s.Contacts, "contact"), words.Clock(s.Since), setUpAdvice), nil
	case now.Sub(s.Last) > after:
		moved, looked, err := c.moved(ctx, l, s.Last)
		if err != nil || moved == 0 && !s.Last.IsZero() {
			return OK, message, err
		}
		if moved == 0 {
			return Warning, message + ", so that nobody knows whether any would arrive\n" + setUpAdvice, nil
		}
		return Warning, message + fmt.Sprintf(", although %d of the newest %s were changed in Owlat by somebody else since; they may have left topics\n%s",
			moved, words.Plural(looked, "contact"), setUpAdvice), nil
	}
	return OK, message, nil
}

// setUpAdvice says what to do if no webhook comes.
const setUpAdvice = "see in Owlat that the webhook is active, has the events topic.unsubscribed, email.bounced, email.complained and contact.created, and reaches " +
	"/webhooks/owlat of \"owlat-sync serve\" from outside; a trial from its page in Owlat must show in \"owlat-sync feedback\""

// moved counts contacts whose updatedAt moved after the time although no sync moved it, of the newest. If Owlat does not answer, which
// other checks tell, it counts none.
func (c hearing) moved(ctx context.Context, l ledger.Reader, since time.Time) (moved, looked int, err error) {
	client, err := c.Opener.Client(c.Config.Owlat, owlat.WithLimiter(setup.Limiter(c.Config.Owlat)))
	if err != nil {
		return 0, 0, err
	}
	defer client.CloseIdleConnections()
	ask := owlat.ListContactsRequest{Limit: pageSize}
	for looked < lookedAt {
		page, err := client.Contacts.List(ctx, ask)
		if err != nil {
			return moved, looked, ctx.Err()
		}
		looked += len(page.Contacts)
		n, err := movedOf(ctx, l, page.Contacts, since)
		if err != nil {
			return 0, 0, err
		}
		if moved += n; page.Done {
			break
		}
		ask.Cursor = page.Cursor
	}
	return moved, looked, nil
}

func movedOf(ctx context.Context, l ledger.Reader, contacts []owlat.Contact, since time.Time) (moved int, err error) {
	var ids []string
	for _, contact := range contacts {
		ids = append(ids, contact.ID)
	}
	holders, err := l.Sharers(ctx, ids)
	if err != nil {
		return 0, err
	}
	witnesses := make(map[string]time.Time)
	for _, h := range holders {
		if w := h.Entry.Witness; w.After(witnesses[h.Entry.ContactID]) {
			witnesses[h.Entry.ContactID] = w
		}
	}
	for _, contact := range contacts {
		if w := witnesses[contact.ID]; !w.IsZero() && contact.UpdatedAt.After(w) && contact.UpdatedAt.After(since) {
			moved++
		}
	}
	return moved, nil
}

// writeBack checks whether a write-back could be told.
func (c hearing) writeBack(ctx context.Context, w config.WriteBack) {
	f := Finding{Area: AreaFeedback, Subject: "write-back " + w.Name, Status: OK}
	target, err := c.Opener.WriteBack(w)
	if err == nil {
		err = errors.Join(target.Check(ctx), target.Close())
	}
	if err != nil {
		f.Message = err.Error()
		if hint := problem.HintOf(err); hint != "" {
			f.Message += "; " + hint
		}
		c.fail(exitcode.Of(err), f)
		return
	}
	statement, isStatement := target.(*writeback.Statement)
	switch {
	case isStatement && slices.Contains(w.On, owlat.WebhookTopicUnsubscribed) && !statement.Has("topic") && c.topicsOf(w.Statement.Sync) > 1:
		f.Status = Warning
		f.Message = "the statement does the same for each topic that somebody leaves, because it lacks :topic, and its sync has several"
	case isStatement:
		f.Message = "the database takes the statement; it was not run"
	case w.Hook != nil:
		f.Message = "a webhook cannot be tried without telling it something"
	}
	c.found(f)
}

// topicsOf returns how many topics a sync has.
func (c hearing) topicsOf(sync string) int {
	if s := c.Config.Sync(sync); s != nil {
		return len(s.Topics)
	}
	return 0
}
