package ledger

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// Text is a string for JSON that need not be UTF-8. JSON cannot hold other bytes, so they become an object with base64.
type Text string

type textBytes struct {
	Base64 []byte `json:"base64"`
}

// MarshalJSON returns a string, or an object if the text is not UTF-8.
func (s Text) MarshalJSON() ([]byte, error) {
	if !utf8.ValidString(string(s)) {
		return json.Marshal(textBytes{[]byte(s)})
	}
	return json.Marshal(string(s))
}

// UnmarshalJSON takes what MarshalJSON returns.
func (s *Text) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '{' {
		return json.Unmarshal(b, (*string)(s))
	}
	var raw textBytes
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err := d.Decode(&raw)
	*s = Text(raw.Base64)
	return err
}
