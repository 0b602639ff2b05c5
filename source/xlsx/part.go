package xlsx

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxText is the most bytes between two tags. A cell has at most 32 767 characters.
const maxText = 1 << 20

var errTooLong = fmt.Errorf("a text has more than %d MiB", maxText>>20)

// part reads the tags and texts of a part of a workbook. It does not match the names of tags; what it is read for does.
type part struct {
	in   io.ReadCloser
	xml  *xml.Decoder
	left int // bytes until the text is too long
}

// part opens a part of the workbook.
func (b *book) part(name string) (*part, error) {
	found := b.parts[partName(name)]
	if found == nil {
		return nil, errors.New("the workbook lacks a part: save it again")
	}
	in, err := found.Open()
	if err != nil {
		return nil, damaged(err)
	}
	p := &part{in: in, left: maxText}
	p.xml = xml.NewDecoder(p)
	return p, nil
}

// Read fails once the current text has used up its allowance.
func (p *part) Read(to []byte) (int, error) {
	if p.left <= 0 {
		return 0, errTooLong
	}
	n, err := p.in.Read(to)
	p.left -= n
	return n, err
}

// token returns the next tag or text, [io.EOF] at the end.
func (p *part) token() (xml.Token, error) {
	p.left = maxText
	t, err := p.xml.RawToken()
	if err != nil && err != io.EOF {
		return nil, damaged(err)
	}
	return t, err
}

// rest reads to the end, where it shows whether the part is as it was packed.
func (p *part) rest() error {
	_, err := io.Copy(io.Discard, p.in)
	return damaged(err)
}

func (p *part) close() { _ = p.in.Close() }

// text reads the texts within a tag up to its end: those in t, but not how they are pronounced (rPh).
func (p *part) text(end string) (string, error) {
	var b strings.Builder
	only, deep, aloud := "", 0, 0
	for {
		token, err := p.token()
		switch {
		case err == io.EOF:
			return "", damaged(io.ErrUnexpectedEOF)
		case err != nil:
			return "", err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local == "t" {
				deep++
			}
			if t.Name.Local == "rPh" {
				aloud++
			}
		case xml.EndElement:
			switch t.Name.Local {
			case "t":
				deep--
			case "rPh":
				aloud--
			case end:
				if only != "" {
					return unescape(only), nil
				}
				return unescape(b.String()), nil
			}
		case xml.CharData:
			if deep > 0 && aloud == 0 {
				if b.Len() == 0 && only == "" {
					only = string(t)
					continue
				}
				b.WriteString(only)
				only = ""
				b.Write(t)
			}
		}
	}
}

// unescape undoes the escapes of characters that XML cannot hold: "_x000D_" is a carriage return.
func unescape(text string) string {
	if !strings.Contains(text, "_x") {
		return text
	}
	var b strings.Builder
	for {
		at := strings.Index(text, "_x")
		if at < 0 || len(text) < at+7 {
			break
		}
		r, ok := hex4(text[at+2 : at+6])
		if !ok || text[at+6] != '_' {
			b.WriteString(text[:at+2])
			text = text[at+2:]
			continue
		}
		b.WriteString(text[:at])
		b.WriteRune(r)
		text = text[at+7:]
	}
	b.WriteString(text)
	return b.String()
}

func hex4(text string) (rune, bool) {
	var r rune
	for i := range len(text) {
		at := strings.IndexByte("0123456789ABCDEF", text[i])
		if at < 0 {
			return 0, false
		}
		r = r<<4 | rune(at)
	}
	return r, true
}

// attr returns an attribute of a tag, empty if there is none.
func attr(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}
