package source

import (
	"context"
	"errors"
	"fmt"
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
	at := c.position()
	if at.Number == 0 {
		return fmt.Errorf("read the first row: %w", err)
	}
	return fmt.Errorf("read beyond %s: %w", at, err)
}

// span is a field whose text lies in the block.
type span struct {
	state      owlatsync.FieldState
	start, end int
}

func (s span) field(block string) owlatsync.Field {
	if s.state != owlatsync.Set {
		return owlatsync.Field{State: s.state}
	}
	return owlatsync.Some(block[s.start:s.end])
}

const (
	// textBlock is how many bytes of text one allocation holds; whoever keeps a string of a row keeps all of its block.
	textBlock = 8 << 10
	// textSpare is how many bytes a block must have left for another row. A row that needs more makes the block grow.
	textSpare = 256
)

// row maps the cursor's current row. Its texts go into a block that rows share, so that most of them cost no allocation.
// Nearly all are plain: one look at the whole row tells that all of it is UTF-8. Only where it is not, or something else is
// wrong, each value is looked at.
func (b *binding) row(c cursor) (*owlatsync.Row, error) {
	if size := b.texts.Cap(); size-b.texts.Len() < textSpare || size > 2*textBlock {
		b.texts = strings.Builder{}
		b.texts.Grow(textBlock)
	}
	b.careful = false
	spans, err := b.read(c)
	if err == nil && (b.current.Defect != "" || !utf8.ValidString(b.texts.String()[spans.start:])) {
		b.careful = true
		spans, err = b.read(c)
	}
	if err != nil {
		return nil, err
	}
	r, block := &b.current, b.texts.String()
	r.Position = c.position()
	r.Key = block[spans.key.start:spans.key.end]
	r.Email, r.FirstName, r.LastName = spans.email.field(block), spans.first.field(block), spans.last.field(block)
	return r, nil
}

// spans are the parts of a row's texts in the block.
type spans struct {
	start                   int
	key, email, first, last span
}

func (b *binding) read(c cursor) (s spans, err error) {
	b.current.Defect = ""
	s.start = b.texts.Len()
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
func (b *binding) appendKey(c cursor) (key span, err error) {
	for i, at := range b.key {
		if key, err = b.appendField(c, at); err != nil {
			return span{}, err
		}
		part := b.texts.String()[key.start:key.end]
		if key.state != owlatsync.Set || blank(part) {
			b.defect(at, "is empty, but is part of the key")
			return span{}, nil
		}
		b.parts[i] = part
	}
	if len(b.key) > 1 {
		start := b.texts.Len()
		b.texts.WriteString(owlatsync.JoinKey(b.parts...))
		key = span{start: start, end: b.texts.Len()}
	}
	return key, nil
}

// blank reports whether a text is nothing but white space, which its first byte nearly always tells.
func blank(text string) bool {
	return len(text) == 0 || (text[0] <= ' ' || text[0] >= utf8.RuneSelf) && len(strings.TrimSpace(text)) == 0
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
	b.texts.WriteByte(0)
	start := b.texts.Len()
	b.texts.Write(v.text)
	return span{owlatsync.Set, start, b.texts.Len()}, nil
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
