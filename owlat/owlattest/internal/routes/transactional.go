package routes

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"owlatsync"
	"owlatsync/owlat/owlattest/internal/answer"
	"owlatsync/owlat/owlattest/internal/js"
	"owlatsync/owlat/owlattest/internal/model"
)

const (
	maxAttachments     = 10
	maxAttachmentBytes = 10 << 20
)

func sendTransactional(c *call) *answer.Answer {
	body, refused := parseBody(c)
	if refused != nil {
		return refused
	}
	if refused := checkMessage(body); refused != nil {
		return refused
	}
	if refused := checkAttachments(body.Get("attachments")); refused != nil {
		return refused
	}
	email, address := body.Get("email").Str, owlatsync.LowerAddress(body.Get("email").Str)
	if c.d.Mail.Blocked[address] {
		return answer.FailWith(answer.InvalidState, "This email address is blocked. The recipient may have previously bounced or filed a complaint.", "recipient_blocked")
	}
	t, refused := c.findTemplate(body.Get("transactionalId"), body.Get("slug"))
	if refused != nil {
		return refused
	}
	switch {
	case !t.Published:
		return answer.FailWith(answer.InvalidState, `Transactional email "`+t.Slug+`" is not published. Please publish it before sending.`, "template_not_published")
	case c.d.Mail.Unverified:
		return answer.FailWith(answer.InvalidState, "Sending domain is not verified.", "domain_unverified")
	case body.Get("dataVariables").Kind != js.Undefined && !validProperties(body.Get("dataVariables")):
		return answer.Crash()
	}
	// The recipient is looked up by identity, as a create does, and made where there is none.
	found, created := c.d.Contacts.ByIdentity(address), false
	if found == nil {
		if owlatsync.UTF16Len(email) > owlatsync.MaxAddress {
			return answer.Crash()
		}
		found, created = c.d.Create(email, "transactional", c.Time), true
	}
	c.d.Messages++

	b := append([]byte(nil), `{"data":{"status":"queued","email":`...)
	b = js.AppendText(b, email)
	b = js.AppendText(append(b, `,"transactionalEmailId":`...), c.d.Random.ID())
	b = js.AppendText(append(b, `,"slug":`...), body.Get("slug").Str)
	b = js.AppendText(append(b, `,"contactId":`...), found.ID)
	b = append(b, `,"contactCreated":`...)
	b = strconv.AppendBool(b, created)
	b = js.AppendText(append(b, `,"language":`...), t.Language(body.Get("language").Str))
	return answer.JSON(http.StatusAccepted, append(b, "}}"...))
}

func checkMessage(body js.Value) *answer.Answer {
	email, variables, language := body.Get("email"), body.Get("dataVariables"), body.Get("language")
	switch {
	case !email.Truthy():
		return answer.Fail(answer.InvalidInput, "email is required")
	case email.Kind != js.Text:
		return answer.Fail(answer.InvalidInput, "email must be a string")
	case !owlatsync.ValidAddress(email.Str):
		return answer.Fail(answer.InvalidInput, msgBadEmail)
	case !body.Get("transactionalId").Truthy() && !body.Get("slug").Truthy():
		return answer.Fail(answer.InvalidInput, "Either transactionalId or slug is required")
	case variables.Kind == js.Boolean || variables.Kind == js.Number || variables.Kind == js.Text:
		return answer.Fail(answer.InvalidInput, "dataVariables must be an object")
	case language.Kind != js.Undefined && language.Kind != js.Text:
		return answer.Fail(answer.InvalidInput, "language must be a string")
	case language.Str != "" && !validLanguage(language.Str):
		return answer.Fail(answer.InvalidInput, "language must be a valid language code (e.g., 'en', 'de', 'fr', 'en-US')")
	}
	return nil
}

// validLanguage is two letters, perhaps followed by a hyphen and two or three more, in any case.
func validLanguage(s string) bool {
	code, region, found := strings.Cut(s, "-")
	return len(code) == 2 && letters(code) && (!found || (len(region) == 2 || len(region) == 3) && letters(region))
}

func letters(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

func checkAttachments(v js.Value) *answer.Answer {
	switch {
	case v.Kind == js.Undefined:
		return nil
	case v.Kind != js.Array:
		return answer.Fail(answer.InvalidInput, "attachments must be an array")
	case len(v.List) > maxAttachments:
		return answer.Fail(answer.InvalidInput, "Maximum "+strconv.Itoa(maxAttachments)+" attachments allowed")
	}
	total := 0
	for i, item := range v.List {
		if item.Kind == js.Null {
			return answer.Crash()
		}
		name, content, url := item.Get("filename"), item.Get("content"), item.Get("url")
		field := "attachments[" + strconv.Itoa(i) + "]"
		switch {
		case name.Kind != js.Text || name.Str == "":
			return answer.Fail(answer.InvalidInput, field+".filename is required and must be a string")
		case strings.ContainsAny(name.Str, `/\`):
			return answer.Fail(answer.InvalidInput, field+".filename must not contain path separators")
		case (content.Kind == js.Undefined) == (url.Kind == js.Undefined):
			return answer.Fail(answer.InvalidInput, field+` must have exactly one of "content" (base64) or "url"`)
		case url.Kind != js.Undefined:
			if url.Kind != js.Text || !strings.HasPrefix(url.Str, "https://") {
				return answer.Fail(answer.InvalidInput, field+".url must be an HTTPS URL")
			}
			continue
		case content.Kind != js.Text:
			return answer.Fail(answer.InvalidInput, field+".content must be a base64-encoded string")
		}
		size, ok := base64Size(content.Str)
		if !ok {
			return answer.Fail(answer.InvalidInput, field+".content is not valid base64")
		}
		if total += size; total > maxAttachmentBytes {
			return answer.Fail(answer.InvalidInput, "Total attachment size exceeds 10MB limit")
		}
	}
	return nil
}

// base64Size is the length of what JavaScript's atob makes of s: white space does not count, nor does missing padding.
func base64Size(s string) (int, bool) {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\n\f\r", r) {
			return -1
		}
		return r
	}, s)
	if len(s)%4 == 0 {
		s = strings.TrimSuffix(strings.TrimSuffix(s, "="), "=")
	}
	decoded, err := base64.RawStdEncoding.DecodeString(s)
	return len(decoded), err == nil
}

func (c *call) findTemplate(id, slug js.Value) (*model.Template, *answer.Answer) {
	if id.Truthy() {
		if t := c.d.Mail.Templates[id.Str]; t != nil {
			return t, nil
		}
		return nil, answer.Crash()
	}
	if slug.Kind != js.Text {
		return nil, answer.Crash()
	}
	if t := c.d.Mail.BySlug(slug.Str); t != nil {
		return t, nil
	}
	return nil, answer.FailWith(answer.NotFound, `Transactional email with slug "`+slug.Str+`" not found`, "template_not_found")
}
