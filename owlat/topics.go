package owlat

import (
	"context"
	"net/http"
)

// AddMemberRequest names a contact that goes on a topic: by ContactID, or by Email if that is empty.
type AddMemberRequest struct {
	Email     string
	ContactID string
}

// The double opt-in states of a contact.
const (
	DOINotRequired = "not_required" // no add to a topic with double opt-in has asked the person to confirm
	DOIPending     = "pending"      // a mail has asked the person to confirm
	DOIConfirmed   = "confirmed"    // the person has confirmed
)

// Membership is Owlat's answer to an add.
type Membership struct {
	ContactID string `json:"contactId"`
	TopicID   string `json:"topicId"`
	// DOIStatus is the double opt-in state of the contact, not of the membership: DOINotRequired, DOIPending or DOIConfirmed.
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
// topic or contact, with [ErrInvalidInput] for what has the form of neither, and with [ErrInternal] for an id of something
// else. It is not sent again after a lost answer; doing so is safe as long as nobody can have left meanwhile.
func (s *Topics) Add(ctx context.Context, topicID string, in AddMemberRequest) (*Membership, error) {
	cl, err := newCall(http.MethodPost, routeMembers, topicID)
	if err != nil {
		return nil, err
	}
	switch {
	case !blank(in.ContactID):
		cl.body = struct {
			ContactID string `json:"contactId"`
		}{in.ContactID}
	case !blank(in.Email):
		cl.body = struct {
			Email string `json:"email"`
		}{in.Email}
	default:
		return nil, cl.refuse("the member has neither an address nor a contact id")
	}
	m, _, err := fetch(ctx, s.core, cl, (*Membership).lacks)
	return m, err
}

func (m *Membership) lacks() string {
	if m.ContactID == "" {
		return "the membership has no contact id"
	}
	return ""
}

// Remove takes the contact with this id or address off a topic: DELETE /topics/{topic}/contacts/{contact}. It reports
// whether the contact was on it; after an attempt whose answer was lost, false may also mean that that attempt took it off.
// It fails with [ErrNotFound] if there is no such topic or contact, and as [Topics.Add] for what is none.
func (s *Topics) Remove(ctx context.Context, topicID, idOrEmail string) (removed bool, err error) {
	cl, err := newCall(http.MethodDelete, routeMember, topicID, idOrEmail)
	if err != nil {
		return false, err
	}
	got, _, err := fetch(ctx, s.core, cl, (*removal).lacks)
	if err != nil {
		return false, err
	}
	return *got.Removed, nil
}

type removal struct {
	Removed *bool `json:"removed"`
}

func (r *removal) lacks() string {
	if r.Removed == nil {
		return "it does not say whether the contact was removed"
	}
	return ""
}
