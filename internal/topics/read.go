package topics

import (
	"context"
	"errors"
	"slices"
	"strings"

	"owlatsync/owlat"
)

// ErrNobody means that the deployment has no contact, or none that is known: there is nobody by whose preferences topics could be read.
var ErrNobody = errors.New("no contact is in Owlat yet, and it tells its topics only by one")

// attempts is how many contacts are tried: one may be deleted between its listing and the question.
const attempts = 3

// Read reads the topics of the deployment by one contact: the newest, with a request to the API, or the one that other returns if the
// key may not list contacts. It changes nothing. other may be nil, and returns "" if it knows none. The client must have the unsubscribe
// secret.
func Read(ctx context.Context, client *owlat.Client, other func(context.Context) (contactID string, err error)) (Book, error) {
	var err error
	for range attempts {
		var contact string
		if contact, err = someContact(ctx, client, other); err != nil {
			return Book{}, err
		}
		var book Book
		if book, err = ReadBy(ctx, client, contact); err == nil || !gone(err) {
			return book, err
		}
	}
	return Book{}, err
}

// ReadBy is Read for a contact that is known.
func ReadBy(ctx context.Context, client *owlat.Client, contactID string) (Book, error) {
	told, err := client.Preferences.Get(ctx, contactID)
	if err != nil {
		return Book{}, err
	}
	b := Book{topics: make([]Topic, len(told.Topics))}
	for i, t := range told.Topics {
		b.topics[i] = Topic{ID: t.ID, Name: t.Name}
	}
	slices.SortStableFunc(b.topics, func(x, y Topic) int { return strings.Compare(x.Name, y.Name) })
	return b, nil
}

// gone reports whether the contact that was asked by is not there any more.
func gone(err error) bool {
	return errors.Is(err, owlat.ErrNotFound) && !errors.Is(err, owlat.ErrNoRoute)
}

func someContact(ctx context.Context, client *owlat.Client, other func(context.Context) (string, error)) (string, error) {
	page, err := client.Contacts.List(ctx, owlat.ListContactsRequest{Limit: 1})
	switch {
	case err == nil && len(page.Contacts) > 0:
		return page.Contacts[0].ID, nil
	case err == nil:
		return "", ErrNobody
	case !errors.Is(err, owlat.ErrForbidden) || other == nil:
		return "", err
	}
	id, otherErr := other(ctx)
	if otherErr == nil && id == "" {
		otherErr = err
	}
	return id, otherErr
}
