package owlattest

import (
	"slices"
	"testing"
)

func TestInventory(t *testing.T) {
	t.Parallel()
	var s Server
	reader := s.AddKey(ScopeContactsRead)
	all := s.AddKey()
	news, offers := s.AddTopic("news", true), s.AddTopic("a-offers", false)
	if err := s.DeleteTopic("a-offers"); err != nil {
		t.Fatal(err)
	}
	early := s.AddTopic("alpha", false)
	var keys []string
	for _, k := range s.Keys() {
		keys = append(keys, k.Value)
	}
	if want := []string{all, reader}; !slices.Equal(keys, want) {
		t.Errorf("keys %q, want %q", keys, want)
	}
	if got, want := s.Topics(), []TopicState{{early, "alpha", false}, {news, "news", true}}; !slices.Equal(got, want) {
		t.Errorf("topics %+v, want %+v; deleted %s", got, want, offers)
	}
}
