package webhooks

import (
	"strconv"
	"time"

	"owlatsync/owlat/owlattest/internal/js"
	"owlatsync/owlat/owlattest/internal/model"
)

var _ model.Observer = (*Sender)(nil)

// ContactCreated tells webhooks of a new contact.
func (s *Sender) ContactCreated(c *model.Contact, typed string, now time.Time) {
	s.fire(ContactCreated, now, func(b []byte) []byte {
		b = js.AppendText(append(b, `"contactId":`...), c.ID)
		b = js.AppendText(append(b, `,"email":`...), typed)
		b = js.AppendText(append(b, `,"source":`...), c.Source)
		return js.AppendTime(append(b, `,"timestamp":`...), now)
	})
}

// TopicsLeft tells webhooks of the topics that a person left, in one event.
func (s *Sender) TopicsLeft(c *model.Contact, left []*model.Topic, now time.Time) {
	s.fire(TopicUnsubscribed, now, func(b []byte) []byte {
		lists := []byte("[")
		for i, t := range left {
			if i > 0 {
				lists = append(lists, ',')
			}
			lists = js.AppendText(append(lists, `{"topicId":`...), t.ID)
			lists = append(js.AppendText(append(lists, `,"topicName":`...), t.Name), '}')
		}
		b = js.AppendText(append(b, `"contactId":`...), c.ID)
		b = js.AppendText(append(b, `,"email":`...), c.Email)
		b = js.AppendText(append(b, `,"listsRemoved":`...), string(append(lists, ']')))
		return strconv.AppendInt(append(b, `,"unsubscribedAt":`...), now.UnixMilli(), 10)
	})
}

// Bounced tells webhooks of a mail that came back.
func (s *Sender) Bounced(email string, hard bool, message string, now time.Time) {
	kind := "soft"
	if hard {
		kind = "hard"
	}
	s.fire(EmailBounced, now, func(b []byte) []byte {
		b = js.AppendText(append(b, `"email":`...), email)
		b = js.AppendText(append(b, `,"bounceType":`...), kind)
		b = js.AppendText(append(b, `,"message":`...), message)
		return js.AppendTime(append(b, `,"timestamp":`...), now)
	})
}

// Complained tells webhooks of a mail that was reported as unwanted.
func (s *Sender) Complained(email string, now time.Time) {
	s.fire(EmailComplained, now, func(b []byte) []byte {
		b = js.AppendText(append(b, `"email":`...), email)
		return js.AppendTime(append(b, `,"timestamp":`...), now)
	})
}
