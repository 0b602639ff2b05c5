package checkup

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/problem"
	"owlatsync/internal/setup"
	"owlatsync/internal/topics"
	"owlatsync/internal/words"
	"owlatsync/owlat"
)

// deployment checks what a run needs from Owlat.
type deployment struct {
	*checker
	place int // of the API key that is tested among several, from 1; 0: it is the only one
}

// check tests the deployment, each key with its scopes, and the topics.
func (c deployment) check(ctx context.Context) error {
	first, err := c.Opener.Client(c.Config.Owlat)
	if err != nil {
		return err
	}
	defer first.CloseIdleConnections()
	if _, err := first.Health(ctx); err != nil {
		c.refused(err, Finding{Area: AreaOwlat, Subject: "deployment"})
		return nil
	}
	c.found(Finding{Area: AreaOwlat, Subject: "deployment", Status: OK, Message: "it answers"})
	proven := false // a key has shown what does not depend on the key
	keys := c.Config.Owlat.Keys()
	for i, key := range keys {
		one := c.Config.Owlat
		if one.APIKey, one.MoreKeys = key, nil; len(keys) > 1 {
			c.place = i + 1
		}
		accepted, err := keyed{c, one}.check(ctx, !proven)
		if err != nil {
			return err
		}
		proven = proven || accepted
	}
	return nil
}

// keyed checks what a run needs of one API key.
type keyed struct {
	deployment
	to config.Owlat // with that key alone
}

// check tests what the deployment takes with the key and, for the first one, what does not depend on the key. It reports whether the key is
// accepted.
func (c keyed) check(ctx context.Context, first bool) (bool, error) {
	limiter := setup.Limiter(c.to)
	client, err := c.Opener.Client(c.to, owlat.WithLimiter(limiter))
	if err != nil {
		return false, err
	}
	defer client.CloseIdleConnections()
	// Owlat answers 500 to a topic id that is no id: retries would only take time.
	hasty, err := c.Opener.Client(c.to, owlat.WithLimiter(limiter), owlat.WithRetries(0))
	if err != nil {
		return false, err
	}
	defer hasty.CloseIdleConnections()
	if !c.keyAndReading(ctx, client) {
		return false, nil
	}
	c.writing(ctx, client)
	if first {
		book := c.links(ctx, client)
		if err := c.named(ctx, book); err != nil {
			return true, err
		}
		c.topics(ctx, hasty, book)
	} else {
		c.topicScope(ctx, hasty)
	}
	c.events(ctx, client)
	return true, nil
}

// of names what is tested of the key.
func (c deployment) of(scope string) string {
	if c.place == 0 {
		return "scope " + scope
	}
	return fmt.Sprintf("scope %s of API key %d", scope, c.place)
}

// refused notes a failed request and what to do about it.
func (c deployment) refused(err error, f Finding) {
	f.Message = err.Error()
	if errors.Is(err, owlat.ErrForbidden) {
		f.Message = "the key lacks it"
	}
	hint := problem.HintOf(setup.Advise(err, c.Config.Owlat))
	switch {
	case c.place == 0:
	case errors.Is(err, owlat.ErrUnauthenticated):
		hint = "runs go on with the other keys, more slowly: make another API key in Owlat's settings, and put it in this place of \"api_keys\""
	case errors.Is(err, owlat.ErrForbidden):
		hint = "runs use the other keys for what needs it, more slowly: give the key this scope in Owlat's settings, or put another one in this place of \"api_keys\""
	}
	if hint != "" {
		f.Message += "; " + hint
	}
	c.fail(exitcode.Of(err), f)
}

// keyAndReading checks the key and the scope contacts:read, and reports whether other checks make sense.
func (c deployment) keyAndReading(ctx context.Context, client *owlat.Client) bool {
	key, scope := Finding{Area: AreaOwlat, Subject: "API key"}, Finding{Area: AreaOwlat, Subject: c.of("contacts:read")}
	if c.place > 0 {
		key.Subject = fmt.Sprintf("API key %d", c.place)
	}
	page, err := client.Contacts.List(ctx, owlat.ListContactsRequest{Limit: 1})
	switch {
	case err == nil:
		key.Status, key.Message = OK, "accepted"
		c.found(key)
		scope.Status, scope.Message = OK, "Owlat has "+words.Plural(page.Total, "contact")
		c.contacts = page.Total
		c.found(scope)
	case errors.Is(err, owlat.ErrForbidden):
		key.Status, key.Message = OK, "accepted"
		c.found(key)
		if c.place == 0 && slices.ContainsFunc(c.Syncs, func(s config.Sync) bool { return !s.Overwrite.Always() }) {
			c.refused(fmt.Errorf("look before a change (overwrite): %w", err), scope)
			return true
		}
		scope.Status = Warning
		scope.Message = "the key lacks it: existing contacts cannot be compared, so that the first run sends more requests"
		if c.place > 0 {
			scope.Message = "the key lacks it: it takes no part in reading contacts"
		}
		c.found(scope)
	default:
		c.refused(err, key)
		return false
	}
	return true
}

