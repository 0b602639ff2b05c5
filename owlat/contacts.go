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

const (
	routeContacts = "/contacts"
	routeContact  = "/contacts/{contact}"
)

// Create makes a contact: POST /contacts. It fails with [ErrConflict] if the address is held already. It is never sent
// twice; see [OutcomeUnknown] for a lost answer, and [Contacts.Upsert] for a call that survives one.
func (s *Contacts) Create(ctx context.Context, in CreateContactRequest) (*Contact, error) {
	cl := call{method: http.MethodPost, route: routeContacts, path: "/contacts", body: in}
	if blank(in.Email) {
		return nil, cl.refuse("the address is empty")
	}
	c, _, err := s.one(ctx, cl)
	return c, err
}

// Get returns the contact with this id or address: GET /contacts/{contact}. Of several contacts with one address Owlat
// takes the oldest. It fails with [ErrNotFound] if there is none.
func (s *Contacts) Get(ctx context.Context, idOrEmail string) (*Contact, error) {
	c, _, err := s.get(ctx, idOrEmail)
	return c, err
}

func (s *Contacts) get(ctx context.Context, idOrEmail string) (*Contact, *answer, error) {
	cl, err := contactCall(http.MethodGet, idOrEmail, nil)
	if err != nil {
		return nil, nil, err
	}
	return s.one(ctx, cl)
}

// Update changes the contact with this id or address and returns it as it is then: PUT /contacts/{contact}. It fails with
// [ErrNotFound] if there is none and with [ErrConflict] if another contact has the new address. Prefer the id: an address
// may be another contact's by now.
func (s *Contacts) Update(ctx context.Context, idOrEmail string, in UpdateContactRequest) (*Contact, error) {
	c, _, err := s.put(ctx, idOrEmail, in)
	return c, err
}

func (s *Contacts) put(ctx context.Context, idOrEmail string, in UpdateContactRequest) (*Contact, *answer, error) {
	cl, err := contactCall(http.MethodPut, idOrEmail, in)
	if err != nil {
		return nil, nil, err
	}
	return s.one(ctx, cl)
}

// Delete removes the contact with this id or address for good, with its memberships, opt-outs and opt-in state:
// DELETE /contacts/{contact}. It fails with [ErrNotFound] if there is none, except after an attempt whose answer was lost:
// then the contact is gone, which is what was asked for.
func (s *Contacts) Delete(ctx context.Context, idOrEmail string) error {
	cl, err := contactCall(http.MethodDelete, idOrEmail, nil)
	if err != nil {
		return err
	}
	ans, err := s.core.do(ctx, cl)
	var refusal *Error
	if errors.As(err, &refusal) && refusal.unsure && isGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	got, err := data[struct {
		Deleted bool `json:"deleted"`
	}](ans)
	if err != nil {
		return err
	}
	if !got.Deleted {
		return ans.unreadable(errors.New("it does not say that the contact was deleted"))
	}
	return nil
}

// isGone tells that Owlat itself said that there is no such contact.
func isGone(err error) bool { return errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNoRoute) }

func contactCall(method, idOrEmail string, body any) (call, error) {
	cl := call{method: method, route: routeContact, body: body}
	segment, err := cl.segment(idOrEmail, "contact")
	if err != nil {
		return cl, err
	}
	cl.path = "/contacts/" + segment
	return cl, nil
}

func (s *Contacts) one(ctx context.Context, cl call) (*Contact, *answer, error) {
	ans, err := s.core.do(ctx, cl)
	if err != nil {
		return nil, nil, err
	}
	c, err := data[Contact](ans)
	if err != nil {
		return nil, nil, err
	}
	if c.ID == "" {
		return nil, nil, ans.unreadable(errors.New("the contact has no id"))
	}
	return c, ans, nil
}

// ListContactsRequest choose a page of contacts.
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
// twice.
func (s *Contacts) List(ctx context.Context, opts ListContactsRequest) (*ContactPage, error) {
	cl := call{method: http.MethodGet, route: routeContacts, path: "/contacts", query: url.Values{}}
	if opts.Limit < 0 {
		return nil, cl.refuse("the limit %d is negative", opts.Limit)
	}
	if opts.Limit > 0 {
		cl.query.Set("limit", strconv.Itoa(opts.Limit))
	}
	if opts.Cursor != "" {
		cl.query.Set("cursor", opts.Cursor)
	}
	if opts.Search != "" {
		cl.query.Set("search", opts.Search)
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
	case !body.Pagination.IsDone && (body.Pagination.Cursor == "" || body.Pagination.Cursor == opts.Cursor):
		return nil, ans.unreadable(errors.New("it is not the last page and does not lead to another"))
	}
	return &ContactPage{
		Contacts: *body.Data,
		Total:    body.Pagination.TotalItems,
		Cursor:   body.Pagination.Cursor,
		Done:     body.Pagination.IsDone,
	}, nil
}

// All iterates over all contacts, newest first, page by page as it is read. After an error, which is the last pair, the
// iteration is incomplete.
func (s *Contacts) All(ctx context.Context, opts ListContactsRequest) iter.Seq2[Contact, error] {
	if opts.Limit == 0 {
		opts.Limit = 100
	}
	return func(yield func(Contact, error) bool) {
		for opts := opts; ; {
			page, err := s.List(ctx, opts)
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
			opts.Cursor = page.Cursor
		}
	}
}
