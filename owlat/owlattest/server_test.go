package owlattest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"owlatsync/owlat/owlattest"
)

func TestZeroServer(t *testing.T) {
	t.Parallel()
	var s owlattest.Server
	client := &http.Client{Transport: s.Transport()}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://owlat.example/api/v1/contacts", strings.NewReader(`{"email":"Ada@Example.com"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.AddKey())
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s %v", res.StatusCode, body, err)
	}
	if c, ok := s.Contact("ada@example.com"); !ok || c.Email != "ada@example.com" {
		t.Errorf("contact = %+v, %v", c, ok)
	}
}
