package cell

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Words are the values that mean yes and no in one column. Nil means those that are understood everywhere.
type Words struct{ yes, no []word }

type word struct {
	text    []byte // trimmed
	number  Decimal
	numeric bool
	truth   *bool // of a usual word
}

// NewWords returns the words of two lists, nil if both are empty. It refuses a blank word and one that is in both lists.
func NewWords(yes, no []string) (*Words, error) {
	if len(yes)+len(no) == 0 {
		return nil, nil
	}
	w := &Words{}
	for _, text := range yes {
		w.yes = append(w.yes, newWord(text))
	}
	for _, text := range no {
		x := newWord(text)
		if anyIs(w.yes, Cell{Kind: Text, Text: x.text}) {
			return nil, fmt.Errorf("%q means yes and no", text)
		}
		w.no = append(w.no, x)
	}
	for _, x := range append(w.yes[:len(w.yes):len(w.yes)], w.no...) {
		if len(x.text) == 0 {
			return nil, errors.New("an empty text cannot be listed; it always means no, as NULL does")
		}
	}
	return w, nil
}

func newWord(text string) word {
	x := word{text: []byte(strings.TrimSpace(text))}
	x.number, x.numeric = ParseDecimal(x.text)
	if yes, ok := yesOrNo(x.text); ok {
		x.truth = &yes
	}
	return x
}

// is reports whether a value is the word: the same text in any letter case, the same number or the same boolean.
func (x *word) is(c Cell, text []byte) bool {
	switch {
	case bytes.EqualFold(x.text, text):
		return true
	case c.Kind == Boolean:
		return x.truth != nil && *x.truth == (c.Text[0] == 't')
	case x.numeric:
		d, ok := ParseDecimal(text)
		return ok && d.equal(x.number)
	}
	return false
}

func anyIs(words []word, c Cell) bool {
	text := bytes.TrimSpace(c.Text)
	for i := range words {
		if words[i].is(c, text) {
			return true
		}
	}
	return false
}

// Consent reads a yes or a no; clear is false if the value is neither. A list of words takes the place of the usual ones. NULL and
// blank texts mean no in any case.
func (c Cell) Consent(w *Words) (yes, clear bool) {
	if c.Null || c.Kind <= Padded && len(bytes.TrimSpace(c.Text)) == 0 {
		return false, true
	}
	if c.Kind == Nested || c.Kind == Binary {
		return false, false
	}
	if w != nil {
		switch {
		case anyIs(w.yes, c):
			return true, true
		case anyIs(w.no, c):
			return false, true
		}
	}
	if yes, clear = c.usual(); clear && w != nil && (yes && len(w.yes) > 0 || !yes && len(w.no) > 0) {
		return false, false
	}
	return yes, clear
}

// usual reads a boolean, the numbers 0 and 1, and the words that are understood everywhere.
func (c Cell) usual() (yes, clear bool) {
	switch c.Kind {
	case Boolean:
		return c.Text[0] == 't', true
	case Integer, Number:
		f, err := strconv.ParseFloat(string(c.Text), 64)
		if d, ok := ParseDecimal(c.Text); ok {
			return f == 1, d.count == 0 || err == nil && f == 1 && d.exact(1)
		}
		return f == 1, err == nil && !math.IsNaN(f) && (f == 0 || f == 1)
	case Text, Padded:
		return yesOrNo(c.Text)
	}
	return false, false
}

// yesOrNo reads one of the texts that mean yes or no, or the one byte of a bit.
func yesOrNo(t []byte) (yes, ok bool) {
	var low [len("false")]byte
	t = bytes.TrimSpace(t)
	if len(t) > len(low) {
		return false, false
	}
	for i, c := range t {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		low[i] = c
	}
	switch string(low[:len(t)]) {
	case "t", "true", "y", "yes", "on", "1", "\x01":
		return true, true
	case "f", "false", "n", "no", "off", "0", "\x00":
		return false, true
	}
	return false, false
}
