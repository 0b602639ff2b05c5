package owlattest

import (
	"net/http"
	"strings"

	"owlatsync"
)

const (
	msgEventName   = "eventName must start with a letter and contain only alphanumeric characters, underscores, or hyphens (max 100 chars)"
	msgProperties  = "eventProperties must be an object of string, number, boolean or null values with plain ASCII names"
	maxProperties  = 1024
	maxEventName   = 100
	createIfAbsent = "createContactIfNotExists"
)

func (s *Server) sendEvent(c *call) *answer {
	body, refused := parseBody(c)
	if refused != nil {
		return refused
	}
	email, name := body.get("email"), body.get("eventName")
	properties, create := body.get("eventProperties"), body.get(createIfAbsent)
	switch {
	case !email.truthy():
		return fail(invalidInput, "email is required")
	case email.kind != text:
		return fail(invalidInput, "email must be a string")
	case !owlatsync.ValidAddress(email.str):
		return fail(invalidInput, msgBadEmail)
	case !name.truthy():
		return fail(invalidInput, "eventName is required")
	case name.kind != text:
		return fail(invalidInput, "eventName must be a string")
	case !validEventName(name.str):
		return fail(invalidInput, msgEventName)
	case properties.kind == boolean || properties.kind == number || properties.kind == text:
		return fail(invalidInput, "eventProperties must be an object")
	case create.kind != undefined && create.kind != boolean:
		return fail(invalidInput, createIfAbsent+" must be a boolean")
	}
	created := false
	found := s.contacts.address(lower(email.str))
	if found == nil {
		if !create.truth {
			return fail(notFound, noSuchAddress(email.str)+". Set "+createIfAbsent+": true to create the contact automatically.")
		}
		// Here the store's refusals are not caught: an address too long to store or held by another contact is a failure.
		if owlatsync.UTF16Len(email.str) > owlatsync.MaxAddress || s.contacts.byIdentity[lower(email.str)] != nil {
			return crash()
		}
		found, created = s.create(email.str, "api", c.now), true
	}
	if properties.kind != undefined && !validProperties(properties) {
		return fail(invalidInput, msgProperties)
	}
	s.stats.events++

	b := appendText([]byte(`{"data":{"eventId":`), "evt_"+s.drawText(20))
	b = appendText(append(b, `,"contactId":`...), found.id)
	b = appendText(append(b, `,"eventName":`...), name.str)
	b = append(b, `,"triggeredAutomations":0,"contactCreated":`...)
	if created {
		return jsonAnswer(http.StatusCreated, append(b, "true}}"...))
	}
	return jsonAnswer(http.StatusCreated, append(b, "false}}"...))
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
func validProperties(v value) bool {
	if v.kind != object || len(v.fields) > maxProperties {
		return false
	}
	for name, field := range v.fields {
		if name == "" || strings.HasPrefix(name, "$") || strings.HasPrefix(name, "_") || field.kind == array || field.kind == object {
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
