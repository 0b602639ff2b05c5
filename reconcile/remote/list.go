package remote

import (
	"context"
	"fmt"
	"iter"

	"owlatsync/owlat"
)

// ListPage is how many contacts a page has, the most that Owlat gives.
const ListPage = 100

// ListingCost returns how many requests a listing of that many contacts takes.
func ListingCost(contacts int) int { return max(1, (contacts+ListPage-1)/ListPage) }

// List lists the contacts that Owlat has, newest first. It ends with the last contact that was there when it began: Owlat would
// send an empty page after a last page that is full.
func List(ctx context.Context, client *owlat.Client) iter.Seq2[*owlat.ContactPage, error] {
	return func(yield func(*owlat.ContactPage, error) bool) {
		cursor, listed, total := "", 0, -1
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
			if total < 0 {
				total = page.Total
			}
			listed += len(page.Contacts)
			if !yield(page, nil) || page.Done || listed >= total {
				return
			}
			cursor = page.Cursor
		}
	}
}
