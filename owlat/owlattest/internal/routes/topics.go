package routes

import (
	"net/http"

	"owlatsync"
	"owlatsync/owlat/owlattest/internal/answer"
	"owlatsync/owlat/owlattest/internal/js"
	"owlatsync/owlat/owlattest/internal/model"
)

func addMember(c *call) *answer.Answer {
	id, refused := topicID(c.Path)
	if refused != nil {
		return refused
	}
	body, refused := parseBody(c)
	if refused != nil {
		return refused
	}
	email, contactID := body.Get("email"), body.Get("contactId")
	switch {
	case !email.Truthy() && !contactID.Truthy():
		return answer.Fail(answer.InvalidInput, "Either email or contactId is required")
	case email.Truthy() && !owlatsync.ValidAddress(email.String()):
		return answer.Fail(answer.InvalidInput, msgBadEmail)
	case contactID.Truthy() && !validID(contactID.String()):
		return answer.Fail(answer.InvalidInput, "Invalid contactId format")
	}
	t, refused := c.findTopic(id)
	if refused != nil {
		return refused
	}
	found, refused := c.member(email, contactID)
	if refused != nil {
		return refused
	}
	c.d.Subscribe(found, t, c.Time)

	b := js.AppendText([]byte(`{"data":{"success":true,"contactId":`), found.ID)
	b = js.AppendText(append(b, `,"topicId":`...), t.ID)
	b = js.AppendText(append(b, `,"doiStatus":`...), found.DOIStatus)
	return answer.JSON(http.StatusCreated, append(b, "}}"...))
}

// member finds the contact of a topic add. The types were not checked before; here another type than text fails.
func (c *call) member(email, contactID js.Value) (*model.Contact, *answer.Answer) {
	switch {
	case contactID.Truthy() && contactID.Kind != js.Text, !contactID.Truthy() && email.Kind != js.Text:
		return nil, answer.Crash()
	case email.Kind != js.Text && email.Kind != js.Null && email.Kind != js.Undefined: // also beside a contact id
		return nil, answer.Crash()
	case contactID.Truthy():
		return c.resolveID(contactID.Str)
	}
	if found := c.d.Contacts.ByAddress(owlatsync.LowerAddress(email.Str)); found != nil {
		return found, nil
	}
	return nil, answer.Fail(answer.NotFound, noSuchAddress(email.Str))
}

func noSuchAddress(address string) string { return `Contact with email "` + address + `" not found` }

func removeMember(c *call) *answer.Answer {
	segment := segmentAfter(c.Path, "contacts")
	if segment == "" {
		return answer.Fail(answer.InvalidInput, msgNoRef)
	}
	id, refused := topicID(c.Path)
	if refused != nil {
		return refused
	}
	ref, ok := js.DecodeSegment(segment)
	if !ok {
		return answer.Fail(answer.InvalidInput, msgBadRef)
	}
	t, refused := c.findTopic(id)
	if refused != nil {
		return refused
	}
	found, refused := c.resolve(ref, noSuchAddress(ref))
	if refused != nil {
		return refused
	}
	if c.d.Remove(found, t, model.ByAPI, c.Time) {
		return answer.JSON(http.StatusOK, []byte(`{"data":{"success":true,"removed":true}}`))
	}
	return answer.JSON(http.StatusOK, []byte(`{"data":{"success":true,"removed":false}}`))
}
