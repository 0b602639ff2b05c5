package pages

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// browser asks for pages as a browser does that keeps cookies.
type browser struct {
	base   string
	client *http.Client
}

func newBrowser(base string) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // it fails for options alone
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{base, &http.Client{Jar: jar, CheckRedirect: stay}}
}

// get asks for a page once, and returns it and how long it took.
func (b *browser) get(ctx context.Context, address string) (string, time.Duration, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+address, nil)
	if err != nil {
		return "", 0, err
	}
	began := time.Now()
	text, answer, err := b.do(r)
	took := time.Since(began)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s was answered %s", address, answer.Status)
	}
	return text, took, err
}

// token is where a page has what its forms must send back.
var token = regexp.MustCompile(`name="form" value="([^"]+)"`)

// post sends the form of a page, and returns where it leads.
func (b *browser) post(ctx context.Context, page, address string, form url.Values) (string, error) {
	text, _, err := b.get(ctx, page)
	if err != nil {
		return "", err
	}
	found := token.FindStringSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("%s has no form", page)
	}
	form.Set("form", found[1])
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.base+address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, answer, err := b.do(r)
	if err == nil && answer.StatusCode != http.StatusSeeOther {
		err = fmt.Errorf("%s was answered %s", address, answer.Status)
	}
	if err != nil {
		return "", err
	}
	return answer.Header.Get("Location"), nil
}

func (b *browser) do(r *http.Request) (string, *http.Response, error) {
	answer, err := b.client.Do(r)
	if err != nil {
		return "", nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), answer, err
}
