package owlattest

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"owlatsync"
)

// AddTopic makes a topic and returns its id.
func (s *Server) AddTopic(name string, doubleOptIn bool) (id string) {
	s.lock()
	defer s.mu.Unlock()
	s.changed()
	return s.addTopic(name, doubleOptIn).id
}

func (s *Server) addTopic(name string, doubleOptIn bool) *topic {
	t := &topic{id: s.newID(), name: name, doubleOptIn: doubleOptIn, members: map[*contact]struct{}{}}
	s.topics[t.id] = t
	return t
}

// segmentAfter returns the path segment that follows the first segment of that name, or nothing.
func segmentAfter(path, name string) string {
	_, rest, _ := strings.Cut(path, "/"+name+"/")
	segment, _, _ := strings.Cut(rest, "/")
	return segment
}

// topicID takes the topic's id out of the path.
func topicID(path string) (string, *answer) {
	id, ok := decodeSegment(segmentAfter(path, "topics"))
	if !ok || !validID(id) {
		return "", fail(invalidInput, "Invalid topic ID format")
	}
	return id, nil
}

// findTopic looks a well-formed id up: an unknown id fails, that of a deleted topic is not found.
func (s *Server) findTopic(id string) (*topic, *answer) {
	t := s.topics[id]
	switch {
	case t == nil:
		return nil, crash()
	case t.deleted:
		return nil, fail(notFound, "Topic not found")
	}
	return t, nil
}

func (s *Server) addMember(c *call) *answer {
	id, refused := topicID(c.path)
	if refused != nil {
		return refused
	}
	body, refused := parseBody(c)
	if refused != nil {
		return refused
	}
	email, contactID := body.get("email"), body.get("contactId")
	switch {
	case !email.truthy() && !contactID.truthy():
		return fail(invalidInput, "Either email or contactId is required")
	case email.truthy() && !owlatsync.ValidAddress(email.String()):
		return fail(invalidInput, msgBadEmail)
	case contactID.truthy() && !validID(contactID.String()):
		return fail(invalidInput, "Invalid contactId format")
	}
	t, refused := s.findTopic(id)
	if refused != nil {
		return refused
	}
	found, refused := s.member(email, contactID)
	if refused != nil {
		return refused
	}
	s.subscribe(found, t, ByAPI, c.now)

	b := appendText([]byte(`{"data":{"success":true,"contactId":`), found.id)
	b = appendText(append(b, `,"topicId":`...), t.id)
	b = appendText(append(b, `,"doiStatus":`...), found.doiStatus)
	return jsonAnswer(http.StatusCreated, append(b, "}}"...))
}

// member finds the contact of a topic add. The types were not checked before; here another type than text fails.
func (s *Server) member(email, contactID value) (*contact, *answer) {
	switch {
	case contactID.truthy() && contactID.kind != text, !contactID.truthy() && email.kind != text:
		return nil, crash()
	case email.kind != text && email.kind != null && email.kind != undefined: // also beside a contact id
		return nil, crash()
	case contactID.truthy():
		return s.resolveID(contactID.str)
	}
	if found := s.contacts.address(lower(email.str)); found != nil {
		return found, nil
	}
	return nil, fail(notFound, noSuchAddress(email.str))
}

func noSuchAddress(address string) string { return `Contact with email "` + address + `" not found` }

// subscribe makes a membership and what comes with it. An existing member is left alone.
func (s *Server) subscribe(found *contact, t *topic, by Actor, now time.Time) {
	if found.memberOf(t) {
		return
	}
	found.topics = append(found.topics, t)
	t.members[found] = struct{}{}
	s.history.add(found, t, Added, by, now)
	if t.doubleOptIn && found.doiStatus != doiConfirmed {
		if found.doiStatus != doiPending {
			found.doiStatus = doiPending
			found.updated = now
		}
		return
	}
	if !found.unsubscribed.IsZero() {
		found.unsubscribed = time.Time{}
		s.history.add(found, t, OptOutLifted, by, now)
	}
}

// unsubscribe deletes a membership and reports whether there was one.
func (s *Server) unsubscribe(found *contact, t *topic, action Action, by Actor, now time.Time) bool {
	if !found.memberOf(t) {
		return false
	}
	found.topics = slices.DeleteFunc(found.topics, func(x *topic) bool { return x == t })
	delete(t.members, found)
	s.history.add(found, t, action, by, now)
	return true
}

func (s *Server) removeMember(c *call) *answer {
	segment := segmentAfter(c.path, "contacts")
	if segment == "" {
		return fail(invalidInput, msgNoRef)
	}
	id, refused := topicID(c.path)
	if refused != nil {
		return refused
	}
	ref, ok := decodeSegment(segment)
	if !ok {
		return fail(invalidInput, msgBadRef)
	}
	t, refused := s.findTopic(id)
	if refused != nil {
		return refused
	}
	found, refused := s.resolve(ref, noSuchAddress(ref))
	if refused != nil {
		return refused
	}
	removed := s.unsubscribe(found, t, Removed, ByAPI, c.now)
	if removed {
		found.updated = c.now
		return jsonAnswer(http.StatusOK, []byte(`{"data":{"success":true,"removed":true}}`))
	}
	return jsonAnswer(http.StatusOK, []byte(`{"data":{"success":true,"removed":false}}`))
}
