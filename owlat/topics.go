package owlat

import (
	"context"
	"errors"
	"net/http"
)

// AddMemberRequest names a contact that goes on a topic: by ContactID, or by Email if that is empty.
type AddMemberRequest struct {
	Email     string
	ContactID string
}

// Membership is Owlat's answer to an add.
type Membership struct {
	ContactID string `json:"contactId"`
	TopicID   string `json:"topicId"`
	// DOIStatus is the double opt-in state of the contact, not of the membership: not_required, pending or confirmed.
	DOIStatus string `json:"doiStatus"`
}

const (
	routeMembers = "/topics/{topic}/contacts"
	routeMember  = "/topics/{topic}/contacts/{contact}"
)

// Add puts a contact on a topic: POST /topics/{topic}/contacts. The answer is the same for a new and an old member.
//
// Mind consent: an add lifts the contact's global opt-out, at once on a topic without double opt-in, and fires the
// topic's automations (welcome mails) each time the contact was not on it. It fails with [ErrNotFound] if there is no such
// topic or contact. It is not sent again after a lost answer; doing so is safe as long as nobody can have left meanwhile.
func (s *Topics) Add(ctx context.Context, topicID string, m AddMemberRequest) (*Membership, error) {
	cl := call{method: http.MethodPost, route: routeMembers}
	topic, err := cl.segment(topicID, "topic")
	if err != nil {
		return nil, err
	}
	cl.path = "/topics/" + topic + "/contacts"
	switch {
	case !blank(m.ContactID):
		cl.body = struct {
			ContactID string `json:"contactId"`
		}{m.ContactID}
	case !blank(m.Email):
		cl.body = struct {
			Email string `json:"email"`
		}{m.Email}
	default:
		return nil, cl.refuse("the member has neither an address nor a contact id")
	}
	ans, err := s.core.do(ctx, cl)
	if err != nil {
		return nil, err
	}
	got, err := data[Membership](ans)
	if err != nil {
		return nil, err
	}
	if got.ContactID == "" {
		return nil, ans.unreadable(errors.New("the membership has no contact id"))
	}
	return got, nil
}

// Remove takes the contact with this id or address off a topic: DELETE /topics/{topic}/contacts/{contact}. It reports
// whether the contact was on it; after an attempt whose answer was lost, false may also mean that that attempt took it off.
// It fails with [ErrNotFound] if there is no such topic or contact.
func (s *Topics) Remove(ctx context.Context, topicID, idOrEmail string) (removed bool, err error) {
	cl := call{method: http.MethodDelete, route: routeMember}
	topic, err := cl.segment(topicID, "topic")
	if err != nil {
		return false, err
	}
	contact, err := cl.segment(idOrEmail, "contact")
	if err != nil {
		return false, err
	}
	cl.path = "/topics/" + topic + "/contacts/" + contact
	ans, err := s.core.do(ctx, cl)
	if err != nil {
		return false, err
	}
	got, err := data[struct {
		Removed *bool `json:"removed"`
	}](ans)
	if err != nil {
		return false, err
	}
	if got.Removed == nil {
		return false, ans.unreadable(errors.New("it does not say whether the contact was removed"))
	}
	return *got.Removed, nil
}
