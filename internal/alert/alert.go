// Package alert tells people what is wrong with a service, once, and when it is over: to chats, webhooks and by mail.
//
// The idea to know: what is wrong is not an event but a state. Incidents derives it from the ledger alone, so that nothing is missed
// that happened while the service was down, or in another process. A Watcher compares it with what it told before, which
// it keeps in a file. Nothing in a message is an address, a row's key or a secret.
package alert

import (
	"context"
	"time"
)

// Message is what is told at once.
type Message struct {
	ID         string    `json:"id"`                   // of what is wrong; the message that it is over has the same
	Kind       string    `json:"kind"`                 // one of config.AlertKinds but AlertRecovery, or KindTest
	Over       bool      `json:"over"`                 // what was told with the same ID is over
	Deployment string    `json:"deployment,omitempty"` // empty: the only one
	Sync       string    `json:"sync,omitempty"`       // empty: it is about none
	Run        int64     `json:"run,omitempty"`        // 0: it is about none
	At         time.Time `json:"at"`

	Title string `json:"title"` // one line
	Text  string `json:"text"`  // what happened
	Do    string `json:"what_to_do,omitempty"`
	Link  string `json:"link,omitempty"` // where to see more
}

// KindTest is the kind of a message that only shows that messages arrive.
const KindTest = "test"

// Test returns the message of "owlat-sync alert test".
func Test(now time.Time, link string) Message {
	return Message{
		ID: "test-" + now.UTC().Format("20060102T150405.000"), Kind: KindTest, At: now.UTC().Truncate(time.Millisecond), Link: link,
		Title: "This is a test of owlat-sync", Text: "Alerts reach you here.", Do: "Nothing: all is well.",
	}
}

// Channel delivers messages to one place. Send returns when the place has taken the message. Its error holds neither a secret nor an
// address; it matches ErrUnsure if the message may have arrived, so that it is not sent again.
type Channel interface {
	Send(ctx context.Context, m Message) error
}

// Subscription is a channel and what it is told.
type Subscription struct {
	Name    string   // of the entry in the configuration
	ID      string   // unique; an entry with several recipients has several subscriptions
	On      []string // of config.AlertKinds
	Channel Channel
}
