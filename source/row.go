package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"owlatsync"
)

// next reads and maps the next row; nil without an error is the complete end.
func (b *binding) next(ctx context.Context, c cursor) (*owlatsync.Row, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ok, err := c.next()
	if err != nil {
		return nil, readError(c, err)
	}
	if !ok {
		return nil, nil
	}
	row, err := b.row(c)
	if err != nil {
		return nil, readError(c, err)
	}
	return row, nil
}

// readError tells how far the scan came, where the error itself does not.
func readError(c cursor, err error) error {
	var line *LineError
	if errors.As(err, &line) {
		return err
	}
	unit, n := c.position()
	if n == 0 {
		return fmt.Errorf("read the first row: %w", err)
	}
	return fmt.Errorf("read beyond %s %d: %w", unit, n, err)
}

// span is a field whose text lies in the row's buffer.
type span struct {
	state      owlatsync.FieldState
	start, end int
}

func (s span) field(all string) owlatsync.Field {
	if s.state != owlatsync.Set {
		return owlatsync.Field{State: s.state}
	}
	return owlatsync.Some(all[s.start:s.end])
}

// textBlock is how many bytes of text one allocation holds; whoever keeps a string of a row keeps all of its block.
const textBlock = 8 << 10

// keep returns the text in buf as a string. Strings share blocks, so that most rows cost no allocation.
func (b *binding) keep() string {
	start := b.texts.Len()
	if start+len(b.buf) > b.texts.Cap() {
		start = 0
		b.texts = strings.Builder{}
		b.texts.Grow(max(textBlock, len(b.buf)))
	}
	b.texts.Write(b.buf)
	return b.texts.String()[start:]
}

// row maps the cursor's current row.
func (b *binding) row(c cursor) (*owlatsync.Row, error) {
	r := &b.current
	r.Defect = ""
	unit, n := c.position()
	b.buf = append(append(b.buf[:0], unit...), ' ')
	b.buf = strconv.AppendInt(b.buf, int64(n), 10)
	position := len(b.buf)

	key, err := b.appendKey(c)
	if err != nil {
		return nil, err
	}
	email, err := b.appendField(c, b.email)
	if err != nil {
		return nil, err
	}
	first, err := b.appendField(c, b.firstName)
	if err != nil {
		return nil, err
	}
	last, err := b.appendField(c, b.lastName)
	if err != nil {
		return nil, err
	}
	if err := b.readConsents(c); err != nil {
		return nil, err
	}
	if err := b.readProperties(c); err != nil {
		return nil, err
	}

	all := b.keep()
	r.Position = all[:position]
	r.Key = all[key.start:key.end]
	r.Email, r.FirstName, r.LastName = email.field(all), first.field(all), last.field(all)
	return r, nil
}

// appendKey appends the row's key; its span is empty where there is none or it has a defect.
func (b *binding) appendKey(c cursor) (span, error) {
	start := len(b.buf)
	for i, at := range b.key {
		from := len(b.buf)
		s, err := b.appendField(c, at)
		if err != nil {
			return span{}, err
		}
		if s.state != owlatsync.Set || len(bytes.TrimSpace(b.buf[s.start:s.end])) == 0 {
			b.defect(at, "is empty, but is part of the key")
			b.buf = b.buf[:start]
			return span{}, nil
		}
		if len(b.key) > 1 {
			b.parts[i] = string(b.buf[from:])
			b.buf = b.buf[:from]
		}
	}
	if len(b.key) > 1 {
		b.buf = append(b.buf, owlatsync.JoinKey(b.parts...)...)
	}
	return span{start: start, end: len(b.buf)}, nil
}

// appendField appends the text of a column. A value that is no text leaves the field unmapped and the row a defect.
func (b *binding) appendField(c cursor, at int) (span, error) {
	if at == unmapped {
		return span{}, nil
	}
	v, err := c.cell(at)
	switch {
	case err != nil:
		return span{}, err
	case v.null:
		return span{state: owlatsync.Null}, nil
	case v.kind == nested:
		b.defect(at, "holds a JSON object or array, not one value")
		return span{}, nil
	case !utf8.Valid(v.text):
		b.defect(at, "is not valid UTF-8")
		return span{}, nil
	}
	start := len(b.buf)
	b.buf = append(b.buf, v.text...)
	return span{owlatsync.Set, start, len(b.buf)}, nil
}

func (b *binding) readConsents(c cursor) error {
	for i, at := range b.topics {
		if at == unmapped {
			b.current.Consents[i] = true
			continue
		}
		v, err := c.cell(at)
		if err != nil {
			return err
		}
		yes, ok := v.consent()
		if !ok {
			b.defect(at, "is neither yes nor no; it takes booleans, numbers and the texts t, f, true, false, y, n, yes, no, on, off, 1 and 0")
		}
		b.current.Consents[i] = yes
	}
	return nil
}

func (b *binding) readProperties(c cursor) error {
	for i, at := range b.properties {
		v, err := c.cell(at)
		if err != nil {
			return err
		}
		b.current.Properties[i].Value = nil
		switch {
		case !v.null && v.kind == nested:
			b.defect(at, "holds a JSON object or array, not one value")
			continue
		case !v.null && !utf8.Valid(v.text):
			b.defect(at, "is not valid UTF-8")
			continue
		}
		value, why := v.property()
		if why != "" {
			b.defect(at, why)
		}
		b.current.Properties[i].Value = value
	}
	return nil
}

// defect notes why the row cannot be used; the first reason counts.
func (b *binding) defect(at int, why string) {
	if b.current.Defect == "" {
		b.current.Defect = fmt.Sprintf("column %q %s", b.columns[at].Name, why)
	}
}
