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

// row maps the cursor's current row. Nearly all are plain: one look at the whole row tells that all of it is UTF-8. Only
// where it is not, or something else is wrong, each value is looked at.
func (b *binding) row(c cursor) (*owlatsync.Row, error) {
	b.careful = false
	spans, err := b.read(c)
	if err == nil && (b.current.Defect != "" || !utf8.Valid(b.buf)) {
		b.careful = true
		spans, err = b.read(c)
	}
	if err != nil {
		return nil, err
	}
	r, all := &b.current, b.keep()
	r.Position = all[:spans.position]
	r.Key = all[spans.key.start:spans.key.end]
	r.Email, r.FirstName, r.LastName = spans.email.field(all), spans.first.field(all), spans.last.field(all)
	return r, nil
}

// spans are the parts of a row's buffer.
type spans struct {
	position                int
	key, email, first, last span
}

func (b *binding) read(c cursor) (s spans, err error) {
	b.current.Defect = ""
	unit, n := c.position()
	b.buf = append(append(b.buf[:0], unit...), ' ')
	b.buf = strconv.AppendInt(b.buf, int64(n), 10)
	s.position = len(b.buf)
	if s.key, err = b.appendKey(c); err != nil {
		return s, err
	}
	if s.email, err = b.appendField(c, b.email); err != nil {
		return s, err
	}
	if s.first, err = b.appendField(c, b.firstName); err != nil {
		return s, err
	}
	if s.last, err = b.appendField(c, b.lastName); err != nil {
		return s, err
	}
	if err := b.readConsents(c); err != nil {
		return s, err
	}
	return s, b.readProperties(c)
}

// appendKey appends the row's key; its span is empty where there is none or it has a defect.
func (b *binding) appendKey(c cursor) (span, error) {
	start := len(b.buf)
	key := span{start: start, end: start}
	for i, at := range b.key {
		s, err := b.appendField(c, at)
		if err != nil {
			return span{}, err
		}
		if s.state != owlatsync.Set || blank(b.buf[s.start:s.end]) {
			b.defect(at, "is empty, but is part of the key")
			b.buf = b.buf[:start]
			return span{}, nil
		}
		if key = s; len(b.key) > 1 {
			b.parts[i] = string(b.buf[s.start:])
			b.buf = b.buf[:start]
		}
	}
	if len(b.key) > 1 {
		b.buf = append(b.buf, owlatsync.JoinKey(b.parts...)...)
		key = span{start: start, end: len(b.buf)}
	}
	return key, nil
}

// blank reports whether a text is nothing but white space, which its first byte nearly always tells.
func blank(text []byte) bool {
	return len(text) == 0 || (text[0] <= ' ' || text[0] >= utf8.RuneSelf) && len(bytes.TrimSpace(text)) == 0
}

// appendField appends the text of a column, which begins with a byte that keeps texts that are no UTF-8 from completing each
// other. A value that is no text leaves the field unmapped and the row a defect.
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
	case b.careful && !utf8.Valid(v.text):
		b.defect(at, "is not valid UTF-8")
		return span{}, nil
	}
	b.buf = append(b.buf, 0)
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
