package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"owlatsync/ledger"
	"owlatsync/owlat"
)

// ErrNoTopic matches the failure of a row whose topic Owlat does not have.
var ErrNoTopic = errors.New("no such topic")

// nobody is an id that no contact can have. Owlat refuses it, but only after it has looked for the topic.
const nobody = "x"

// Topics keeps what a run has found out about topics. It is safe for concurrent use.
type Topics struct {
	asking sync.Mutex // one topic is asked about at a time
	mu     sync.Mutex
	bad    map[string]bool // topic → Owlat does not have it; absent: not known
}

// NewTopics returns what knows of no topic yet.
func NewTopics() *Topics { return &Topics{bad: make(map[string]bool)} }

// IsBad reports whether Owlat does not have the topic, and whether that is known.
func (t *Topics) IsBad(topic string) (bad, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	bad, known = t.bad[topic]
	return bad, known
}

// Missing notes that Owlat does not have the topic, and returns the failure of the row whose request met that.
func (t *Topics) Missing(topic string, cause error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bad[topic] = true
	return &Failure{Class: ledger.RetryLater, Category: ledger.CategoryTopic, Err: errors.Join(ErrNoTopic, cause),
		Reason: fmt.Sprintf("Owlat has no topic %s: correct its id in the configuration", topic)}
}

// About returns the meaning of a failed request about a topic and a contact. Owlat answers a topic id that is no id with 500, as it
// does for its own defects. After a 500 from Owlat, About asks once per topic and run whether the look-up of the topic fails while
// the contact can be read.
func (t *Topics) About(ctx context.Context, client *owlat.Client, topic, contact string, err error) error {
	answer, answered := errors.AsType[*owlat.Error](err)
	if !answered || answer.StatusCode != http.StatusInternalServerError || !answer.FromOwlat() {
		return err
	}
	t.asking.Lock()
	defer t.asking.Unlock()
	bad, known := t.IsBad(topic)
	if known && !bad || !bad && t.exists(ctx, client, topic, contact) {
		return err
	}
	return t.Missing(topic, err)
}

// exists reports whether Owlat finds the topic, true if that cannot be found out. It changes nothing in Owlat.
func (t *Topics) exists(ctx context.Context, client *owlat.Client, topic, contact string) bool {
	err := Call(ctx, func() error {
		_, err := client.Topics.Remove(ctx, topic, nobody)
		return err
	})
	answer, answered := errors.AsType[*owlat.Error](err)
	switch {
	case answered && answer.StatusCode == http.StatusBadRequest:
		t.mu.Lock()
		t.bad[topic] = false
		t.mu.Unlock()
		return true
	case !answered, answer.StatusCode != http.StatusInternalServerError && !IsGone(err), !answer.FromOwlat():
		return true
	}
	_, err = Find(ctx, client, contact)
	return err != nil
}
