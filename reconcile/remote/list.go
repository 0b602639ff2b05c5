package remote

import (
	"context"
	"fmt"
	"iter"

	"owlatsync/owlat"
)

// ListPage is how many contacts a page has, the most that Owlat gives.
const ListPage = 100

// ListingCost returns how many requests a listing of that many contacts takes at most: after a last page that is full there is an empty
// one.
func ListingCost(contacts int) int { return contacts/ListPage + 1 }

// List lists all contacts that Owlat has, newest first, until Owlat says that there are no more. The total that a page tells is as of
// its own instant, and contacts are created and deleted meanwhile: who ends by it may miss contacts, and take them for gone.
func List(ctx context.Context, client *owlat.Client) iter.Seq2[*owlat.ContactPage, error] {
	return func(yield func(*owlat.ContactPage, error) bool) {
		cursor := ""
		for {
			var page *owlat.ContactPage
			err := Call(ctx, func() (err error) {
				page, err = client.Contacts.List(ctx, owlat.ListContactsRequest{Limit: ListPage, Cursor: cursor})
				return err
			})
			if err != nil {
				yield(nil, fmt.Errorf("list the contacts that Owlat has: %w", err))
				return
			}
			if !yield(page, nil) || page.Done {
				return
			}
			cursor = page.Cursor
		}
	}
}
