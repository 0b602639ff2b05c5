package remote

import (
	"maps"
	"slices"
	"sync"

	"owlatsync/owlat"
)

// RefusedKeys notes which of several API keys Owlat refuses: pass its Note to owlat.WithKeyRefused. The zero value is ready. It is safe for concurrent use.
type RefusedKeys struct {
	mu     sync.Mutex
	places map[int]bool
}

// Note notes a refusal.
func (k *RefusedKeys) Note(r owlat.KeyRefusal) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.places == nil {
		k.places = make(map[int]bool)
	}
	k.places[r.Key] = true
}

// Places returns the places of the keys that were refused since the first Note, or earlier and still are, in their order.
func (k *RefusedKeys) Places(client *owlat.Client) []int {
	for _, key := range client.Keys() {
		for _, r := range key.Refused {
			k.Note(r)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Sorted(maps.Keys(k.places))
}
