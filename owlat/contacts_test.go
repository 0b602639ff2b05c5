package owlat_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

func TestContactLife(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	ctx := t.Context()
	made, err := d.client.Contacts.Create(ctx, owlat.CreateContactRequest{Email: "Ada@Example.com", FirstName: new(" Ada ")})
	if err != nil || made.Email != "ada@example.com" || made.FirstName != "Ada" || made.LastName != "" || made.Source != "api" || made.CreatedAt.IsZero() {
		t.Fatalf("create: %+v, %v", made, err)
	}
	if _, err := d.client.Contacts.Create(ctx, owlat.CreateContactRequest{Email: "ADA@example.com"}); !errors.Is(err, owlat.ErrConflict) {
		t.Errorf("second create: %v", err)
	}
	renamed, err := d.client.Contacts.Update(ctx, made.ID, owlat.UpdateContactRequest{Email: new("lovelace@example.com"), FirstName: new("")})
	if err != nil || renamed.ID != made.ID || renamed.Email != "lovelace@example.com" || renamed.FirstName != "" {
		t.Errorf("update: %+v, %v", renamed, err)
	}
	if _, err := d.client.Contacts.Get(ctx, "ada@example.com"); !errors.Is(err, owlat.ErrNotFound) || errors.Is(err, owlat.ErrNoRoute) {
		t.Errorf("get by the old address: %v", err)
	}
	d.create(t, "other@example.com", "Other")
	if _, err := d.client.Contacts.Update(ctx, made.ID, owlat.UpdateContactRequest{Email: new("other@example.com")}); !errors.Is(err, owlat.ErrConflict) {
		t.Errorf("rename to a held address: %v", err)
	}
	got, err := d.client.Contacts.Get(ctx, "Lovelace@Example.com")
	if err != nil || *got != *renamed {
		t.Errorf("get: %+v, %v, want %+v", got, err, renamed)
	}
	if err := d.client.Contacts.Delete(ctx, made.ID); err != nil {
		t.Error(err)
	}
	for _, err := range []error{
		d.client.Contacts.Delete(ctx, made.ID),
		second(d.client.Contacts.Get(ctx, made.ID)),
		second(d.client.Contacts.Update(ctx, made.ID, owlat.UpdateContactRequest{})),
	} {
		if !errors.Is(err, owlat.ErrNotFound) {
			t.Errorf("after the delete: %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestAllReadsEveryContactOnce(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 99, 100, 101, 250} {
		for _, limit := range []int{0, 10, 100, 1000} {
			t.Run(fmt.Sprintf("%d by %d", n, limit), func(t *testing.T) {
				t.Parallel()
				d := deploy(t)
				d.Seed(n, "u")
				seen := map[string]bool{}
				for c, err := range d.client.Contacts.All(t.Context(), owlat.ListContactsRequest{Limit: limit}) {
					if err != nil || seen[c.ID] {
						t.Fatalf("%+v again, or %v", c, err)
					}
					seen[c.ID] = true
				}
				page := limit
				if page == 0 || page > 100 {
					page = 100
				}
				if want := n/page + 1; len(seen) != n || d.Stats().Total != want {
					t.Errorf("%d contacts in %d requests, want %d in %d", len(seen), d.Stats().Total, n, want)
				}
			})
		}
	}
}

func TestAllStopsEarly(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.Seed(50, "u")
	read := 0
	all := d.client.Contacts.All(t.Context(), owlat.ListContactsRequest{Limit: 10})
	for _, err := range all {
		if err != nil {
			t.Fatal(err)
		}
		if read++; read == 10 {
			break
		}
	}
	if got := d.Stats().Total; got != 1 {
		t.Errorf("%d requests for the first ten contacts, want 1", got)
	}
	read = 0
	for range all { // it can be ranged over again
		read++
	}
	if read != 50 {
		t.Errorf("the second walk read %d contacts, want 50", read)
	}
}

func TestAllEndsWithItsError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t)
		d.Seed(50, "u")
		d.inject(t, owlattest.Fault{Kind: owlattest.StatusError, At: 3, Count: 10})
		read, failures := 0, 0
		for _, err := range d.client.Contacts.All(t.Context(), owlat.ListContactsRequest{Limit: 10}) {
			if err == nil {
				read++
				continue
			}
			failures++
			if !errors.Is(err, owlat.ErrInternal) {
				t.Errorf("got %v", err)
			}
		}
		if read != 20 || failures != 1 {
			t.Errorf("%d contacts and %d errors, want 20 and 1", read, failures)
		}
	})
}

func TestListPage(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.Seed(30, "u")
	page, err := d.client.Contacts.List(t.Context(), owlat.ListContactsRequest{})
	if err != nil || len(page.Contacts) != 25 || page.Total != 30 || page.Done || page.Cursor == "" {
		t.Fatalf("first page: %+v, %v", page, err)
	}
	page, err = d.client.Contacts.List(t.Context(), owlat.ListContactsRequest{Cursor: page.Cursor})
	if err != nil || len(page.Contacts) != 5 || !page.Done || page.Cursor != "" {
		t.Errorf("second page: %+v, %v", page, err)
	}
	if page, err = d.client.Contacts.List(t.Context(), owlat.ListContactsRequest{Search: "u17"}); err != nil || len(page.Contacts) != 1 || page.Total != 30 {
		t.Errorf("search: %+v, %v", page, err)
	}
	if _, err := d.connect(t, d.AddKey(), owlat.WithRetries(0)).Contacts.List(t.Context(), owlat.ListContactsRequest{Cursor: "a&b=c d+/"}); !errors.Is(err, owlat.ErrInternal) {
		t.Errorf("a bad cursor: %v", err)
	}
}

func TestListThatLeadsNowhere(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"data":[],"pagination":{"cursor":null,"isDone":false}}`,
		`{"data":[],"pagination":{"cursor":"same","isDone":false}}`,
		`{"data":[]}`,
		`{"pagination":{"isDone":true}}`,
		`{"data":null,"pagination":{"isDone":true}}`,
	} {
		requests := 0
		client := connect(t, anyKey, roundTripper(func(*http.Request) (*http.Response, error) {
			requests++
			return reply(200, body), nil
		}), owlat.WithoutLimiter())
		var last error
		for _, err := range client.Contacts.All(t.Context(), owlat.ListContactsRequest{}) {
			last = err
		}
		if !errors.Is(last, owlat.ErrParse) || requests > 2 {
			t.Errorf("%s: %v after %d requests", body, last, requests)
		}
	}
}

func TestContactWithoutAddress(t *testing.T) {
	t.Parallel()
	client := connect(t, anyKey, always(200, `{"data":{"id":"k570000000","firstName":null,"source":"inbound","createdAt":"2026-01-02T03:04:05.678Z"}}`))
	got, err := client.Contacts.Get(t.Context(), "k570000000")
	if err != nil || got.ID != "k570000000" || got.Email != "" || got.FirstName != "" || !got.UpdatedAt.IsZero() {
		t.Errorf("got %+v, %v", got, err)
	}
}
