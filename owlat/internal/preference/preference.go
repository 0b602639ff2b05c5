// Package preference reads what the public token endpoints answer.
package preference

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode"

	"owlatsync/owlat/internal/wire"
)

// maxReason is how much of a reason is kept, in runes.
const maxReason = 64

// Topic is a topic as the preference page shows it.
type Topic struct {
	ID          string `json:"_id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Subscribed  *bool  `json:"subscribed"`
}

// Contact is whom a token for preferences stands for.
type Contact struct {
	Email     string   `json:"email"`
	FirstName string   `json:"firstName"`
	TeamName  string   `json:"teamName"`
	Topics    *[]Topic `json:"topics"`
}

// Lacks says what is missing, "" if nothing is.
func (c *Contact) Lacks() string {
	if c.Topics == nil {
		return "it has no topics"
	}
	for _, t := range *c.Topics {
		switch {
		case t.ID == "":
			return "a topic has no id"
		case t.Subscribed == nil:
			return "it does not say of every topic whether the contact is on it"
		}
	}
	return ""
}

// OptOut is what an opt-out ended.
type OptOut struct {
	Message      string `json:"message"`
	ListsRemoved Count  `json:"listsRemoved"`
}

// Count is a number, or a list of which it is the length; as text, too. What is neither counts as 0.
type Count int

// UnmarshalJSON never fails: the opt-out has happened, whatever stands there.
func (c *Count) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = []byte(text)
	}
	var number float64
	var list []json.RawMessage
	switch {
	case json.Unmarshal(raw, &number) == nil:
		*c = Count(max(0, min(number, 1<<30)))
	case json.Unmarshal(raw, &list) == nil:
		*c = Count(len(list))
	default:
		*c = 0
	}
	return nil
}

// Outcome is the whole answer: data, or the reason why there are none.
type Outcome[T any] struct {
	OK     *bool  `json:"ok"`
	Data   *T     `json:"data"`
	Reason string `json:"reason"`
}

// Read returns the data, or the reason for having none. It fails if there is neither.
func (o *Outcome[T]) Read() (data *T, reason string, err error) {
	switch {
	case o.OK == nil:
		return nil, "", errors.New("it does not say whether it is ok")
	case !*o.OK:
		if reason = Straight(o.Reason); reason == "" {
			return nil, "", errors.New("it is not ok and has no reason")
		}
		return nil, reason, nil
	case o.Data == nil:
		return nil, "", errors.New("it has no data")
	}
	return o.Data, "", nil
}

// ReasonOf returns the reason in the data of a refusal, "" if there is none.
func ReasonOf(data json.RawMessage) string {
	var d struct {
		Reason string `json:"reason"`
	}
	if json.Unmarshal(data, &d) != nil {
		return ""
	}
	return Straight(d.Reason)
}

// Straight makes one short line of a reason, without anything that looks like an address, a key or a token.
func Straight(reason string) string {
	reason = wire.Redact(strings.Join(strings.FieldsFunc(reason, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " "))
	if runes := []rune(reason); len(runes) > maxReason {
		reason = string(runes[:maxReason])
	}
	return reason
}
