package owlattest

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// Given is a state to start from: the given of a recorded exchange and the body of POST /__sandbox/reset.
type Given struct {
	Keys      map[string]GivenKey      `json:"keys"`
	Topics    map[string]GivenTopic    `json:"topics"`
	Webhooks  map[string]GivenWebhook  `json:"webhooks"`
	Templates map[string]GivenTemplate `json:"templates"`
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
	s.lock()
	defer s.mu.Unlock()
	s.clear()
	s.changed()
	made := Made{
		Keys: map[string]string{}, Topics: map[string]string{}, Webhooks: map[string]string{}, Templates: map[string]string{},
	}
	for name, k := range ordered(g.Keys) {
		made.Keys[name] = s.addKey(k.Value, k.Scopes, k.Active == nil || *k.Active, k.Expired).value
	}
	for name, t := range ordered(g.Topics) {
		made.Topics[name] = s.addTopic(cmp.Or(t.Name, name), t.DoubleOptIn).id
	}
	for name, w := range ordered(g.Webhooks) {
		made.Webhooks[name] = s.addWebhook(w.URL, w.Secret, w.Events)
	}
	for name, t := range ordered(g.Templates) {
		made.Templates[name] = s.addTemplate(cmp.Or(t.Slug, name), t.Published == nil || *t.Published, t.Languages)
	}
	return made, nil
}

func (g Given) check() error {
	values := map[string]string{}
	for name, k := range ordered(g.Keys) {
		for _, scope := range k.Scopes {
			if !slices.Contains(AllScopes(), scope) {
				return fmt.Errorf("key %q: unknown scope %q; known are %q", name, scope, AllScopes())
			}
		}
		if k.Value == "" {
			continue
		}
		if !validKey(k.Value) {
			return fmt.Errorf("key %q: the value must be lm_live_ and at least 32 letters and digits", name)
		}
		if other, taken := values[k.Value]; taken {
			return fmt.Errorf("keys %q and %q have the same value", other, name)
		}
		values[k.Value] = name
	}
	for name, w := range ordered(g.Webhooks) {
		if err := checkWebhook(w.URL, w.Events); err != nil {
			return fmt.Errorf("webhook %q: %w", name, err)
		}
		if w.Secret == "" {
			return fmt.Errorf("webhook %q: the secret is missing", name)
		}
	}
	return nil
}

// ordered yields m by its keys' order, so that the same seed gives the same ids.
func ordered[T any](m map[string]T) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}