// writing sends, unless all syncs only send events, an update of an impossible contact id: Owlat checks the scope first, then refuses the id.
func (c deployment) writing(ctx context.Context, client *owlat.Client) {
	if len(c.Syncs) > 0 && !slices.ContainsFunc(c.Syncs, func(s config.Sync) bool { return !s.Match }) {
		return // nothing is written
	}
	f := Finding{Area: AreaOwlat, Subject: c.of("contacts:write")}
	_, err := client.Contacts.Update(ctx, "x", owlat.UpdateContactRequest{})
	if statusOf(err) == http.StatusBadRequest {
		f.Status = OK
		c.found(f)
		return
	}
	c.unexpected(err, f)
}

func (c deployment) unexpected(err error, f Finding) {
	if err == nil {
		err = errors.New("the deployment took a request that it should have refused")
	}
	c.refused(err, f)
}

// events sends an event for an impossible address if a sync has events: Owlat checks the scope first, then refuses the address.
func (c deployment) events(ctx context.Context, client *owlat.Client) {
	if !slices.ContainsFunc(c.Syncs, func(s config.Sync) bool { return len(s.Events) > 0 }) {
		return
	}
	f := Finding{Area: AreaOwlat, Subject: c.of("events:write")}
	_, err := client.Events.Send(ctx, owlat.SendEventRequest{Email: "x", Name: "x"})
	if statusOf(err) == http.StatusBadRequest {
		f.Status = OK
		c.found(f)
		return
	}
	c.unexpected(err, f)
}

// topics sends a removal of an impossible contact id for each topic: Owlat checks the scope, looks for the topic, and then
// refuses the id.
func (c deployment) topics(ctx context.Context, client *owlat.Client, book topics.Book) {
	users := make(map[string][]string)
	var ids []string
	for _, s := range c.Syncs {
		for _, t := range s.Topics {
			if t.Unresolved() {
				continue // it was said
			}
			if users[t.ID] == nil {
				ids = append(ids, t.ID)
			}
			users[t.ID] = append(users[t.ID], s.Name)
		}
	}
	scope := Finding{Area: AreaOwlat, Subject: c.of("topics:write")}
	known := false // the key is known to have the scope
	for _, id := range ids {
		_, err := client.Topics.Remove(ctx, id, "x")
		if errors.Is(err, owlat.ErrForbidden) || exitcode.Of(err) == exitcode.Refused {
			c.refused(err, scope)
			return
		}
		if !known && statusOf(err) != 0 {
			known, scope.Status = true, OK
			c.found(scope)
		}
		f := Finding{Area: AreaOwlat, Subject: "topic " + id, Message: "of sync " + strings.Join(users[id], ", ")}
		if name, known := book.Name(id); known {
			f.Message = fmt.Sprintf("%q, %s", name, f.Message)
		}
		switch {
		case statusOf(err) == http.StatusBadRequest:
			f.Status = OK
			c.found(f)
		case errors.Is(err, owlat.ErrNotFound) && !errors.Is(err, owlat.ErrNoRoute), statusOf(err) == http.StatusInternalServerError:
			f.Message += ": Owlat has no topic with this id; copy it from the topic's page in Owlat" + called(book, id)
			c.fail(exitcode.Usage, f)
		default:
			c.unexpected(err, f)
		}
	}
}

// topicScope sends a removal of an impossible contact id, as topics does, for one topic of those that are known.
func (c keyed) topicScope(ctx context.Context, client *owlat.Client) {
	for _, s := range c.Syncs {
		for _, t := range s.Topics {
			if t.Unresolved() {
				continue
			}
			scope := Finding{Area: AreaOwlat, Subject: c.of("topics:write")}
			_, err := client.Topics.Remove(ctx, t.ID, "x")
			if errors.Is(err, owlat.ErrForbidden) || exitcode.Of(err) == exitcode.Refused || statusOf(err) == 0 {
				c.unexpected(err, scope)
				return
			}
			scope.Status = OK
			c.found(scope)
			return
		}
	}
}

// called says what to write where a topic's name stands in the place of its id.
func called(book topics.Book, text string) string {
	if _, err := book.Find(text); err != nil {
		return ""
	}
	return ", or write \"name: " + text + "\", because a topic is called so"
}

// statusOf returns the status of an error answer, 0 without an answer.
func statusOf(err error) int {
	if answer, ok := errors.AsType[*owlat.Error](err); ok {
		return answer.StatusCode
	}
	return 0
}
