package entryrow

import (
	"strconv"
	"sync"
)

// Topics are the numbers under which the ledger keeps topics. Only those are here that a commit has made lasting. The zero value has none; it is safe for concurrent use.
type Topics struct {
	mu      sync.Mutex
	numbers map[string]int64
	column  []byte // All of them, as entry.Scan takes them
}

// Of returns the number of a topic that is known.
func (t *Topics) Of(topic string) (number int64, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	number, known = t.numbers[topic]
	return number, known
}

// Keep notes the number of a topic. It is called after the commit.
func (t *Topics) Keep(topic string, number int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.numbers[topic]; known {
		return
	}
	if t.numbers == nil {
		t.numbers = make(map[string]int64)
	}
	t.numbers[topic] = number
	// A reader may have the bytes before: they are never changed.
	t.column = append(append(strconv.AppendInt(t.column[:len(t.column):len(t.column)], number, 10), ':'), strconv.Itoa(len(topic))+":"+topic...)
}

// All returns the topics that are known, as entry.DecodeMembers takes them.
func (t *Topics) All() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.column
}

// Forget forgets all: the server may have lost what made them.
func (t *Topics) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.numbers, t.column = nil, nil
}
