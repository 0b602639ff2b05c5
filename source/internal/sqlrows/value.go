package sqlrows

import (
	"bytes"
	"database/sql/driver"
	"fmt"
	"strconv"
	"time"

	"owlatsync/source/internal/cell"
)

// Type describes the values of a column.
type Type struct {
	Declared cell.Kind
	Rules    *Rules
}

// Rules say what a value of a driver means, where databases differ.
type Rules struct {
	// TimeOf returns the moment or day that a time means, and the form in which it is printed.
	TimeOf func(at time.Time, k cell.Kind) (time.Time, string)
	// BytesAreBinary says that a value of bytes is never text, whatever the column's type.
	BytesAreBinary bool
	// PrintedBits says that some server prints bits as the digits 0 and 1.
	PrintedBits bool
}

// Value is a value that was read.
type Value struct {
	null       bool
	Binary     bool // the value cannot be mapped
	kind       cell.Kind
	start, end int // place of its text in the batch's texts
}

// cell takes one value from a driver, whatever its Go type, and keeps its text in the batch.
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

// textKind is the kind of a value that came as a string. The column's type decides, unless only the value's Go type could confirm
// it, because the database lets any column hold text.
func (t Type) textKind() cell.Kind {
	switch {
	case t.Declared == cell.Binary, t.Declared == cell.Bits, t.Declared == cell.Boolean && t.Rules.BytesAreBinary:
		return cell.Text
	}
	return t.Declared
}

// integer makes a cell of a number in decimal. A database without booleans keeps them as 0 and 1.
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
