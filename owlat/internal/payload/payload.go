// Package payload reads the bodies of webhooks: what is said of an event, and what happened in it.
package payload

import (
	"encoding/json"
	"errors"
	"time"
)

// Envelope is what all bodies have.
type Envelope struct {
	Event     string          `json:"event"`
	Timestamp time.Time       `json:"timestamp"`
	Data      json.RawMessage `json:"data"`
}

// Read reads the data of an event.
func Read[T any](raw json.RawMessage) (T, error) {
	var p *T
	if err := json.Unmarshal(raw, &p); err != nil {
		return *new(T), err
	}
	if p == nil {
		return *new(T), errors.New("no data")
	}
	return *p, nil
}

// Unsubscribed is who left what.
type Unsubscribed struct {
	ContactID      string `json:"contactId"`
	Email          string `json:"email"`
	UnsubscribedAt int64  `json:"unsubscribedAt"` // epoch milliseconds; 0: not known
	ListsRemoved   string `json:"listsRemoved"`   // JSON in a string
}

// ReadUnsubscribed reads who left what, and the topics into the slice that topics points to. An opt-out without its person is malformed;
// one without its time happened at the given one.
func ReadUnsubscribed(raw json.RawMessage, at time.Time, topics any) (Unsubscribed, time.Time, error) {
	u, err := Read[Unsubscribed](raw)
	switch {
	case err != nil:
		return u, at, err
	case u.ContactID == "":
		return u, at, errors.New("no contact")
	case u.UnsubscribedAt > 0:
		at = time.UnixMilli(u.UnsubscribedAt)
	}
	if u.ListsRemoved != "" {
		err = json.Unmarshal([]byte(u.ListsRemoved), topics)
	}
	return u, at, err
}
