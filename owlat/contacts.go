package owlat

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Contact is a contact as Owlat's API shows it. What Owlat has no value for is "". Properties, subscriptions and opt-outs
// are not visible through the API.
type Contact struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"` // lower-cased by Owlat; "" for a contact that came by SMS
	FirstName string    `json:"firstName"`
	LastName  string    `json:"lastName"`
	Source    string    `json:"source"` // api, import, form, transactional or inbound
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// CreateContactRequest is what a contact is made of. A name that is nil is not sent; new("Ada") makes one. Owlat trims names,
// stores blank ones as none and takes at most 200 UTF-16 units each of names and address.
type CreateContactRequest struct {
	Email     string  `json:"email"`
	FirstName *string `json:"firstName,omitempty"`
	LastName  *string `json:"lastName,omitempty"`
}

// UpdateContactRequest is what changes of a contact: nil leaves a field as it is, a pointer to "" empties a name.
type UpdateContactRequest struct {
	Email     *string `json:"email,omitempty"`
	FirstName *string `json:"firstName,omitempty"`
	LastName  *string `json:"lastName,omitempty"`
}

// names returns the request that sets the names of in.
func (in CreateContactRequest) names() UpdateContactRequest {
	return UpdateContactRequest{FirstName: in.FirstName, LastName: in.LastName}
}

// holdsIn reports whether c has all names of in already.
func (in CreateContactRequest) holdsIn(c *Contact) bool {
	return same(in.FirstName, c.FirstName) && same(in.LastName, c.LastName)
}

func same(want *string, got string) bool {
	return want == nil || *want == got || blank(*want) && got == ""
}

const (
	routeContacts = "/contacts"
	routeContact  = "/contacts/{contact}"
)

// Create makes a contact: POST /contacts. It fails with [ErrConflict] if the address is held already and with
// [ErrInvalidInput] if Owlat takes it for none. It is never sent twice; see [OutcomeUnknown] for a lost answer, and
// [Contacts.Upsert] for a call that survives one.
func (s *Contacts) Create(ctx context.Context, in CreateContactRequest) (*Contact, error) {
	cl, _ := newCall(http.MethodPost, routeContacts)
	if blank(in.Email) {
		return nil, cl.refuse("the address is empty")
	}
	cl.body = in
	c, ans, err := fetch(ctx, s.core, cl, (*Contact).lacks)
	s.core.shown(ans, c)
	return c, err
}

// Get returns the contact with this id or address: GET /contacts/{contact}. Of several contacts with one address Owlat
// takes the oldest. It fails with [ErrNotFound] if there is none, and with [ErrInvalidInput] for what is neither an id nor an
// address.
func (s *Contacts) Get(ctx context.Context, idOrEmail string) (*Contact, error) {
	cl, err := newCall(http.MethodGet, routeContact, idOrEmail)
	if err != nil {
		return nil, err
	}
	c, _, err := fetch(ctx, s.core, cl, (*Contact).lacks)
	return c, err
}

// Update changes the contact with this id or address and returns it as it is then: PUT /contacts/{contact}. It fails with
// [ErrNotFound] if there is none, with [ErrConflict] if another contact has the new address and with [ErrInvalidInput] for
// values that Owlat does not take. Prefer the id: an address may be another contact's by now.
func (s *Contacts) Update(ctx context.Context, idOrEmail string, in UpdateContactRequest) (*Contact, error) {
	cl, err := newCall(http.MethodPut, routeContact, idOrEmail)
	if err != nil {
		return nil, err
	}
	cl.body = in
	c, ans, err := fetch(ctx, s.core, cl, (*Contact).lacks)
	s.core.shown(ans, c)
	return c, err
}

// shown takes in what the server's clock showed when it wrote the contact.
func (c *core) shown(ans *answer, written *Contact) {
	if ans != nil && !written.UpdatedAt.IsZero() {
		c.clock.Wrote(written.UpdatedAt, ans.sent, ans.received)
	}
}

