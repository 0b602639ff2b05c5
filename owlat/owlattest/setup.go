package owlattest

import "fmt"

// Given is a state to start from: the given of a recorded exchange and the body of POST /__sandbox/reset.
type Given struct {
	Keys     map[string]GivenKey     `json:"keys"`
	Topics   map[string]GivenTopic   `json:"topics"`
	Webhooks map[string]GivenWebhook `json:"webhooks"`
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

// Made is what Setup made: the values of keys and the ids of topics, by their names in Given.
type Made struct {
	Keys   map[string]string `json:"keys"`
	Topics map[string]string `json:"topics"`
}

// Setup resets everything and makes what is given. If that makes no sense, nothing changes.
func (s *Server) Setup(g Given) (Made, error) {
	for name, k := range g.Keys {
		if k.Value != "" && !validKey(k.Value) {
			return Made{}, fmt.Errorf("key %q: the value is not of the form of a key", name)
		}
	}
	s.lock()
	defer s.mu.Unlock()
	s.clear()
	made := Made{Keys: map[string]string{}, Topics: map[string]string{}}
	for name, k := range g.Keys {
		value := k.Value
		if value == "" {
			value = s.newKeyValue()
		}
		s.keys[value] = &apiKey{value: value, scopes: k.Scopes, off: k.Active != nil && !*k.Active, late: k.Expired}
		made.Keys[name] = value
	}
	for name, t := range g.Topics {
		called := t.Name
		if called == "" {
			called = name
		}
		made.Topics[name] = s.addTopic(called, t.DoubleOptIn).id
	}
	return made, nil
}
