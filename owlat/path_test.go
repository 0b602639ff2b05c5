package owlat_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"owlatsync"
	"owlatsync/owlat"
)

var awkwardAddresses = []string{
	"ada@example.com",
	"a+b@example.com",
	"slash/ed@example.com",
	"/@example.com",
	"a/./b@example.com",
	"100%@example.com",
	"%2F@example.com",
	"%@example.com",
	"a%40b@example.com",
	"a#b@example.com",
	"a?b=c&d@example.com",
	"o'hara!$*@example.com",
	"{braces}|^`~@example.com",
	"Ada.Lovelace@Example.COM",
	"josé@exämple.example",
	"İi@example.com",
	"😀@example.com",
	"_-=@xn--example.example",
}

// FuzzAddressNamesItsContactAndNoOther sends every address that Owlat accepts through a path, to an emulator that holds
// other contacts whose addresses are parts of it.
func FuzzAddressNamesItsContactAndNoOther(f *testing.F) {
	for _, a := range awkwardAddresses {
		f.Add(a)
	}
	f.Fuzz(func(t *testing.T, address string) {
		normal, err := owlatsync.NormalizeAddress(address)
		if err != nil || !owlatsync.ValidAddress(address) {
			t.Skip("Owlat refuses it")
		}
		d := deploy(t, owlat.WithRetries(0))
		others := map[string]bool{}
		for _, cut := range []string{"/", "%", "?", "#", "&", "+"} {
			for part := range strings.SplitSeq(address, cut) {
				for _, decoy := range []string{part, "x" + part} {
					if n, err := owlatsync.NormalizeAddress(decoy); err == nil && n != normal && !others[n] {
						others[n] = true
						d.create(t, n, "Decoy")
					}
				}
			}
		}
		made := d.create(t, address, "Target")
		if made.Email != normal {
			t.Fatalf("Owlat keeps %q as %q, want %q", address, made.Email, normal)
		}
		if got, err := d.client.Contacts.Get(t.Context(), address); err != nil || got.ID != made.ID {
			t.Errorf("get: %+v, %v", got, err)
		}
		if got, err := d.client.Contacts.Update(t.Context(), address, owlat.UpdateContactRequest{LastName: new("L")}); err != nil || got.ID != made.ID {
			t.Errorf("update: %+v, %v", got, err)
		}
		if got, err := d.client.Topics.Add(t.Context(), d.topic, owlat.AddMemberRequest{Email: address}); err != nil || got.ContactID != made.ID {
			t.Errorf("topic add: %+v, %v", got, err)
		}
		if removed, err := d.client.Topics.Remove(t.Context(), d.topic, address); err != nil || !removed {
			t.Errorf("topic remove: %v, %v", removed, err)
		}
		if err := d.client.Contacts.Delete(t.Context(), address); err != nil {
			t.Errorf("delete: %v", err)
		}
		if _, held := d.Contact(made.ID); held || d.Len() != len(others) {
			t.Errorf("after the delete there are %d contacts, want the %d others", d.Len(), len(others))
		}
	})
}

// FuzzSegmentIsOneSegment checks for any text what arrives at a server.
func FuzzSegmentIsOneSegment(f *testing.F) {
	for _, s := range append(awkwardAddresses, "..", ".", "", "...", ".%2e", "a b", "\x00", "\xff", "k57/../x", "\\", ";p=1") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var uri string
		client := connect(t, anyKey, roundTripper(func(r *http.Request) (*http.Response, error) {
			uri = r.URL.RequestURI()
			return reply(200, oneContact), nil
		}), owlat.WithoutLimiter())
		_, err := client.Contacts.Get(t.Context(), s)
		if err != nil {
			refusable := strings.TrimSpace(s) == "" || s == "." || s == ".." || !utf8.ValidString(s)
			if !refusable || !errors.Is(err, owlat.ErrInvalidInput) || uri != "" {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		last, ok := strings.CutPrefix(uri, basePath+"/api/v1/contacts/")
		if !ok || last != owlat.Escape(s) || strings.ContainsAny(last, "/?#+@ ") {
			t.Fatalf("%q became %q", s, uri)
		}
		if back, err := url.PathUnescape(last); err != nil || back != s {
			t.Errorf("%q arrives as %q: %v", s, back, err)
		}
	})
}
