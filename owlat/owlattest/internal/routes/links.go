package routes

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"owlatsync/owlat/owlattest/internal/answer"
	"owlatsync/owlat/owlattest/internal/js"
	"owlatsync/owlat/owlattest/internal/model"
)

// The public endpoints that the links in mails use. They stand beside the API, and take a token in place of a key.
const (
	Preferences   = "/prefs/verify/{token}"
	Unsubscribe   = "/unsub/{token}"
	Unsubscribing = "/unsub/verify/{token}"
)

// LinkNames returns the routes of links.
func LinkNames() []string { return []string{Preferences, Unsubscribe, Unsubscribing} }

// IsLink reports whether a route is one of links.
func IsLink(route string) bool {
	return route == Preferences || route == Unsubscribe || route == Unsubscribing
}

// senderName stands where a deployment tells people who writes to them.
const senderName = "Example Team"

// findLink routes the paths beside the API by their beginning, as Owlat does. POST /prefs/update is not among them.
func findLink(method, path string) Endpoint {
	switch {
	case method == http.MethodGet && strings.HasPrefix(path, "/prefs/verify/"):
		return Endpoint{Preferences, "", showPreferences}
	case method == http.MethodGet && strings.HasPrefix(path, "/unsub/verify/"):
		return Endpoint{Unsubscribing, "", showUnsubscribing}
	case method == http.MethodPost && strings.HasPrefix(path, "/unsub/"):
		return Endpoint{Unsubscribe, "", unsubscribe}
	}
	return Endpoint{}
}

// link finds whom the token after the beginning of the path, or in the query, stands for; or the answer that ends the request, or the
// reason why the token is refused.
func (c *call) link(beginning, prefix string) (found *model.Contact, refused model.Reason, ended *answer.Answer) {
	raw := strings.Trim(strings.TrimPrefix(c.Path, beginning), "/")
	if raw == "" || strings.Contains(raw, "/") {
		raw, _ = js.QueryValue(c.Query, "token")
	}
	if !c.limit.Off {
		if wait := c.d.Links.Admit(raw, c.Time); wait > 0 {
			return nil, "", TooManyOfLink(wait)
		}
	}
	token, readable := js.DecodeSegment(raw)
	switch {
	case raw == "":
		return nil, "", answer.Fail(answer.InvalidInput, "The token is missing")
	case !readable:
		return nil, "", answer.Fail(answer.InvalidInput, "The token is badly encoded")
	}
	id, refused := c.d.Links.Read(prefix, token, c.Time)
	if refused != "" {
		return nil, refused, nil
	}
	found = c.d.Contacts.ByID(id)
	switch {
	case found == nil: // no id at all, or one of another table
		return nil, "", answer.Crash()
	case found.Gone:
		return nil, model.ContactNotFound, nil
	}
	return found, "", nil
}

// TooManyOfLink answers a token that came too often and is let in again after that time.
func TooManyOfLink(wait time.Duration) *answer.Answer {
	a := answer.Fail(answer.RateLimited, "Too many requests with this token")
	a.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	return a
}

// appendPerson appends what both pages show of a contact.
func appendPerson(b []byte, c *model.Contact) []byte {
	if c.Email != "" {
		b = append(js.AppendText(append(b, `"email":`...), c.Email), ',')
	}
	if c.FirstName != nil {
		b = append(js.AppendText(append(b, `"firstName":`...), *c.FirstName), ',')
	}
	return b
}

// refusedLink answers a look at a token that is refused: that look succeeded.
func refusedLink(reason model.Reason) *answer.Answer {
	return answer.JSON(http.StatusOK, append(js.AppendText([]byte(`{"ok":false,"reason":`), string(reason)), '}'))
}

func showPreferences(c *call) *answer.Answer {
	found, refused, ended := c.link("/prefs/verify/", "pref:")
	switch {
	case ended != nil:
		return ended
	case refused != "":
		return refusedLink(refused)
	}
	b := appendPerson([]byte(`{"ok":true,"data":{`), found)
	b = append(js.AppendText(append(b, `"teamName":`...), senderName), `,"topics":[`...)
	first := true
	for _, t := range model.Ordered(c.d.Topics) {
		if t.Deleted {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = js.AppendText(append(b, `{"_id":`...), t.ID)
		b = js.AppendText(append(b, `,"name":`...), t.Name)
		b = strconv.AppendBool(append(b, `,"subscribed":`...), found.Live() && found.MemberOf(t))
		b = append(b, '}')
	}
	return answer.JSON(http.StatusOK, append(b, "]}}"...))
}

func showUnsubscribing(c *call) *answer.Answer {
	found, refused, ended := c.link("/unsub/verify/", "")
	switch {
	case ended != nil:
		return ended
	case refused != "":
		return refusedLink(refused)
	}
	b := appendPerson([]byte(`{"ok":true,"data":{`), found)
	b = strconv.AppendBool(append(b, `"subscribed":`...), found.Live() && len(found.Topics) > 0)
	b = js.AppendText(append(b, `,"organizationName":`...), senderName)
	return answer.JSON(http.StatusOK, append(b, "}}"...))
}

func unsubscribe(c *call) *answer.Answer {
	found, refused, ended := c.link("/unsub/", "")
	switch {
	case ended != nil:
		return ended
	case refused == model.ContactNotFound:
		return answer.FailWith(answer.NotFound, "The contact was not found", string(refused))
	case refused != "":
		return answer.FailWith(answer.InvalidInput, "The link is invalid or has expired", string(refused))
	}
	left := c.d.People().OptOut(found, c.Time)
	b := js.AppendText([]byte(`{"ok":true,"data":{"message":`), "Topics left: "+strconv.Itoa(left))
	b = strconv.AppendInt(append(b, `,"listsRemoved":`...), int64(left), 10)
	return answer.JSON(http.StatusOK, append(b, "}}"...))
}
