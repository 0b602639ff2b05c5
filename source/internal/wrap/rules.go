package wrap

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"owlatsync/source/internal/cell"
)

// defaultOverlap is how far before its mark a scan begins if the cursor is a time and sets no overlap.
const defaultOverlap = 10 * time.Minute

// Rules say how far before a mark a scan begins: by a duration for times and dates, by a number of steps for whole numbers.
type Rules struct {
	Overlap time.Duration // 0: 10 minutes
	Step    int64
}

// Fits says why a column of that kind cannot be the cursor, or the overlap is not of its kind; empty if all is well.
func (r Rules) Fits(k cell.Kind, databaseType string) (why string) {
	what := cell.Called(k)
	if databaseType != "" {
		what += " (" + strings.ToLower(databaseType) + ")"
	}
	switch k {
	case cell.Moment, cell.Day:
		if r.Step != 0 {
			return fmt.Sprintf("it holds %s, so that the overlap is a duration, such as 10m", what)
		}
	case cell.Integer:
		if r.Overlap != 0 {
			return fmt.Sprintf("it holds %s, so that the overlap is a number of them, such as 1000, and no duration", what)
		}
		if r.Step == 0 {
			return fmt.Sprintf("it holds %s, for which no overlap is right everywhere: say how many of them an unfinished transaction may be behind, such as overlap: 1000", what)
		}
	default:
		return fmt.Sprintf("a cursor is a column of times, dates or whole numbers, and this holds %s", what)
	}
	return ""
}

// From returns the value from which on a scan reads that goes on from the mark. Why says what is wrong with the overlap.
func (r Rules) From(column, mark string) (from Since, understood bool, why string) {
	k, text, at, ok := ParseMark(mark)
	if !ok {
		return from, false, ""
	}
	if why = r.Fits(k, ""); why != "" {
		return from, true, why
	}
	overlap := r.Overlap
	if overlap == 0 {
		overlap = defaultOverlap
	}
	from = Since{Column: column, Kind: k}
	switch k {
	case cell.Integer:
		n, _ := new(big.Int).SetString(text, 10)
		from.Text = n.Sub(n, big.NewInt(r.Step)).String()
	case cell.Day:
		from.Text = at.Add(-overlap).Format(DayLayout)
	default:
		from.Text = at.Add(-overlap).UTC().Format(MomentLayout)
		if len(text) > 10 && text[10] == 'T' {
			from.Text = from.Text[:10] + "T" + from.Text[11:]
		}
	}
	return from, true, ""
}

// Mark returns the mark of a value, empty if there is none, and why it cannot be one. Typ is the value's own type, if each has its own.
func (r Rules) Mark(typ, text string, k cell.Kind, now time.Time) (mark, why string) {
	switch {
	case text == "":
		return "", ""
	case typ != "":
		k, value, ok := Typed(typ, text, now)
		if !ok {
			return "", "its highest value is a text that is no time in UTC, such as 2006-01-02 15:04:05: texts of another form cannot be compared; make times of all, or use a column of whole numbers"
		}
		return NewMark(k, value), r.Fits(k, typ)
	}
	return NewMark(k, text), ""
}

// Value returns a value of the cursor as a time.Time or an int64, nil if it has no text.
func (s Since) Value() any {
	at, err := ParseValue(s.Kind, s.Text)
	switch {
	case s.Text == "" || err != nil:
		return nil
	case s.Kind == cell.Integer:
		n, _ := strconv.ParseInt(s.Text, 10, 64)
		return n
	}
	return at
}
