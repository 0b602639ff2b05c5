package xlsx

import (
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
)

// cells knows what the cells of a workbook refer to.
type cells struct {
	shared    []string
	dates     []bool // formats that are dates
	since1904 bool
}

// read reads a cell up to its end.
func (c *cells) read(p *part, start xml.StartElement) (any, error) {
	kind := attr(start, "t")
	date := false
	if style := attr(start, "s"); style != "" {
		n, err := strconv.Atoi(style)
		date = err == nil && n >= 0 && n < len(c.dates) && c.dates[n]
	}
	text, inValue := "", false
	for {
		token, err := p.token()
		switch {
		case err == io.EOF:
			return nil, damaged(io.ErrUnexpectedEOF)
		case err != nil:
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "v":
				inValue = true
			case "is":
				if text, err = p.text("is"); err != nil {
					return nil, err
				}
			}
		case xml.EndElement:
			switch t.Name.Local {
			case "v":
				inValue = false
			case "c":
				return c.value(kind, text, date)
			}
		case xml.CharData:
			if inValue {
				text += string(t)
			}
		}
	}
}

// value makes a value of the text of a cell. An empty text is NULL, as in a CSV file.
func (c *cells) value(kind, text string, date bool) (any, error) {
	if text == "" {
		return nil, nil
	}
	switch kind {
	case "s":
		at, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || at < 0 || at >= len(c.shared) {
			return nil, errors.New("the workbook is damaged: a cell names a text that is not there; save it again")
		}
		if c.shared[at] == "" {
			return nil, nil
		}
		return c.shared[at], nil
	case "b":
		return strings.TrimSpace(text) == "1" || strings.EqualFold(strings.TrimSpace(text), "true"), nil
	case "e":
		if text == "#N/A" {
			return nil, nil // nothing was found
		}
		return text, nil
	case "str":
		return unescape(text), nil
	case "inlineStr", "d":
		return text, nil
	}
	return c.number(text, date), nil
}
