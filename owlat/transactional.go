package owlat

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// Limits of the attachments of one message.
const (
	MaxAttachments     = 10
	MaxAttachmentBytes = 10 << 20 // of all contents together
)

// SendMessageRequest is a transactional mail: a template published in Owlat, to one address.
type SendMessageRequest struct {
	Email string
	// TransactionalID or Slug names the template.
	TransactionalID string
	Slug            string
	// DataVariables fill the template; nil sends none.
	DataVariables map[string]any
	// Language is such as "de" or "pt-BR"; "" leaves it to Owlat.
	Language    string
	Attachments []Attachment
}

// Attachment is a file of a message: its content, or an https URL from which Owlat fetches it.
type Attachment struct {
	Filename    string `json:"filename"`
	Content     []byte `json:"content,omitempty"` // sent as base64
	URL         string `json:"url,omitempty"`
	ContentType string `json:"contentType,omitempty"` // "" leaves it to Owlat
}

// MessageResult is Owlat's answer: the mail is queued, not yet sent.
type MessageResult struct {
	Status               string `json:"status"` // "queued"
	Email                string `json:"email"`
	TransactionalEmailID string `json:"transactionalEmailId"`
	Slug                 string `json:"slug"`
	ContactID            string `json:"contactId"`
	ContactCreated       bool   `json:"contactCreated"`
	Language             string `json:"language"`
}

// Send queues a mail: POST /transactional. It fails with [ErrInvalidState] for an unverified sending domain, a blocked
// recipient or an unpublished template. It is never repeated after a lost answer: that could send the mail twice.
func (s *Transactional) Send(ctx context.Context, m SendMessageRequest) (*MessageResult, error) {
	cl := call{method: http.MethodPost, route: "/transactional", path: "/transactional"}
	switch {
	case blank(m.Email):
		return nil, cl.refuse("the address is empty")
	case blank(m.TransactionalID) && blank(m.Slug):
		return nil, cl.refuse("the message names no template: give its id or its slug")
	}
	if err := cl.checkAttachments(m.Attachments); err != nil {
		return nil, err
	}
	cl.body = struct {
		Email           string         `json:"email"`
		TransactionalID string         `json:"transactionalId,omitempty"`
		Slug            string         `json:"slug,omitempty"`
		DataVariables   map[string]any `json:"dataVariables,omitempty"`
		Language        string         `json:"language,omitempty"`
		Attachments     []Attachment   `json:"attachments,omitempty"`
	}{m.Email, m.TransactionalID, m.Slug, m.DataVariables, m.Language, m.Attachments}
	ans, err := s.core.do(ctx, cl)
	if err != nil {
		return nil, err
	}
	got, err := data[MessageResult](ans)
	if err != nil {
		return nil, err
	}
	if got.Status == "" {
		return nil, ans.unreadable(errors.New("the message has no status"))
	}
	return got, nil
}

func (cl call) checkAttachments(files []Attachment) error {
	if len(files) > MaxAttachments {
		return cl.refuse("%d attachments are more than Owlat's %d", len(files), MaxAttachments)
	}
	total := 0
	for i, f := range files {
		total += len(f.Content)
		switch {
		case blank(f.Filename):
			return cl.refuse("attachment %d has no file name", i+1)
		case len(f.Content) == 0 && f.URL == "":
			return cl.refuse("attachment %d has neither content nor a URL", i+1)
		case len(f.Content) > 0 && f.URL != "":
			return cl.refuse("attachment %d has both content and a URL", i+1)
		case f.URL != "" && !isHTTPS(f.URL):
			return cl.refuse("the URL of attachment %d is not an https URL", i+1)
		case total > MaxAttachmentBytes:
			return cl.refuse("the attachments are larger than Owlat's %d bytes together", MaxAttachmentBytes)
		}
	}
	return nil
}

func isHTTPS(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == "https" && u.Hostname() != ""
}
