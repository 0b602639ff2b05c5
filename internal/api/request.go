package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"owlatsync/internal/access"
)

// maxBody is the largest body of a request, in bytes.
const maxBody = 1 << 20

// How many items a list has if the request does not say, and at most.
const standardLimit, maxLimit = 20, 1000

// query reads the parameters of a request. It keeps the first mistake.
type query struct {
	values url.Values
	known  []string
	err    error
}

func newQuery(r *http.Request) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.err = wrongQuery("the parameters of the address cannot be read")
	}
	return q
}

func (q *query) fail(format string, args ...any) {
	if q.err == nil {
		q.err = wrongQuery(format, args...)
	}
}

// text returns a parameter, empty if it is not given.
func (q *query) text(name string) string {
	q.known = append(q.known, name)
	if given := q.values[name]; len(given) > 1 {
		q.fail("%q is given %d times", name, len(given))
	}
	return q.values.Get(name)
}

// word returns a parameter that is empty or one of the words.
func (q *query) word(name string, words ...string) string {
	text := q.text(name)
	if text != "" && !slices.Contains(words, text) {
		q.fail("%q is %.100q and can be %s", name, text, strings.Join(words, ", "))
	}
	return text
}

// number returns a parameter from least to most, or standard if it is not given.
func (q *query) number(name string, least, most, standard int64) int64 {
	text := q.text(name)
	if text == "" {
		return standard
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		q.fail("%q must be a number from %d to %d", name, least, most)
		return standard
	}
	return n
}

func (q *query) limit() int { return int(q.number("limit", 1, maxLimit, standardLimit)) }

// done returns the first mistake, such as a parameter that nobody read.
func (q *query) done() error {
	for name := range q.values {
		if !slices.Contains(q.known, name) {
			what := "it takes " + strings.Join(q.known, ", ")
			if len(q.known) == 0 {
				what = "it takes none"
			}
			q.fail("this address takes no parameter %.100q; %s", name, what)
		}
	}
	return q.err
}

// runNumber returns the number of the run in the address.
func runNumber(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, &access.Refusal{Status: http.StatusNotFound, Code: codeRun, Message: "the address names no run by its number", Hint: "GET /api/v1/runs lists the runs"}
	}
	return id, nil
}

// fields are the members of a body by name, each a pointer to what takes its value.
type fields map[string]any

// decode reads the body of a request into fields, which keep their values where the body is silent. The content type must say that it
// is JSON: a form of a page of another site cannot.
func decode(w http.ResponseWriter, r *http.Request, into fields) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return err
	}
	if err != nil {
		return wrongBody("the body broke off")
	}
	if body = bytes.TrimSpace(body); len(body) == 0 {
		return nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &access.Refusal{Status: http.StatusUnsupportedMediaType, Code: codeBody, Message: "the body is not said to be JSON", Hint: "send \"Content-Type: application/json\""}
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(body, &given); err != nil {
		return wrongBody("the body is not one JSON object")
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		v, known := into[name]
		if !known {
			return wrongBody("the body has a field %.100q, which is not known; it can have %s", name, strings.Join(slices.Sorted(maps.Keys(into)), ", "))
		}
		if err := json.Unmarshal(given[name], v); err != nil {
			return wrongBody("the field %q of the body has a value of the wrong kind", name)
		}
	}
	return nil
}
