package routes

import (
	"net/http"
	"strings"

	"owlatsync"
	"owlatsync/owlat/owlattest/internal/answer"
	"owlatsync/owlat/owlattest/internal/js"
)

const (
	msgEventName   = "eventName must start with a letter and contain only alphanumeric characters, underscores, or hyphens (max 100 chars)"
	msgProperties  = "eventProperties must be an object of string, number, boolean or null values with plain ASCII names"
	maxProperties  = 1024
	maxEventName   = 100
	createIfAbsent = "createContactIfNotExists"
)

func sendEvent(c *call) *answer.Answer {
	body, refused := parseBody(c)
	if refused != nil {
		return refused
	}
	email, name := body.Get("email"), body.Get("eventName")
	properties, create := body.Get("eventProperties"), body.Get(createIfAbsent)
	switch {
	case !email.Truthy():
		return answer.Fail(answer.InvalidInput, "email is required")
	case email.Kind != js.Text:
		return answer.Fail(answer.InvalidInput, "email must be a string")
	case !owlatsync.ValidAddress(email.Str):
		return answer.Fail(answer.InvalidInput, msgBadEmail)
	case !name.Truthy():
		return answer.Fail(answer.InvalidInput, "eventName is required")
	case name.Kind != js.Text:
		return answer.Fail(answer.InvalidInput, "eventName must be a string")
	case !validEventName(name.Str):
		return answer.Fail(answer.InvalidInput, msgEventName)
	case properties.Kind == js.Boolean || properties.Kind == js.Number || properties.Kind == js.Text:
		return answer.Fail(answer.InvalidInput, "eventProperties must be an object")
	case create.Kind != js.Undefined && create.Kind != js.Boolean:
		return answer.Fail(answer.InvalidInput, createIfAbsent+" must be a boolean")
	}
	created := false
	found := c.d.Contacts.ByAddress(owlatsync.LowerAddress(email.Str))
	if found == nil {
		if !create.Truth {
			return answer.Fail(answer.NotFound, noSuchAddress(email.Str)+". Set "+createIfAbsent+": true to create the contact automatically.")
		}
		// Here the store's refusals are not caught: an address too long to store or held by another contact is a failure.
		if owlatsync.UTF16Len(email.Str) > owlatsync.MaxAddress || c.d.Contacts.ByIdentity(owlatsync.LowerAddress(email.Str)) != nil {
			return answer.Crash()
		}
		found, created = c.d.Create(email.Str, "api", c.Time), true
	}
	if properties.Kind != js.Undefined && !validProperties(properties) {
		return answer.Fail(answer.InvalidInput, msgProperties)
	}
	c.d.Events++

	b := js.AppendText([]byte(`{"data":{"eventId":`), "evt_"+c.d.Random.Text(20))
	b = js.AppendText(append(b, `,"contactId":`...), found.ID)
	b = js.AppendText(append(b, `,"eventName":`...), name.Str)
	b = append(b, `,"triggeredAutomations":0,"contactCreated":`...)
	if created {
		return answer.JSON(http.StatusCreated, append(b, "true}}"...))
	}
	return answer.JSON(http.StatusCreated, append(b, "false}}"...))
}

func validEventName(s string) bool {
	if len(s) > maxEventName {
		return false
	}
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '_' && c != '-') {
			return false
		}
	}
	return true
}

// validProperties is the store's argument check: a flat object with ASCII names.
func validProperties(v js.Value) bool {
	if v.Kind != js.Object || len(v.Fields) > maxProperties {
		return false
	}
	for name, field := range v.Fields {
		if name == "" || strings.HasPrefix(name, "$") || strings.HasPrefix(name, "_") || field.Kind == js.Array || field.Kind == js.Object {
			return false
		}
		for _, c := range []byte(name) {
			if c < ' ' || c > '~' {
				return false
			}
		}
	}
	return true
}
