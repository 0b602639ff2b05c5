package owlatsync

import (
	"bytes"
	"fmt"
	"strconv"
)

// Row is one result of a source, mapped to what Owlat can hold. Its values are as the source gave them, neither trimmed nor
// validated.
type Row struct {
	// Key names the row within its sync: the text of the key column, or of several columns joined by JoinKey. It is empty if the
	// sync has no key of its own; then the normalised address is the key.
	Key string
	// Position tells a person where the row is in the source.
	Position Position

	Email  Field
	Fields Fields // the contact's other fields, such as Fields[FirstName]

	// Consents has one value per topic of the sync, in the order of the configuration.
	Consents []Consent
	// Unclear is nil unless a consent is Unclear. Then it has, for each topic, the beginning of the value that is neither yes nor
	// no, and "" where the value is no text or the consent is clear.
	Unclear []string

	// Suppressed says that no mail may ever go to the person. A value that is neither yes nor no is a Defect.
	Suppressed bool

	// Properties are the values for event properties, in the order of the configuration.
	Properties []Property

	// Defect says why the row cannot be used although it was read, such as text that is not UTF-8 or has a NUL byte. It names the
	// column and never contains a value. A row with a defect has at least a Position, and a Key if that could be read. Its Consents
	// count all the same, because a withdrawn consent waits for nothing: one that could not be read is Unclear, or not there.
	Defect string
}

// Position is the place of a row in its source, such as row 17 or line 18. The zero value means no position.
type Position struct {
	Unit   string // what is counted, such as "row" or "line"
	Number int
}

// String returns the position for people, such as "line 18", empty for the zero value.
func (p Position) String() string {
	if p == (Position{}) {
		return ""
	}
	return p.Unit + " " + strconv.Itoa(p.Number)
}

// MarshalText returns the text of String.
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the text of MarshalText.
func (p *Position) UnmarshalText(text []byte) error {
	*p = Position{}
	if len(text) == 0 {
		return nil
	}
	i := bytes.LastIndexByte(text, ' ')
	n, err := strconv.Atoi(string(text[i+1:]))
	if i < 0 || err != nil {
		return fmt.Errorf("read a position: %q is none", text)
	}
	*p = Position{string(text[:i]), n}
	return nil
}

// FieldState tells what a source says about a field.
type FieldState uint8

const (
	// Unmapped means that the sync does not map the field: Owlat keeps its value.
	Unmapped FieldState = iota
	// Null means that the source has no value: the sync's NULL policy decides.
	Null
	// Set means that Value is the source's value, which may be empty.
	Set
)

// Field is the value of one mapped field.
type Field struct {
	State FieldState
	Value string
}

// Some returns a set field.
func Some(value string) Field { return Field{State: Set, Value: value} }

// Property is one event property of a row.
type Property struct {
	Name string
	// Value is a string, a float64, an int64, a bool or nil, or a [encoding/json.Number] if neither a float64 nor an int64 holds
	// all digits of the number. It is sent with all its digits. Owlat keeps numbers as JavaScript does, and rounds beyond 2⁵³ and
	// after about 16 digits. To keep every digit in Owlat, make the value a text.
	Value any
}

// JoinKey returns the row key for the values of several key columns. It joins them by "/", and escapes "/" and "\" inside a value
// by "\", so that different values never give the same key.
func JoinKey(values ...string) string {
	if len(values) == 1 {
		return values[0]
	}
	var b []byte
	for i, v := range values {
		if i > 0 {
			b = append(b, '/')
		}
		for j := range len(v) {
			if v[j] == '/' || v[j] == '\\' {
				b = append(b, '\\')
			}
			b = append(b, v[j])
		}
	}
	return string(b)
}

// SplitKey returns the n values that JoinKey joined to the key, nil if the key does not have that many.
func SplitKey(key string, n int) []string {
	if n == 1 {
		return []string{key}
	}
	values := []string{""}
	for i := 0; i < len(key); i++ {
		switch c := key[i]; {
		case c == '/':
			values = append(values, "")
			continue
		case c == '\\':
			if i++; i == len(key) {
				return nil
			}
		}
		values[len(values)-1] += key[i : i+1]
	}
	if len(values) != n {
		return nil
	}
	return values
}
