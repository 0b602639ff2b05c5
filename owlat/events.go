package owlat

import (
	"context"
	"net/http"
)

// SendEventRequest is something that happened to a contact.
type SendEventRequest struct {
	Email string `json:"email"`
	// Name is a letter and up to 99 letters, digits, "_" and "-".
	Name string `json:"eventName"`
	// Properties are flat: strings, numbers, bools and nil. Keys are ASCII and begin with neither "$" nor "_".
	Properties map[string]any `json:"eventProperties,omitempty"`
	// CreateContact makes the contact if there is none, even when the properties are refused afterwards.
	CreateContact bool `json:"createContactIfNotExists,omitempty"`
}

const routeEvents = "/events"

// EventResult is Owlat's answer to an event.
type EventResult struct {
	EventID              string `json:"eventId"`
	ContactID            string `json:"contactId"`
	EventName            string `json:"eventName"`
	TriggeredAutomations int    `json:"triggeredAutomations"`
	ContactCreated       bool   `json:"contactCreated"`
}

// Send reports an event: POST /events. Each call fires the automations again. So this package never repeats it after a lost
// answer; do not repeat it either when [OutcomeUnknown] is true of the error. It fails with [ErrNotFound] if there is no such contact and CreateContact is not set, and with [ErrInvalidInput] for a name or
// properties that Owlat does not take.
func (s *Events) Send(ctx context.Context, in SendEventRequest) (*EventResult, error) {
	cl, _ := newCall(http.MethodPost, routeEvents)
	switch {
	case blank(in.Email):
		return nil, cl.refuse("the address is empty")
	case in.Name == "":
		return nil, cl.refuse("the event has no name")
	}
	cl.body = in
	got, _, err := fetch(ctx, s.core, cl, (*EventResult).lacks)
	return got, err
}

func (r *EventResult) lacks() string {
	if r.EventID == "" {
		return "the event has no id"
	}
	return ""
}
