package source

import (
	"bytes"
	"database/sql/driver"
	"fmt"
	"strconv"
	"time"
)

// sqlType is what the values of a column are made of.
type sqlType struct {
	declared kind
	rules    *dialect
}

// sqlCell is a value as it was read.
type sqlCell struct {
	null       bool
	binary     bool // it cannot be mapped
	kind       kind
	start, end int // of its text in the batch's
}

// cell takes one value from a driver, whatever Go type the driver gives it, and keeps its text in the batch.
func (t sqlType) cell(src driver.Value, b *sqlBatch) sqlCell {
	var c cell
	switch x := src.(type) {
	case nil:
		return sqlCell{null: true}
	case []byte:
		if t.rules.bytesAreBinary {
			return sqlCell{binary: true}
		}
		c = canonical(t.bytesKind(x), x, &b.spare)
	case string:
		b.raw = append(b.raw[:0], x...)
		c = canonical(t.textKind(), b.raw, &b.spare)
	case int64:
		b.spare = strconv.AppendInt(b.spare[:0], x, 10)
		c = t.integer(b.spare, x == 0 || x == 1)
	case uint64:
		b.spare = strconv.AppendUint(b.spare[:0], x, 10)
		c = t.integer(b.spare, x <= 1)
	case float64:
		b.spare = appendFloat(b.spare[:0], x, 64)
		c = cell{kind: number, text: b.spare}
	case float32:
		b.spare = appendFloat(b.spare[:0], float64(x), 32)
		c = cell{kind: number, text: b.spare}
	case bool:
		c = cell{kind: boolean, text: truth(x)}
	case time.Time:
		c = t.time(x, b)
	default:
		b.spare = fmt.Append(b.spare[:0], x)
		c = cell{kind: text, text: b.spare}
	}
	start, end := b.keep(c.text)
	return sqlCell{null: c.null, kind: c.kind, start: start, end: end}
}

// bytesKind is the kind of a value that came as bytes.
func (t sqlType) bytesKind(raw []byte) kind {
	if t.declared == bits && t.rules.printedBits && len(bytes.Trim(raw, "01")) == 0 {
		return text
	}
	return t.declared
}

// textKind is the kind of a value that came as a string: what the type says, unless only the value's own Go type could
// bear that out, as where a database lets any column hold text.
func (t sqlType) textKind() kind {
	switch {
	case t.declared == binary, t.declared == bits, t.declared == boolean && t.rules.bytesAreBinary:
		return text
	}
	return t.declared
}

// integer is a number in decimal; a database without booleans of its own keeps them as 0 and 1.
func (t sqlType) integer(digits []byte, flag bool) cell {
	if t.declared == boolean && flag {
		return cell{kind: boolean, text: truth(digits[0] == '1')}
	}
	return cell{kind: integer, text: digits}
}

func (t sqlType) time(at time.Time, b *sqlBatch) cell {
	if at.IsZero() {
		return cell{null: true}
	}
	at, form := t.rules.timeOf(at, t.declared)
	b.spare = at.AppendFormat(b.spare[:0], form)
	return cell{kind: moment, text: b.spare}
}

func midnight(at time.Time) bool {
	return at.Hour() == 0 && at.Minute() == 0 && at.Second() == 0 && at.Nanosecond() == 0
}
