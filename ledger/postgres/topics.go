package postgres

import (
	"errors"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5"
)

// topics are the numbers under which the ledger keeps topics. Only those are here that a commit has made lasting.
type topics struct {
	mu      sync.Mutex
	numbers map[string]int64
	column  []byte // all of them, as entry.Scan takes them
}

func (t *topics) of(topic string) (number int64, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	number, known = t.numbers[topic]
	return number, known
}

func (t *topics) keep(topic string, number int64) {
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

// all returns the topics that are known, as entry.DecodeMembers takes them.
func (t *topics) all() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.column
}

// forget forgets all: the server may have lost what made them.
func (t *topics) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.numbers, t.column = nil, nil
}

// topicID returns the number of a topic, and makes it if it is new. It runs on its own, because a number that nobody uses does no harm.
func (t *tx) topicID(topic string) (id int64, err error) {
	if id, known := t.l.topics.of(topic); known {
		return id, nil
	}
	err = t.Row("SELECT id FROM @topics WHERE deployment = $1 AND sha256(topic) = sha256($2::bytea)", []any{t.deployment, topic}, &id)
	if err == nil {
		t.l.topics.keep(topic, id)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		err = t.Row(`INSERT INTO @topics AS t (deployment, topic) VALUES ($1, $2)
			ON CONFLICT (deployment, sha256(topic)) DO UPDATE SET topic = t.topic RETURNING id`, []any{t.deployment, topic}, &id)
	}
	return id, err
}
