package remote_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"testing"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile/remote"
)

// understated has pages tell a smaller total than there is, as a count does that is older than its page.
type understated struct{ http.RoundTripper }

var totalItems = regexp.MustCompile(`"totalItems":\d+`)

func (u understated) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := u.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(totalItems.ReplaceAll(body, []byte(`"totalItems":100`))))
	resp.ContentLength = -1
	return resp, err
}

// TestAListingEndsByItsCursor lists more contacts than the first page says that there are.
func TestAListingEndsByItsCursor(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 99, 100, 101, 200, 250} {
		server := &owlattest.Server{NoLimit: true}
		client, err := owlat.NewClient("https://owlat.example", server.AddKey(), owlat.WithTransport(understated{server.Transport()}), owlat.WithoutLimiter())
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if _, err := client.Contacts.Create(t.Context(), owlat.CreateContactRequest{Email: fmt.Sprintf("p%d@example.com", i)}); err != nil {
				t.Fatal(err)
			}
		}
		before, listed := server.Stats().Total, 0
		for page, err := range remote.List(t.Context(), client) {
			if err != nil {
				t.Fatal(err)
			}
			listed += len(page.Contacts)
		}
		if listed != n {
			t.Errorf("%d of %d contacts are listed", listed, n)
		}
		if requests := server.Stats().Total - before; requests != remote.ListingCost(n) {
			t.Errorf("listing %d contacts takes %d requests, not the %d that are promised", n, requests, remote.ListingCost(n))
		}
	}
}
