package owlattest

import (
	"cmp"
	"slices"

	"owlatsync/owlat/owlattest/internal/model"
)

// KeyState is an API key that works.
type KeyState struct {
	Value  string
	Scopes []string
}

// TopicState is a topic that was not deleted.
type TopicState struct {
	ID          string
	Name        string
	DoubleOptIn bool
}

// Keys returns the keys that work, those with the most scopes first.
func (s *Server) Keys() []KeyState {
	defer s.lock()()
	return keysOf(s.model)
}

func keysOf(d *model.Deployment) []KeyState {
	var out []KeyState
	for _, k := range model.Ordered(d.Keys) {
		if k.Works() {
			out = append(out, KeyState{k.Value, slices.Clone(k.Scopes)})
		}
	}
	slices.SortStableFunc(out, func(a, b KeyState) int { return cmp.Compare(len(b.Scopes), len(a.Scopes)) })
	return out
}

// Topics returns the topics by name.
func (s *Server) Topics() []TopicState {
	defer s.lock()()
	return topicsOf(s.model)
}

func topicsOf(d *model.Deployment) []TopicState {
	var out []TopicState
	for _, t := range model.Ordered(d.Topics) {
		if !t.Deleted {
			out = append(out, TopicState{t.ID, t.Name, t.DoubleOptIn})
		}
	}
	slices.SortStableFunc(out, func(a, b TopicState) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