// Delete removes the contact with this id or address for good, with its memberships, opt-outs and opt-in state:
// DELETE /contacts/{contact}. It fails with [ErrNotFound] if there is none, except after an attempt whose answer was lost:
// then the contact is gone, which is what was asked for.
func (s *Contacts) Delete(ctx context.Context, idOrEmail string) error {
	cl, err := newCall(http.MethodDelete, routeContact, idOrEmail)
	if err != nil {
		return err
	}
	_, _, err = fetch(ctx, s.core, cl, (*deletion).lacks)
	var refusal *Error
	if errors.As(err, &refusal) && refusal.unsure && isGone(err) {
		return nil
	}
	return err
}

type deletion struct {
	Deleted bool `json:"deleted"`
}

func (d *deletion) lacks() string {
	if !d.Deleted {
		return "it does not say that the contact was deleted"
	}
	return ""
}

func (c *Contact) lacks() string {
	if c.ID == "" {
		return "the contact has no id"
	}
	return ""
}

// isGone tells that Owlat itself said that there is no such contact.
func isGone(err error) bool { return errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNoRoute) }

// ListContactsRequest chooses a page of contacts.
type ListContactsRequest struct {
	Limit  int    // contacts a page, 1 to 100 (Owlat lowers larger ones); 0 means 25, and 100 for All
	Cursor string // of the page before; "" begins at the newest
	Search string // ranked full text: never a way to look up an address
}

// ContactPage is a page of contacts, newest first.
type ContactPage struct {
	Contacts []Contact
	Total    int    // of all contacts, whatever the search
	Cursor   string // of the next page, "" when Done
	Done     bool   // no page follows; the last one may be empty
}

// List returns one page of contacts: GET /contacts. Contacts created during a walk over the pages are missed, none comes
// twice. It fails with [ErrInvalidInput] for a negative limit and with [ErrInternal] for a cursor that Owlat did not give.
func (s *Contacts) List(ctx context.Context, in ListContactsRequest) (*ContactPage, error) {
	cl, _ := newCall(http.MethodGet, routeContacts)
	cl.query = url.Values{}
	if in.Limit < 0 {
		return nil, cl.refuse("the limit %d is negative", in.Limit)
	}
	if in.Limit > 0 {
		cl.query.Set("limit", strconv.Itoa(in.Limit))
	}
	if in.Cursor != "" {
		cl.query.Set("cursor", in.Cursor)
	}
	if in.Search != "" {
		cl.query.Set("search", in.Search)
	}
	ans, err := s.core.do(ctx, cl)
	if err != nil {
		return nil, err
	}
	var body struct {
		Data       *[]Contact `json:"data"`
		Pagination *struct {
			TotalItems int    `json:"totalItems"`
			Cursor     string `json:"cursor"`
			IsDone     bool   `json:"isDone"`
		} `json:"pagination"`
	}
	if err := ans.unmarshal(&body); err != nil {
		return nil, err
	}
	switch {
	case body.Data == nil || body.Pagination == nil:
		return nil, ans.unreadable(errors.New("it has no data or no pagination"))
	case !body.Pagination.IsDone && (body.Pagination.Cursor == "" || body.Pagination.Cursor == in.Cursor):
		return nil, ans.unreadable(errors.New("it is not the last page and does not lead to another"))
	}
	return &ContactPage{
		Contacts: *body.Data,
		Total:    body.Pagination.TotalItems,
		Cursor:   body.Pagination.Cursor,
		Done:     body.Pagination.IsDone,
	}, nil
}

// All iterates over all contacts, newest first, page by page as it is read. Its errors are those of [Contacts.List]; after one,
// which is the last pair, the iteration is incomplete.
//
// Nothing is open between two pages: other calls, and other iterations, may be made while one goes on, from its loop too. It
// asks for a page only when the one before is used up. Each range over the result begins anew. One iteration is for one
// goroutine.
func (s *Contacts) All(ctx context.Context, in ListContactsRequest) iter.Seq2[Contact, error] {
	if in.Limit == 0 {
		in.Limit = 100
	}
	return func(yield func(Contact, error) bool) {
		for in := in; ; {
			page, err := s.List(ctx, in)
			if err != nil {
				yield(Contact{}, err)
				return
			}
			for _, c := range page.Contacts {
				if !yield(c, nil) {
					return
				}
			}
			if page.Done {
				return
			}
			in.Cursor = page.Cursor
		}
	}
}
