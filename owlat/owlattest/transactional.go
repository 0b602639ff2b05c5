package owlattest

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"owlatsync"
)

const (
	maxAttachments     = 10
	maxAttachmentBytes = 10 << 20
)

// template is a mail that can be sent by the transactional endpoint.
type template struct {
	id        string
	slug      string
	published bool
	languages []string // the first is the default
}

// AddTemplate makes a transactional mail that can be sent by its slug or by the id returned. The languages are the ones
// it exists in, the first being its default; none means English. An unpublished mail is refused.
func (s *Server) AddTemplate(slug string, published bool, languages ...string) (id string) {
	s.lock()
	defer s.mu.Unlock()
	s.changed()
	return s.addTemplate(slug, published, languages)
}

func (s *Server) addTemplate(slug string, published bool, languages []string) string {
	if len(languages) == 0 {
		languages = []string{"en"}
	}
	t := &template{id: s.newID(), slug: slug, published: published, languages: languages}
	s.templates[t.id] = t
	return t.id
}

// BlockAddress makes Owlat refuse transactional mail to that address, as after a bounce or a complaint.
func (s *Server) BlockAddress(email string) {
	s.lock()
	defer s.mu.Unlock()
	s.changed()
	s.blocked[lower(email)] = true
}

// SetDomainVerified says whether the sending domain is verified, as it is at first.
func (s *Server) SetDomainVerified(verified bool) {
	s.lock()
	defer s.mu.Unlock()
	s.changed()
	s.unverified = !verified
}

func (s *Server) sendTransactional(c *call) *answer {
	body, refused := parseBody(c)
	if refused != nil {
		return refused
	}
	if refused := checkMessage(body); refused != nil {
		return refused
	}
	if refused := checkAttachments(body.get("attachments")); refused != nil {
		return refused
	}
	email, address := body.get("email").str, lower(body.get("email").str)
	if s.blocked[address] {
		return failWith(invalidState, "This email address is blocked. The recipient may have previously bounced or filed a complaint.", "recipient_blocked")
	}
	t, refused := s.findTemplate(body.get("transactionalId"), body.get("slug"))
	if refused != nil {
		return refused
	}
	switch {
	case !t.published:
		return failWith(invalidState, `Transactional email "`+t.slug+`" is not published. Please publish it before sending.`, "template_not_published")
	case s.unverified:
		return failWith(invalidState, "Sending domain is not verified.", "domain_unverified")
	case body.get("dataVariables").kind != undefined && !validProperties(body.get("dataVariables")):
		return crash()
	}
	// The recipient is looked up by identity, as a create does, and made where there is none.
	found, created := s.contacts.byIdentity[address], false
	if found == nil {
		if owlatsync.UTF16Len(email) > owlatsync.MaxAddress {
			return crash()
		}
		found, created = s.create(email, "transactional", c.now), true
	}
	s.stats.messages++

	b := append([]byte(nil), `{"data":{"status":"queued","email":`...)
	b = appendText(b, email)
	b = appendText(append(b, `,"transactionalEmailId":`...), s.newID())
	b = appendText(append(b, `,"slug":`...), body.get("slug").str)
	b = appendText(append(b, `,"contactId":`...), found.id)
	b = append(b, `,"contactCreated":`...)
	b = strconv.AppendBool(b, created)
	b = appendText(append(b, `,"language":`...), t.language(body.get("language").str))
	return jsonAnswer(http.StatusAccepted, append(b, "}}"...))
}

func checkMessage(body value) *answer {
	email, variables, language := body.get("email"), body.get("dataVariables"), body.get("language")
	switch {
	case !email.truthy():
		return fail(invalidInput, "email is required")
	case email.kind != text:
		return fail(invalidInput, "email must be a string")
	case !owlatsync.ValidAddress(email.str):
		return fail(invalidInput, msgBadEmail)
	case !body.get("transactionalId").truthy() && !body.get("slug").truthy():
		return fail(invalidInput, "Either transactionalId or slug is required")
	case variables.kind == boolean || variables.kind == number || variables.kind == text:
		return fail(invalidInput, "dataVariables must be an object")
	case language.kind != undefined && language.kind != text:
		return fail(invalidInput, "language must be a string")
	case language.str != "" && !validLanguage(language.str):
		return fail(invalidInput, "language must be a valid language code (e.g., 'en', 'de', 'fr', 'en-US')")
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

func checkAttachments(v value) *answer {
	switch {
	case v.kind == undefined:
		return nil
	case v.kind != array:
		return fail(invalidInput, "attachments must be an array")
	case len(v.list) > maxAttachments:
		return fail(invalidInput, "Maximum "+strconv.Itoa(maxAttachments)+" attachments allowed")
	}
	total := 0
	for i, item := range v.list {
		if item.kind == null {
			return crash()
		}
		name, content, url := item.get("filename"), item.get("content"), item.get("url")
		field := "attachments[" + strconv.Itoa(i) + "]"
		switch {
		case name.kind != text || name.str == "":
			return fail(invalidInput, field+".filename is required and must be a string")
		case strings.ContainsAny(name.str, `/\`):
			return fail(invalidInput, field+".filename must not contain path separators")
		case (content.kind == undefined) == (url.kind == undefined):
			return fail(invalidInput, field+` must have exactly one of "content" (base64) or "url"`)
		case url.kind != undefined:
			if url.kind != text || !strings.HasPrefix(url.str, "https://") {
				return fail(invalidInput, field+".url must be an HTTPS URL")
			}
			continue
		case content.kind != text:
			return fail(invalidInput, field+".content must be a base64-encoded string")
		}
		size, ok := base64Size(content.str)
		if !ok {
			return fail(invalidInput, field+".content is not valid base64")
		}
		if total += size; total > maxAttachmentBytes {
			return fail(invalidInput, "Total attachment size exceeds 10MB limit")
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

func (s *Server) findTemplate(id, slug value) (*template, *answer) {
	if id.truthy() {
		if t := s.templates[id.str]; t != nil {
			return t, nil
		}
		return nil, crash()
	}
	if slug.kind != text {
		return nil, crash()
	}
	for _, t := range s.templates {
		if t.slug == slug.str {
			return t, nil
		}
	}
	return nil, failWith(notFound, `Transactional email with slug "`+slug.str+`" not found`, "template_not_found")
}

// language picks the language of a mail: the one asked for, else the template's default.
func (t *template) language(asked string) string {
	for _, l := range t.languages {
		if l == asked {
			return l
		}
	}
	return t.languages[0]
}
