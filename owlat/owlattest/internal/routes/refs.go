package routes

import (
	"strings"

	"owlatsync"
	"owlatsync/owlat/owlattest/internal/answer"
	"owlatsync/owlat/owlattest/internal/js"
	"owlatsync/owlat/owlattest/internal/model"
)

// parseBody reads the JSON body of a write. The value null makes Owlat's handlers fail when they look for a field.
func parseBody(c *call) (js.Value, *answer.Answer) {
	v, err := js.ParseJSON(c.Body)
	if err != nil {
		return v, answer.Fail(answer.InvalidInput, msgBadJSON)
	}
	if v.Kind == js.Null {
		return v, answer.Crash()
	}
	return v, nil
}

// resolve finds the contact that an address or id names. A segment is an address if it has the form of one; otherwise
// it is trimmed and taken for an id.
func (c *call) resolve(ref, notFoundByAddress string) (*model.Contact, *answer.Answer) {
	if owlatsync.ValidAddress(ref) {
		if found := c.d.Contacts.ByAddress(owlatsync.LowerAddress(ref)); found != nil {
			return found, nil
		}
		return nil, answer.Fail(answer.NotFound, notFoundByAddress)
	}
	id := owlatsync.Trim(ref)
	switch {
	case id == "":
		return nil, answer.Fail(answer.InvalidInput, msgNoRef)
	case !validID(id):
		return nil, answer.Fail(answer.InvalidInput, msgBadRef)
	}
	return c.resolveID(id)
}

func (c *call) resolveID(id string) (*model.Contact, *answer.Answer) {
	found := c.d.Contacts.ByID(id)
	switch {
	case found == nil: // no id at all, or one of another table
		return nil, answer.Crash()
	case !found.Live():
		return nil, answer.Fail(answer.NotFound, msgNoContact)
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

// segmentAfter returns the path segment that follows the first segment of that name, or nothing.
func segmentAfter(path, name string) string {
	_, rest, _ := strings.Cut(path, "/"+name+"/")
	segment, _, _ := strings.Cut(rest, "/")
	return segment
}

// topicID takes the topic's id out of the path.
func topicID(path string) (string, *answer.Answer) {
	id, ok := js.DecodeSegment(segmentAfter(path, "topics"))
	if !ok || !validID(id) {
		return "", answer.Fail(answer.InvalidInput, "Invalid topic ID format")
	}
	return id, nil
}

// findTopic looks a well-formed id up: an unknown id fails, that of a deleted topic is not found.
func (c *call) findTopic(id string) (*model.Topic, *answer.Answer) {
	t := c.d.Topics[id]
	switch {
	case t == nil:
		return nil, answer.Crash()
	case t.Deleted:
		return nil, answer.Fail(answer.NotFound, "Topic not found")
	}
	return t, nil
}
