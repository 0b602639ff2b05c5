package owlat

import (
	"context"
	"errors"
	"net/http"
)

// SendEventRequest is something that happened to a contact.
type SendEventRequest struct {
	Email string
	// Name is a letter and up to 99 letters, digits, "_" and "-".
	Name string
	// Properties are flat: strings, numbers, bools and nil. Keys are ASCII and begin with neither "$" nor "_".
	Properties map[string]any
	// CreateContact makes the contact if there is none, even when the properties are refused afterwards.
	CreateContact bool
}

// EventResult is Owlat's answer to an event.
type EventResult struct {
	EventID              string `json:"eventId"`
	ContactID            string `json:"contactId"`
	EventName            string `json:"eventName"`
	TriggeredAutomations int    `json:"triggeredAutomations"`
	ContactCreated       bool   `json:"contactCreated"`
}

// Send reports an event: POST /events. Each call fires the automations again, so it is never repeated after a lost
// answer, neither by this package nor, if [OutcomeUnknown] is true of the error, should it be by others. It fails with
// [ErrNotFound] if there is no such contact and CreateContact is not set.
func (s *Events) Send(ctx context.Context, e SendEventRequest) (*EventResult, error) {
	cl := call{method: http.MethodPost, route: "/events", path: "/events"}
	switch {
	case blank(e.Email):
		return nil, cl.refuse("the address is empty")
	case e.Name == "":
		return nil, cl.refuse("the event has no name")
	}
	cl.body = struct {
		Email         string         `json:"email"`
		Name          string         `json:"eventName"`
		Properties    map[string]any `json:"eventProperties,omitempty"`
		CreateContact bool           `json:"createContactIfNotExists,omitempty"`
	}{e.Email, e.Name, e.Properties, e.CreateContact}
	ans, err := s.core.do(ctx, cl)
	if err != nil {
		return nil, err
	}
	got, err := data[EventResult](ans)
	if err != nil {
		return nil, err
	}
	if got.EventID == "" {
		return nil, ans.unreadable(errors.New("the event has no id"))
	}
	return got, nil
}
