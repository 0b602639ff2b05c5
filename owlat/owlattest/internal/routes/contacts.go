package routes

import (
	"net/http"
	"unicode/utf8"

	"owlatsync"
	"owlatsync/owlat/owlattest/internal/answer"
	"owlatsync/owlat/owlattest/internal/js"
	"owlatsync/owlat/owlattest/internal/model"
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

func createContact(c *call) *answer.Answer {
	body, refused := parseBody(c)
	if refused != nil {
		return refused
	}
	email := body.Get("email")
	switch {
	case !email.Truthy():
		return answer.Fail(answer.InvalidInput, "Email is required")
	case email.Kind != js.Text:
		return answer.Fail(answer.InvalidInput, "Email must be a string")
	case !owlatsync.ValidAddress(email.Str):
		return answer.Fail(answer.InvalidInput, msgBadEmail)
	}
	for _, f := range owlatsync.ContactFields {
		if refused := checkField(body, f); refused != nil {
			return refused
		}
		if owlatsync.UTF16Len(body.Get(f.Name()).Str) > owlatsync.MaxName {
			return answer.Fail(answer.InvalidInput, f.Name()+" must be at most 200 characters")
		}
	}
	switch {
	case owlatsync.UTF16Len(email.Str) > owlatsync.MaxAddress:
		return answer.Fail(answer.InvalidInput, msgEmailTooLong)
	case c.d.Contacts.ByIdentity(owlatsync.LowerAddress(email.Str)) != nil:
		return answer.Fail(answer.AlreadyExists, msgTaken)
	case !storable(body):
		return answer.Fail(answer.InvalidInput, msgStore)
	}
	made := c.d.Create(email.Str, "api", c.Time)
	for _, f := range owlatsync.ContactFields {
		*made.At(f) = filled(body.Get(f.Name()))
	}
	return contactAnswer(http.StatusCreated, made)
}

func checkField(body js.Value, f owlatsync.ContactField) *answer.Answer {
	if kind := body.Get(f.Name()).Kind; kind != js.Undefined && kind != js.Text {
		return answer.Fail(answer.InvalidInput, f.Name()+" must be a string")
	}
	return nil
}

// storable reports whether the fields can be stored: a lone surrogate cannot.
func storable(body js.Value) bool {
	for _, f := range owlatsync.ContactFields {
		if !utf8.ValidString(body.Get(f.Name()).Str) {
			return false
		}
	}
	return true
}

// filled is what a create makes of a field: nothing of a blank one.
func filled(v js.Value) *string {
	if trimmed := owlatsync.Trim(v.Str); trimmed != "" {
		return &trimmed
	}
	return nil
}

func getContact(c *call) *answer.Answer {
	ref, ok := js.DecodeSegment(lastSegment(c.Path))
	if !ok {
		return answer.Fail(answer.InvalidInput, msgBadRef)
	}
	found, refused := c.resolve(ref, msgNoContact)
	if refused != nil {
		return refused
	}
	return contactAnswer(http.StatusOK, found)
}

func updateContact(c *call) *answer.Answer {
	ref, ok := js.DecodeSegment(lastSegment(c.Path))
	if !ok {
		return answer.Crash()
	}
	if ref == "" {
		return answer.Fail(answer.InvalidInput, msgNoRef)
	}
	body, refused := parseBody(c)
	if refused != nil {
		return refused
	}
	email := body.Get("email")
	switch {
	case email.Kind == js.Undefined:
	case email.Kind != js.Text:
		return answer.Fail(answer.InvalidInput, "email must be a string")
	case !owlatsync.ValidAddress(email.Str):
		return answer.Fail(answer.InvalidInput, msgBadEmail)
	}
	for _, f := range owlatsync.ContactFields {
		if refused := checkField(body, f); refused != nil {
			return refused
		}
	}
	found, refused := c.resolve(ref, msgNoContact)
	if refused != nil {
		return refused
	}
	if !storable(body) {
		return answer.Fail(answer.InvalidInput, msgStore)
	}
	to := model.Edit{Email: given(email)}
	for _, f := range owlatsync.ContactFields {
		*to.At(f) = given(body.Get(f.Name()))
	}
	if c.d.Update(found, to, c.Time) != nil {
		return answer.Fail(answer.AlreadyExists, msgTaken)
	}
	return contactAnswer(http.StatusOK, found)
}

// given returns a text that stands in a body, or nil. Other values were refused before.
func given(v js.Value) *string {
	if v.Kind != js.Text {
		return nil
	}
	return new(v.Str)
}

func deleteContact(c *call) *answer.Answer {
	ref, ok := js.DecodeSegment(lastSegment(c.Path))
	if !ok {
		return answer.Crash()
	}
	found, refused := c.resolve(ref, msgNoContact)
	if refused != nil {
		return refused
	}
	c.d.Delete(found, c.Time)
	b := js.AppendText([]byte(`{"data":{"id":`), found.ID)
	return answer.JSON(http.StatusOK, append(b, `,"deleted":true}}`...))
}

// appendContact appends the contact as the API shows it.
func appendContact(b []byte, c *model.Contact) []byte {
	b = append(b, `{"id":`...)
	b = js.AppendText(b, c.ID)
	if c.Email != "" {
		b = append(b, `,"email":`...)
		b = js.AppendText(b, c.Email)
	}
	for _, f := range owlatsync.ContactFields {
		b = append(append(append(b, `,"`...), f.Name()...), `":`...)
		b = appendField(b, *c.At(f))
	}
	b = append(b, `,"source":`...)
	b = js.AppendText(b, c.Source)
	b = append(b, `,"createdAt":`...)
	b = js.AppendTime(b, c.Created)
	b = append(b, `,"updatedAt":`...)
	b = js.AppendTime(b, c.Updated)
	return append(b, '}')
}

func appendField(b []byte, text *string) []byte {
	if text == nil {
		return append(b, "null"...)
	}
	return js.AppendText(b, *text)
}

func contactAnswer(status int, c *model.Contact) *answer.Answer {
	b := append(make([]byte, 0, 256), `{"data":`...)
	return answer.JSON(status, append(appendContact(b, c), '}'))
}
