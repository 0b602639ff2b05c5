package source

import (
	"fmt"
	"strconv"
	"time"
)

// sqlValue takes one value from a driver, whatever Go type the driver gives it, and keeps its memory from row to row.
type sqlValue struct {
	declared       kind
	bytesAreBinary bool

	cell   cell
	binary bool
	buf    []byte
	spare  []byte
}

// Scan implements sql.Scanner.
func (v *sqlValue) Scan(src any) error {
	v.binary = false
	switch x := src.(type) {
	case nil:
		v.cell = cell{null: true}
	case []byte:
		if v.binary = v.bytesAreBinary; v.binary {
			return nil
		}
		v.buf = append(v.buf[:0], x...)
		v.cell = canonical(v.declared, v.buf, &v.spare)
	case string:
		v.buf = append(v.buf[:0], x...)
		v.cell = canonical(v.textKind(), v.buf, &v.spare)
	case int64:
		v.buf = strconv.AppendInt(v.buf[:0], x, 10)
		v.setInteger(x == 0 || x == 1)
	case uint64:
		v.buf = strconv.AppendUint(v.buf[:0], x, 10)
		v.setInteger(x <= 1)
	case float64:
		v.buf = appendFloat(v.buf[:0], x, 64)
		v.cell = cell{kind: number, text: v.buf}
	case float32:
		v.buf = appendFloat(v.buf[:0], float64(x), 32)
		v.cell = cell{kind: number, text: v.buf}
	case bool:
		v.cell = cell{kind: boolean, text: truth(x)}
	case time.Time:
		v.setTime(x)
	default:
		v.buf = fmt.Append(v.buf[:0], x)
		v.cell = cell{kind: text, text: v.buf}
	}
	return nil
}

// textKind is the kind of a value that came as a string: what the type says, unless only the value's own Go type could
// bear that out, as where a database lets any column hold text.
func (v *sqlValue) textKind() kind {
	switch v.declared {
	case boolean, binary, bits:
		return text
	}
	return v.declared
}

// setInteger takes the number in buf; a database without booleans of its own keeps them as 0 and 1.
func (v *sqlValue) setInteger(flag bool) {
	if v.declared == boolean && flag {
		v.cell = cell{kind: boolean, text: truth(v.buf[0] == '1')}
		return
	}
	v.cell = cell{kind: integer, text: v.buf}
}

func (v *sqlValue) setTime(t time.Time) {
	form := time.RFC3339Nano
	if v.declared == day {
		form = time.DateOnly
	}
	if v.cell = (cell{null: true}); !t.IsZero() {
		v.buf = t.UTC().AppendFormat(v.buf[:0], form)
		v.cell = cell{kind: moment, text: v.buf}
	}
}
