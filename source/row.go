package source

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"owlatsync"
	"owlatsync/source/internal/cell"
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
	if source, ok := c.(breaker); ok {
		if why := source.broken(); why != "" {
			b.marred = owlatsync.Row{Position: c.position(), Defect: why}
			return &b.marred, nil
		}
	}
	row, err := b.row(c)
	if err != nil {
		return nil, readError(c, err)
	}
	return row, nil
}

// readError adds how far the scan came, if the error does not tell.
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

const (
	// textBlock is how many bytes of text one allocation holds. A kept string of a row keeps its whole block.
	textBlock = 8 << 10
	// textSpare is the least number of bytes left in a block for another row. A row that needs more makes the block grow.
	textSpare = 256
)

// row maps the cursor's current row. Rows share a block for their texts, so that most cost no allocation. One check of the whole
// row shows that no text is wrong, which is nearly always so. Only otherwise each value is checked.
func (b *binding) row(c cursor) (*owlatsync.Row, error) {
	if size := b.texts.Cap(); size-b.texts.Len() < textSpare || size > 2*textBlock {
		b.texts = strings.Builder{}
		b.texts.Grow(textBlock)
	}
	start := b.texts.Len()
	b.careful = false
	err := b.read(c)
	if err == nil && (b.current.Defect != "" || !cell.IsText(cell.BytesOf(b.texts.String()[start:]))) {
		b.careful = true
		err = b.read(c)
	}
	if err != nil {
		return nil, err
	}
	return &b.current, nil
}

func (b *binding) read(c cursor) (err error) {
	r := &b.current
	r.Position, r.Defect, r.Unclear = c.position(), "", nil
	if r.Key, err = b.readKey(c); err != nil {
		return err
	}
	if r.Email, err = b.field(c, b.email); err != nil {
		return err
	}
	for i, at := range b.fields {
		if r.Fields[i], err = b.field(c, at); err != nil {
			return err
		}
	}
	if b.shapes != nil {
		b.shapes.Take(r)
	}
	if b.fullName != unmapped {
		full, err := b.field(c, b.fullName)
		if err != nil {
			return err
		}
		if b.shapes != nil {
			full = b.shapes.FullName.Of(full)
		}
		r.Fields[owlatsync.FirstName], r.Fields[owlatsync.LastName] = owlatsync.SplitName(full)
	}
	if err := b.readConsents(c); err != nil {
		return err
	}
	if err := b.readSuppressed(c); err != nil {
		return err
	}
	return b.readProperties(c)
}

// readKey returns the row's key, empty if there is none or it has a defect.
func (b *binding) readKey(c cursor) (string, error) {
	for i, at := range b.key {
		part, err := b.field(c, at)
		if err != nil {
			return "", err
		}
		if part.State != owlatsync.Set || cell.IsBlank(part.Value) {
			b.defect(at, "is empty, but is part of the key")
			return "", nil
		}
		b.parts[i] = part.Value
	}
	switch len(b.key) {
	case 0:
		return "", nil
	case 1:
		return b.parts[0], nil
	}
	return owlatsync.JoinKey(b.parts...), nil
}

// field returns the row's value in a column. A value that is no text leaves the field unmapped and makes the row a defect.
func (b *binding) field(c cursor, at int) (owlatsync.Field, error) {
	if at == unmapped {
		return owlatsync.Field{}, nil
	}
	v, err := c.cell(at)
	switch {
	case err != nil:
		return owlatsync.Field{}, err
	case v.Null:
		return owlatsync.Field{State: owlatsync.Null}, nil
	case v.Kind == cell.Nested:
		b.defect(at, "holds a JSON object or array, not one value")
		return owlatsync.Field{}, nil
	case v.Kept:
		return owlatsync.Some(v.KeptText()), nil
	case b.careful && !cell.IsText(v.Text):
		b.defect(at, b.wrongText(v.Text))
		return owlatsync.Field{}, nil
	}
	b.texts.WriteByte(cell.Separator) // keeps invalid texts from completing each other to valid UTF-8
	start := b.texts.Len()
	b.texts.Write(v.Text)
	return owlatsync.Some(b.texts.String()[start:]), nil
}

// wrongText says why bytes are no text.
func (b *binding) wrongText(text []byte) string {
	if b.strange != "" && !utf8.Valid(text) {
		return b.strange
	}
	return cell.WrongText(text)
}

// shownBytes is how much of an unclear consent is kept.
const shownBytes = 60

func (b *binding) readConsents(c cursor) error {
	for i, at := range b.topics {
		if at == unmapped {
			b.current.Consents[i] = owlatsync.Yes
			continue
		}
		v, err := c.cell(at)
		if err != nil {
			return err
		}
		yes, isClear := v.Consent(b.words[i])
		if b.current.Consents[i] = owlatsync.ConsentOf(yes); !isClear {
			if b.current.Unclear == nil {
				clear(b.unclear)
				b.current.Unclear = b.unclear
			}
			b.current.Consents[i], b.unclear[i] = owlatsync.Unclear, b.shown(v)
			if v.Kind == cell.Nested {
				b.defect(at, "holds a JSON object or array, not one value")
			}
		}
	}
	return nil
}

// readSuppressed reads whether no mail may ever go to the person. To guess wrong would be for good, or send mail that must not be sent: so a
// row that says neither waits.
func (b *binding) readSuppressed(c cursor) error {
	if b.suppressed == unmapped {
		return nil
	}
	v, err := c.cell(b.suppressed)
	if err != nil {
		return err
	}
	yes, isClear := v.Consent(b.never)
	if b.current.Suppressed = yes && isClear; !isClear {
		b.defect(b.suppressed, "says neither yes nor no to \"never mail\": list its values as yes and no under \"suppressed\"")
	}
	return nil
}

// shown returns the beginning of a value for people, empty for one that is no text.
func (b *binding) shown(v cell.Cell) string {
	if v.Kind == cell.Nested || !cell.IsText(v.Text) {
		return ""
	}
	text := v.Text[:min(len(v.Text), shownBytes)]
	for !utf8.Valid(text) { // cut within a rune
		text = text[:len(text)-1]
	}
	start := b.texts.Len()
	b.texts.Write(text)
	return b.texts.String()[start:]
}

func (b *binding) readProperties(c cursor) error {
	for i, at := range b.properties {
		v, err := c.cell(at)
		if err != nil {
			return err
		}
		b.current.Properties[i].Value = nil
		switch {
		case !v.Null && v.Kind == cell.Nested:
			b.defect(at, "holds a JSON object or array, not one value")
			continue
		case !v.Null && !v.Kept && !cell.IsText(v.Text):
			b.defect(at, b.wrongText(v.Text))
			continue
		}
		value, why := v.Property()
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
