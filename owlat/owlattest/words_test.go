package owlattest

import (
	"slices"
	"testing"

	"owlatsync/owlat/owlattest/internal/faults"
	"owlatsync/owlat/owlattest/internal/model"
	"owlatsync/owlat/owlattest/internal/routes"
	"owlatsync/owlat/owlattest/internal/webhooks"
)

// TestWordsAreThoseOfTheRooms compares the words of the public face, which stand there for its readers, with those that the
// rooms inside use.
func TestWordsAreThoseOfTheRooms(t *testing.T) {
	t.Parallel()
	var kinds, actions []string
	for _, k := range FaultKinds {
		kinds = append(kinds, string(k))
	}
	var insideKinds []string
	for _, k := range faults.Kinds() {
		insideKinds = append(insideKinds, string(k))
	}
	for _, a := range []Action{Created, Deleted, Erased, Added, Removed, Unsubscribed, OptedOut, OptOutLifted, Confirmed, TopicDeleted, Merged} {
		actions = append(actions, string(a))
	}
	var insideActions []string
	for _, a := range []model.Action{
		model.Created, model.Deleted, model.Erased, model.Added, model.Removed, model.Unsubscribed, model.OptedOut, model.OptOutLifted,
		model.Confirmed, model.TopicDeleted, model.Merged,
	} {
		insideActions = append(insideActions, string(a))
	}
	for name, words := range map[string][2][]string{
		"faults":  {kinds, insideKinds},
		"actions": {actions, insideActions},
		"actors":  {{string(ByAPI), string(ByPerson), string(ByDashboard)}, {string(model.ByAPI), string(model.ByPerson), string(model.ByDashboard)}},
		"scopes":  {AllScopes(), model.Scopes()},
		"routes": {
			{RouteContacts, RouteContact, RouteTopicContacts, RouteTopicContact, RouteEvents, RouteTransactional, RouteHealth, RoutePreferences, RouteUnsubscribe, RouteUnsubscribing}, routes.Names(),
		},
		"events": {
			{WebhookContactCreated, WebhookTopicUnsubscribed, WebhookEmailBounced, WebhookEmailComplained},
			{webhooks.ContactCreated, webhooks.TopicUnsubscribed, webhooks.EmailBounced, webhooks.EmailComplained},
		},
	} {
		if !slices.Equal(words[0], words[1]) {
			t.Errorf("%s: %q outside, %q inside", name, words[0], words[1])
		}
	}
}
