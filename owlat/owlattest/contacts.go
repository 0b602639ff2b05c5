package owlattest

import (
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"owlatsync"
)

const (
	msgBadJSON      = "Invalid JSON in request body"
	msgBadEmail     = "Invalid email format"
	msgBadRef       = "Invalid contact ID or email format"
	msgNoRef        = "Contact ID or email is required"
	msgNoContact    = "Contact not found"
	msgTaken        = "A contact with this email already exists"
	msgEmailTooLong = "Email must be at most 200 characters"
	msgStore        = "The store refused a value"
)

// parseBody reads the JSON body of a write. The value null makes Owlat's handlers fail when they look for a field.
func parseBody(c *call) (value, *answer) {
	v, err := parseJSON(c.body)
	if err != nil {
		return v, fail(invalidInput, msgBadJSON)
	}
	if v.kind == null {
		return v, crash()
	}
	return v, nil
}

func (s *Server) createContact(c *call) *answer {
	body, refused := parseBody(c)
	if refused != nil {
		return refused
	}
	email := body.get("email")
	switch {
	case !email.truthy():
		return fail(invalidInput, "Email is required")
	case email.kind != text:
		return fail(invalidInput, "Email must be a string")
	case !owlatsync.ValidAddress(email.str):
		return fail(invalidInput, msgBadEmail)
	}
	for _, field := range []string{"firstName", "lastName"} {
		if refused := checkName(body.get(field), field); refused != nil {
			return refused
		}
		if owlatsync.UTF16Len(body.get(field).str) > owlatsync.MaxName {
			return fail(invalidInput, field+" must be at most 200 characters")
		}
	}
	switch {
	case owlatsync.UTF16Len(email.str) > owlatsync.MaxAddress:
		return fail(invalidInput, msgEmailTooLong)
	case s.contacts.byIdentity[lower(email.str)] != nil:
		return fail(alreadyExists, msgTaken)
	case !storable(body):
		return fail(invalidInput, msgStore)
	}
	made := s.create(email.str, "api", c.now)
	made.firstName = createName(body.get("firstName"))
	made.lastName = createName(body.get("lastName"))
	return contactAnswer(http.StatusCreated, made)
}

// create inserts a contact and its identity, as every way of making one through the API does.
func (s *Server) create(typed, source string, now time.Time) *contact {
	address := lower(typed)
	made := &contact{
		id: s.newID(), email: address, identity: address, source: source, doiStatus: doiNotRequired, created: now, updated: now,
	}
	s.contacts.insert(made)
	s.history.add(made, nil, Created, ByAPI, now)
	s.fireCreated(made, typed, now)
	return made
}

func checkName(v value, field string) *answer {
	if v.kind != undefined && v.kind != text {
		return fail(invalidInput, field+" must be a string")
	}
	return nil
}

// storable reports whether the names can be stored: a lone surrogate cannot.
func storable(body value) bool {
	return utf8.ValidString(body.get("firstName").str) && utf8.ValidString(body.get("lastName").str)
}

// createName is what a create makes of a name: nothing of a blank one.
func createName(v value) *string {
	if trimmed := owlatsync.Trim(v.str); trimmed != "" {
		return &trimmed
	}
	return nil
}

// resolve finds the contact that an address or id names. A segment is an address if it has the form of one; otherwise
// it is trimmed and taken for an id.
func (s *Server) resolve(ref, notFoundByAddress string) (*contact, *answer) {
	if owlatsync.ValidAddress(ref) {
		if found := s.contacts.address(lower(ref)); found != nil {
			return found, nil
		}
		return nil, fail(notFound, notFoundByAddress)
	}
	id := owlatsync.Trim(ref)
	switch {
	case id == "":
		return nil, fail(invalidInput, msgNoRef)
	case !validID(id):
		return nil, fail(invalidInput, msgBadRef)
	}
	return s.resolveID(id)
}

func (s *Server) resolveID(id string) (*contact, *answer) {
	found := s.contacts.byID[id]
	switch {
	case found == nil: // no id at all, or one of another table
		return nil, crash()
	case !found.live():
		return nil, fail(notFound, msgNoContact)
	}
	return found, nil
}

// validID reports whether s could be an id: at least ten letters, digits, underscores and hyphens.
func validID(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' && c != '-' {
			return false
		}
	}
	return len(s) >= 10
}

// lastSegment is what follows the last slash: the only part of the path that counts for a contact.
func lastSegment(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

func (s *Server) getContact(c *call) *answer {
	ref, ok := decodeSegment(lastSegment(c.path))
	if !ok {
		return fail(invalidInput, msgBadRef)
	}
	found, refused := s.resolve(ref, msgNoContact)
	if refused != nil {
		return refused
	}
	return contactAnswer(http.StatusOK, found)
}

func (s *Server) updateContact(c *call) *answer {
	ref, ok := decodeSegment(lastSegment(c.path))
	if !ok {
		return crash()
	}
	if ref == "" {
		return fail(invalidInput, msgNoRef)
	}
	body, refused := parseBody(c)
	if refused != nil {
		return refused
	}
	email := body.get("email")
	switch {
	case email.kind == undefined:
	case email.kind != text:
		return fail(invalidInput, "email must be a string")
	case !owlatsync.ValidAddress(email.str):
		return fail(invalidInput, msgBadEmail)
	}
	for _, field := range []string{"firstName", "lastName"} {
		if refused := checkName(body.get(field), field); refused != nil {
			return refused
		}
	}
	found, refused := s.resolve(ref, msgNoContact)
	if refused != nil {
		return refused
	}
	if !storable(body) {
		return fail(invalidInput, msgStore)
	}
	if address := lower(email.str); email.kind == text && address != found.email {
		if s.contacts.address(address) != nil {
			return fail(alreadyExists, msgTaken)
		}
		s.contacts.readdress(found, address)
	}
	updateName(&found.firstName, body.get("firstName"))
	updateName(&found.lastName, body.get("lastName"))
	found.updated = c.now
	return contactAnswer(http.StatusOK, found)
}

// updateName is what an update makes of a name: a blank one becomes the empty text, not null.
func updateName(name **string, v value) {
	if v.kind == text {
		trimmed := owlatsync.Trim(v.str)
		*name = &trimmed
	}
}

func (s *Server) deleteContact(c *call) *answer {
	ref, ok := decodeSegment(lastSegment(c.path))
	if !ok {
		return crash()
	}
	found, refused := s.resolve(ref, msgNoContact)
	if refused != nil {
		return refused
	}
	s.history.add(found, nil, Deleted, ByAPI, c.now)
	found.gone = true
	s.contacts.retire(found)
	for _, t := range found.topics {
		delete(t.members, found)
	}
	found.topics = nil
	b := appendText([]byte(`{"data":{"id":`), found.id)
	return jsonAnswer(http.StatusOK, append(b, `,"deleted":true}}`...))
}
