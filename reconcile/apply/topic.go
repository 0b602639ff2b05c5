package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/remote"
)

// errNoTopic is matched by the failure of a row whose topic Owlat does not have.
var errNoTopic = errors.New("no such topic")

// nobody is an id that no contact can have: Owlat refuses it, but only after it has looked for the topic.
const nobody = "x"

// topics is what a run has found out about topics. It is safe for concurrent use.
type topics struct {
	asking sync.Mutex // around finding out about one
	mu     sync.Mutex
	bad    map[string]bool // topics that Owlat is known not to have, or to have
}

func newTopics() *topics { return &topics{bad: make(map[string]bool)} }

func (t *topics) isBad(topic string) (bad, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	bad, known = t.bad[topic]
	return bad, known
}

// missing notes that Owlat does not have the topic and returns what that means for the row whose request failed so.
func (t *topics) missing(topic string, cause error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bad[topic] = true
	return &remote.Failure{Class: ledger.RetryLater, Category: ledger.CategoryTopic, Err: errors.Join(errNoTopic, cause),
		Reason: fmt.Sprintf("Owlat has no topic %s: correct its id in the configuration", topic)}
}

// about returns what the failure of a request about a topic and a contact means. To an id that is none of a topic Owlat answers as to
// a defect of its own, 500. So after such an answer it is found out, once for a topic and run, whether looking for the topic
// is what fails, while the contact itself can be read.
func (t *topics) about(ctx context.Context, client *owlat.Client, topic, contact string, err error) error {
	answer, answered := errors.AsType[*owlat.Error](err)
	if !answered || answer.StatusCode != http.StatusInternalServerError || !answer.FromOwlat() {
		return err
	}
	t.asking.Lock()
	defer t.asking.Unlock()
	bad, known := t.isBad(topic)
	if known && !bad || !bad && t.exists(ctx, client, topic, contact) {
		return err
	}
	return t.missing(topic, err)
}

// exists reports whether Owlat finds the topic, true where that cannot be found out. It changes nothing in Owlat.
func (t *topics) exists(ctx context.Context, client *owlat.Client, topic, contact string) bool {
	err := remote.Call(ctx, func() error {
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
	case !answered, answer.StatusCode != http.StatusInternalServerError && !remote.IsGone(err), !answer.FromOwlat():
		return true
	}
	_, err = remote.Find(ctx, client, contact)
	return err != nil
}
