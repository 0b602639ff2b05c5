package reconcile

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"owlatsync/ledger"
	"owlatsync/owlat"
)

// errNoTopic is matched by the failure of a row whose topic Owlat does not have.
var errNoTopic = errors.New("no such topic")

// nobody is an id that no contact can have: Owlat refuses it, but only after it has looked for the topic.
const nobody = "x"

// aboutTopic returns what the failure of a request about a topic means. To an id that is none of a topic Owlat answers as to
// a defect of its own, 500. So after such an answer it is found out, once for a topic and run, whether looking for the topic
// is what fails, while the contact itself can be read.
func (r *rowRun) aboutTopic(ctx context.Context, topic string, err error) error {
	answer, answered := errors.AsType[*owlat.Error](err)
	if !answered || answer.StatusCode != http.StatusInternalServerError || !answer.FromOwlat() {
		return err
	}
	r.doubt.Lock()
	defer r.doubt.Unlock()
	r.mu.Lock()
	bad, known := r.badTopics[topic]
	r.mu.Unlock()
	if known && !bad {
		return err
	}
	if !bad && r.exists(ctx, topic) {
		return err
	}
	return r.noTopic(topic, err)
}

// exists reports whether Owlat finds the topic, true where that cannot be found out. It changes nothing in Owlat.
func (r *rowRun) exists(ctx context.Context, topic string) bool {
	err := call(ctx, func() error {
		_, err := r.client.Topics.Remove(ctx, topic, nobody)
		return err
	})
	answer, answered := errors.AsType[*owlat.Error](err)
	switch {
	case answered && answer.StatusCode == http.StatusBadRequest:
		r.mu.Lock()
		r.badTopics[topic] = false
		r.mu.Unlock()
		return true
	case !answered, answer.StatusCode != http.StatusInternalServerError && !isGone(err), !answer.FromOwlat():
		return true
	}
	_, err = find(ctx, r.client, r.e.ContactID)
	return err != nil
}

// noTopic notes that Owlat does not have the topic and returns what that means for the row whose request failed so.
func (r *rowRun) noTopic(topic string, cause error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.badTopics[topic] = true
	return &rowError{class: ledger.RetryLater, category: "topic", err: errors.Join(errNoTopic, cause),
		reason: fmt.Sprintf("Owlat has no topic %s: correct its id in the configuration", topic)}
}
