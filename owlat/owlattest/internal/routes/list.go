package routes

import (
	"encoding/base64"
	"hash/fnv"
	"net/http"
	"owlatsync"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"owlatsync/owlat/owlattest/internal/answer"
	"owlatsync/owlat/owlattest/internal/js"
	"owlatsync/owlat/owlattest/internal/model"
)

const (
	defaultPage = 25
	maxPage     = 100
)

func listContacts(c *call) *answer.Answer {
	limit := defaultPage
	if given, _ := js.QueryValue(c.Query, "limit"); given != "" {
		n, ok := js.ParseInt(given)
		if !ok || n < 1 {
			return answer.Fail(answer.InvalidInput, "Invalid limit")
		}
		limit = min(n, maxPage)
	}
	search, _ := js.QueryValue(c.Query, "search")
	position := uint64(0)
	if given, found := js.QueryValue(c.Query, "cursor"); found {
		var ok bool
		if position, ok = decodeCursor(given, search); !ok {
			return answer.Crash()
		}
	}
	page, next := c.page(limit, position, search)

	b := append(make([]byte, 0, 256*len(page)+128), `{"data":[`...)
	for i, found := range page {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendContact(b, found)
	}
	b = append(b, `],"pagination":{"limit":`...)
	b = strconv.AppendInt(b, int64(limit), 10)
	b = append(b, `,"totalItems":`...)
	b = strconv.AppendInt(b, int64(c.d.Contacts.Live()), 10)
	b = append(b, `,"cursor":`...)
	// A full page never knows that it is the last.
	if len(page) == limit {
		b = js.AppendText(b, encodeCursor(next, search))
		b = append(b, `,"isDone":false}}`...)
	} else {
		b = append(b, `null,"isDone":true}}`...)
	}
	return answer.JSON(http.StatusOK, b)
}

// page returns up to limit contacts from position on, and the position after them. Without a search the position is the
// place of a contact in the order of creation, so that a walk is stable; with one it is a number of hits to skip.
func (c *call) page(limit int, position uint64, search string) ([]*model.Contact, uint64) {
	if search != "" {
		hits := c.search(search)
		hits = hits[min(position, uint64(len(hits))):]
		hits = hits[:min(limit, len(hits))]
		return hits, position + uint64(len(hits))
	}
	if position == 0 {
		position = c.d.Contacts.Seq + 1
	}
	page := make([]*model.Contact, 0, limit)
	for found := range c.d.Contacts.Before(position) {
		if page = append(page, found); len(page) == limit {
			break
		}
	}
	if len(page) > 0 {
		position = page[len(page)-1].Seq
	}
	return page, position
}

// search returns the contacts that hold a word beginning with one of the searched ones, those with the most hits first.
func (c *call) search(terms string) []*model.Contact {
	wanted := words(terms)
	type hit struct {
		found *model.Contact
		count int
	}
	var hits []hit
	for found := range c.d.Contacts.Before(c.d.Contacts.Seq + 1) {
		held := words(found.Email)
		for _, f := range owlatsync.ContactFields {
			if text := *found.At(f); text != nil {
				held = append(held, words(*text)...)
			}
		}
		count := 0
		for _, w := range wanted {
			if slices.ContainsFunc(held, func(h string) bool { return strings.HasPrefix(h, w) }) {
				count++
			}
		}
		if count > 0 {
			hits = append(hits, hit{found, count})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return b.count - a.count })
	found := make([]*model.Contact, len(hits))
	for i, h := range hits {
		found[i] = h.found
	}
	return found
}

func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// A cursor is opaque, belongs to its search, and shows when it was made up.
func encodeCursor(position uint64, search string) string {
	plain := strconv.FormatUint(position, 36)
	return base64.RawURLEncoding.EncodeToString([]byte(plain + "." + cursorSum(plain, search)))
}

func decodeCursor(cursor, search string) (uint64, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, false
	}
	plain, sum, _ := strings.Cut(string(raw), ".")
	if sum != cursorSum(plain, search) {
		return 0, false
	}
	position, err := strconv.ParseUint(plain, 36, 64)
	return position, err == nil
}

func cursorSum(plain, search string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte("cursor\x00" + plain + "\x00" + search)) // never fails
	return strconv.FormatUint(h.Sum64(), 36)
}
