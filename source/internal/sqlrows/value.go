package sqlrows

import (
	"bytes"
	"database/sql/driver"
	"fmt"
	"strconv"
	"time"

	"owlatsync/source/internal/cell"
)

// Type is what the values of a column are made of.
type Type struct {
	Declared cell.Kind
	Rules    *Rules
}

// Rules are what differs between databases in what a value of a driver means.
type Rules struct {
	// TimeOf is the moment or day that a time means, in the form in which it is printed.
	TimeOf func(at time.Time, k cell.Kind) (time.Time, string)
	// BytesAreBinary says that a value of bytes is no text, whatever the column's type.
	BytesAreBinary bool
	// PrintedBits says that the server, or one of them, prints bits as the digits 0 and 1.
	PrintedBits bool
}

// Value is a value as it was read.
type Value struct {
	null       bool
	Binary     bool // it cannot be mapped
	kind       cell.Kind
	start, end int // of its text in the batch's
}

// cell takes one value from a driver, whatever Go type the driver gives it, and keeps its text in the batch.
func (t Type) cell(src driver.Value, b *Batch) Value {
	var c cell.Cell
	switch x := src.(type) {
	case nil:
		return Value{null: true}
	case []byte:
		if t.Rules.BytesAreBinary {
			return Value{Binary: true}
		}
		c = cell.Canonical(t.bytesKind(x), x, &b.spare)
	case string:
		b.raw = append(b.raw[:0], x...)
		c = cell.Canonical(t.textKind(), b.raw, &b.spare)
	case int64:
		b.spare = strconv.AppendInt(b.spare[:0], x, 10)
		c = t.integer(b.spare, x == 0 || x == 1)
	case uint64:
		b.spare = strconv.AppendUint(b.spare[:0], x, 10)
		c = t.integer(b.spare, x <= 1)
	case float64:
		b.spare = cell.AppendFloat(b.spare[:0], x, 64)
		c = cell.Cell{Kind: cell.Number, Text: b.spare}
	case float32:
		b.spare = cell.AppendFloat(b.spare[:0], float64(x), 32)
		c = cell.Cell{Kind: cell.Number, Text: b.spare}
	case bool:
		c = cell.Cell{Kind: cell.Boolean, Text: cell.Truth(x)}
	case time.Time:
		c = t.time(x, b)
	default:
		b.spare = fmt.Append(b.spare[:0], x)
		c = cell.Cell{Kind: cell.Text, Text: b.spare}
	}
	start, end := b.keep(c.Text)
	return Value{null: c.Null, kind: c.Kind, start: start, end: end}
}

// bytesKind is the kind of a value that came as bytes.
func (t Type) bytesKind(raw []byte) cell.Kind {
	if t.Declared == cell.Bits && t.Rules.PrintedBits && len(bytes.Trim(raw, "01")) == 0 {
		return cell.Text
	}
	return t.Declared
}

// textKind is the kind of a value that came as a string: what the type says, unless only the value's own Go type could
// bear that out, as where a database lets any column hold text.
func (t Type) textKind() cell.Kind {
	switch {
	case t.Declared == cell.Binary, t.Declared == cell.Bits, t.Declared == cell.Boolean && t.Rules.BytesAreBinary:
		return cell.Text
	}
	return t.Declared
}

// integer is a number in decimal; a database without booleans of its own keeps them as 0 and 1.
func (t Type) integer(digits []byte, flag bool) cell.Cell {
	if t.Declared == cell.Boolean && flag {
		return cell.Cell{Kind: cell.Boolean, Text: cell.Truth(digits[0] == '1')}
	}
	return cell.Cell{Kind: cell.Integer, Text: digits}
}

func (t Type) time(at time.Time, b *Batch) cell.Cell {
	if at.IsZero() {
		return cell.Cell{Null: true}
	}
	at, form := t.Rules.TimeOf(at, t.Declared)
	b.spare = at.AppendFormat(b.spare[:0], form)
	return cell.Cell{Kind: cell.Moment, Text: b.spare}
}
