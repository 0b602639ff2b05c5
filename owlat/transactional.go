package owlat

import (
	"context"
	"net/http"

	"owlatsync/owlat/internal/wire"
)

// Limits of the attachments of one message.
const (
	MaxAttachments     = 10
	MaxAttachmentBytes = 10 << 20 // of all contents together
)

// SendMessageRequest is a transactional mail: a template published in Owlat, to one address.
type SendMessageRequest struct {
	Email string `json:"email"`
	// TransactionalID or Slug names the template.
	TransactionalID string `json:"transactionalId,omitempty"`
	Slug            string `json:"slug,omitempty"`
	// DataVariables fill the template; nil sends none.
	DataVariables map[string]any `json:"dataVariables,omitempty"`
	// Language is such as "de" or "pt-BR"; "" leaves it to Owlat.
	Language string `json:"language,omitempty"`
	// Attachments are at most MaxAttachments files of together at most MaxAttachmentBytes.
	Attachments []Attachment `json:"attachments,omitempty"`
}

const routeTransactional = "/transactional"

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
// recipient or an unpublished template, with [ErrNotFound] if there is no such template, and with [ErrInvalidInput] for
// values that Owlat does not take. It is never repeated after a lost answer: that could send the mail twice.
func (s *Transactional) Send(ctx context.Context, in SendMessageRequest) (*MessageResult, error) {
	cl, _ := newCall(http.MethodPost, routeTransactional)
	switch {
	case blank(in.Email):
		return nil, cl.refuse("the address is empty")
	case blank(in.TransactionalID) && blank(in.Slug):
		return nil, cl.refuse("the message names no template: give its id or its slug")
	}
	if err := cl.checkAttachments(in.Attachments); err != nil {
		return nil, err
	}
	cl.body = in
	got, _, err := fetch(ctx, s.core, cl, (*MessageResult).lacks)
	return got, err
}

func (r *MessageResult) lacks() string {
	if r.Status == "" {
		return "the message has no status"
	}
	return ""
}

func (cl call) checkAttachments(files []Attachment) error {
	if len(files) > MaxAttachments {
		return cl.refuse("%d attachments are more than Owlat's %d", len(files), MaxAttachments)
	}
	total := 0
	for i, f := range files {
		total += len(f.Content)
		if why := wire.AttachmentRefusal(f.Filename, len(f.Content), f.URL); why != "" {
			return cl.refuse("attachment %d %s", i+1, why)
		}
	}
	if total > MaxAttachmentBytes {
		return cl.refuse("the attachments are larger than Owlat's %d bytes together", MaxAttachmentBytes)
	}
	return nil
}
