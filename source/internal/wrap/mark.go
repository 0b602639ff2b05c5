package wrap

import (
	"errors"
	"math/big"
	"strings"
	"time"

	"owlatsync/source/internal/cell"
)

// The forms in which values of a cursor are compared.
const (
	MomentLayout = "2006-01-02 15:04:05.999999"
	DayLayout    = time.DateOnly
)

// markKinds are the letters that begin a mark and tell its kind.
var markKinds = map[string]cell.Kind{"t": cell.Moment, "d": cell.Day, "n": cell.Integer}

// NewMark makes a mark of the cursor's highest value as the database printed it, empty if no scan can go on from that value.
func NewMark(k cell.Kind, text string) string {
	for letter, kind := range markKinds {
		if kind == k {
			if _, err := ParseValue(k, text); err != nil {
				return "" // such as a time before the common era
			}
			return letter + " " + text
		}
	}
	return ""
}

// ParseValue reads a value of a cursor as databases print it. A whole number gives no time.
func ParseValue(k cell.Kind, text string) (time.Time, error) {
	switch k {
	case cell.Moment:
		return time.Parse(time.RFC3339Nano, string(cell.AppendMoment(nil, []byte(text))))
	case cell.Day:
		return time.Parse(DayLayout, text)
	}
	if _, ok := new(big.Int).SetString(text, 10); !ok {
		return time.Time{}, errors.New("not a whole number")
	}
	return time.Time{}, nil
}

// ParseMark returns what a mark says; ok is false for a text that is none.
func ParseMark(mark string) (k cell.Kind, text string, at time.Time, ok bool) {
	letter, text, _ := strings.Cut(mark, " ")
	k, ok = markKinds[letter]
	at, err := ParseValue(k, text)
	return k, text, at, ok && err == nil
}

// Typed returns the kind of a value that has its own type, and its text, but not beyond now. Ok is false for a text that is no time
// in UTC, and the kind is that of numbers with a fraction for a type that is no cursor.
func Typed(typ, text string, now time.Time) (k cell.Kind, value string, ok bool) {
	switch {
	case typ == "integer":
		return cell.Integer, text, true
	case typ != "text":
		return cell.Number, "", true
	}
	k, latest := cell.Moment, now.UTC().Format(MomentLayout)
	if len(text) == len(DayLayout) {
		k, latest = cell.Day, now.UTC().Format(DayLayout)
	} else if len(text) > 10 && text[10] == 'T' {
		latest = latest[:10] + "T" + latest[11:]
	}
	at, err := ParseValue(k, strings.Replace(text, " +0000 UTC", "", 1))
	if err != nil || k == cell.Moment && !utc(text) {
		return k, "", false
	}
	if at.After(now) {
		text = latest
	}
	return k, strings.Replace(text, " +0000 UTC", "", 1), true
}

// utc reports whether the text of a time names no zone but UTC.
func utc(text string) bool {
	if len(text) < cell.MomentForm {
		return false
	}
	switch zone := strings.TrimLeft(text[cell.MomentForm:], ".0123456789"); zone {
	case "", "Z", "+00:00", " +0000 UTC":
		return true
	}
	return false
}
