package owlattest

import (
	"cmp"
	"fmt"
	"slices"

	"owlatsync/owlat/owlattest/internal/model"
	"owlatsync/owlat/owlattest/internal/webhooks"
)

// Scopes an API key can have.
const (
	ScopeContactsRead      = "contacts:read"
	ScopeContactsWrite     = "contacts:write"
	ScopeTopicsWrite       = "topics:write"
	ScopeEventsWrite       = "events:write"
	ScopeTransactionalSend = "transactional:send"
)

// AllScopes returns the five scopes.
func AllScopes() []string {
	return []string{ScopeContactsRead, ScopeContactsWrite, ScopeTopicsWrite, ScopeEventsWrite, ScopeTransactionalSend}
}

// Given is a state to start from: the given of a recorded exchange and the body of POST /__sandbox/reset.
type Given struct {
	Keys      map[string]GivenKey      `json:"keys"`
	Topics    map[string]GivenTopic    `json:"topics"`
	Webhooks  map[string]GivenWebhook  `json:"webhooks"`
	Templates map[string]GivenTemplate `json:"templates"`
	// UnsubscribeSecret signs the links in mails; empty: the one that the server has.
	UnsubscribeSecret string `json:"unsubscribeSecret"`
}

// GivenKey is an API key. Without a Value one is made up.
type GivenKey struct {
	Scopes  []string `json:"scopes"`
	Active  *bool    `json:"active"` // nil: true
	Expired bool     `json:"expired"`
	Value   string   `json:"value"`
}

// GivenTopic is a topic. Without a Name it is called as its key in Given.
type GivenTopic struct {
	DoubleOptIn bool   `json:"doubleOptIn"`
	Name        string `json:"name"`
}

// GivenWebhook is a subscription to webhooks.
type GivenWebhook struct {
	URL    string   `json:"url"`
	Secret string   `json:"secret"`
	Events []string `json:"events"`
}

// GivenTemplate is a transactional mail. Without a Slug it has its key in Given.
type GivenTemplate struct {
	Slug      string   `json:"slug"`
	Published *bool    `json:"published"` // nil: true
	Languages []string `json:"languages"` // the first is the default; none: English
}

// Made is what Setup made, by the names in Given: the values of keys and the ids of the others. As JSON it is the answer
// to POST /__sandbox/reset.
type Made struct {
	Keys      map[string]string `json:"keys"`
	Topics    map[string]string `json:"topics"`
	Webhooks  map[string]string `json:"-"`
	Templates map[string]string `json:"templates,omitempty"`
}

// Setup resets everything, the counts and faults included, and makes what is given. If that makes no sense, nothing
// changes.
func (s *Server) Setup(g Given) (Made, error) {
	if err := g.check(); err != nil {
		return Made{}, fmt.Errorf("set up: %w", err)
	}
	defer s.lock()()
	s.clear()
	s.model.Changed()
	return g.make(s.model, &s.hooks), nil
}

func (g Given) make(d *model.Deployment, hooks *webhooks.Sender) Made {
	made := Made{
		Keys: map[string]string{}, Topics: map[string]string{}, Webhooks: map[string]string{}, Templates: map[string]string{},
	}
	if g.UnsubscribeSecret != "" {
		d.Links.SetSecret(g.UnsubscribeSecret)
	}
	for name, k := range model.Ordered(g.Keys) {
		made.Keys[name] = d.AddKey(model.Key{Value: k.Value, Scopes: k.Scopes, Inactive: k.Active != nil && !*k.Active, Expired: k.Expired}).Value
	}
	for name, t := range model.Ordered(g.Topics) {
		made.Topics[name] = d.AddTopic(cmp.Or(t.Name, name), t.DoubleOptIn).ID
	}
	for name, w := range model.Ordered(g.Webhooks) {
		made.Webhooks[name] = d.Random.ID()
		hooks.Add(webhooks.Subscription{ID: made.Webhooks[name], URL: w.URL, Secret: w.Secret, Events: slices.Clone(w.Events)})
	}
	for name, t := range model.Ordered(g.Templates) {
		made.Templates[name] = d.AddTemplate(cmp.Or(t.Slug, name), t.Published == nil || *t.Published, t.Languages).ID
	}
	return made
}

func (g Given) check() error {
	values := map[string]string{}
	for name, k := range model.Ordered(g.Keys) {
		for _, scope := range k.Scopes {
			if !slices.Contains(AllScopes(), scope) {
				return fmt.Errorf("key %q: unknown scope %q; known are %q", name, scope, AllScopes())
			}
		}
		if k.Value == "" {
			continue
		}
		if !model.ValidKey(k.Value) {
			return fmt.Errorf("key %q: the value must be lm_live_ and at least 32 letters and digits", name)
		}
		if other, taken := values[k.Value]; taken {
			return fmt.Errorf("keys %q and %q have the same value", other, name)
		}
		values[k.Value] = name
	}
	for name, w := range model.Ordered(g.Webhooks) {
		if err := webhooks.Check(w.URL, w.Events); err != nil {
			return fmt.Errorf("webhook %q: %w", name, err)
		}
		if w.Secret == "" {
			return fmt.Errorf("webhook %q: the secret is missing", name)
		}
	}
	return nil
}

// AddKey makes an active key with the given scopes, or with all five, and returns its value.
func (s *Server) AddKey(scopes ...string) string {
	defer s.lock()()
	if len(scopes) == 0 {
		scopes = AllScopes()
	}
	s.model.Changed()
	return s.model.AddKey(model.Key{Scopes: scopes}).Value
}

// AddTopic makes a topic and returns its id.
func (s *Server) AddTopic(name string, doubleOptIn bool) (id string) {
	defer s.lock()()
	s.model.Changed()
	return s.model.AddTopic(name, doubleOptIn).ID
}

// AddTemplate makes a transactional mail that can be sent by its slug or by the id returned. The languages are the ones
// it exists in, the first being its default; none means English. An unpublished mail is refused.
func (s *Server) AddTemplate(slug string, published bool, languages ...string) (id string) {
	defer s.lock()()
	s.model.Changed()
	return s.model.AddTemplate(slug, published, languages).ID
}
