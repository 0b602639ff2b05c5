package owlattest

import (
	"cmp"
	"slices"
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
	s.lock()
	defer s.mu.Unlock()
	var out []KeyState
	for _, k := range ordered(s.keys) {
		if !k.off && !k.late {
			out = append(out, KeyState{k.value, slices.Clone(k.scopes)})
		}
	}
	slices.SortStableFunc(out, func(a, b KeyState) int { return cmp.Compare(len(b.Scopes), len(a.Scopes)) })
	return out
}

// Topics returns the topics by name.
func (s *Server) Topics() []TopicState {
	s.lock()
	defer s.mu.Unlock()
	var out []TopicState
	for _, t := range ordered(s.topics) {
		if !t.deleted {
			out = append(out, TopicState{t.id, t.name, t.doubleOptIn})
		}
	}
	slices.SortStableFunc(out, func(a, b TopicState) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
