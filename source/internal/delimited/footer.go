package delimited

import (
	"bytes"
	"io"
	"regexp"
	"unicode"
)

// footer is how the lines begin that programs write after the last row.
var footer = regexp.MustCompile(`(?i)^\W*(?:(?:grand |sub)?totals?|sum|summe|zwischensumme|gesamt(?:summe|zahl)?|insgesamt|anzahl|total g[ée]n[ée]ral|totaal|totale|suma|count|` +
	`records?|rows?|end of (?:file|report|list|export|data)|(?:generated|exported|created|printed|erstellt|exportiert) (?:on|at|by|am|um|von|with|from)|` +
	`(?:source|quelle|copyright|confidential|page)\b|\d+ (?:rows?|records?|contacts?|entries|lines|zeilen|datensätze|einträge|kontakte))(?:[\s:;,.=)(]|$)`)

// isFooter reports whether fields are no row but what follows the last one. A line with an address is none.
func isFooter(b *Batch, fields []field) bool {
	var first []byte
	for _, f := range fields {
		value := bytes.TrimSpace(b.value(f))
		if bytes.IndexByte(value, '@') >= 0 {
			return false
		}
		if len(first) == 0 {
			first = value
		}
	}
	return footer.Match(first)
}

// trim drops the footers of a batch that ends the file.
func (r *Reader) trim(b *Batch) {
	for last := len(b.Lines) - 1; last >= 0; last-- {
		if broken := b.Broken(last) != ""; broken && !b.footers[last] || !broken && !isFooter(b, b.fields[last*b.width:]) {
			return
		}
		if b.Broken(last) != "" {
			r.broken--
		} else {
			r.rows--
		}
		b.drop()
	}
}

// tailSize is the most bytes that lines after the last row may have.
const tailSize = 4 << 10

// atEnd reports whether nothing comes any more but blank lines and footers, and consumes them.
func (r *Reader) atEnd() bool {
	if len(r.scan.ahead) > 0 || r.in.Buffered() > tailSize {
		return false
	}
	rest, err := r.in.Peek(tailSize + 1)
	if err != io.EOF || bytes.IndexByte(rest, '@') >= 0 {
		return false
	}
	for line := range bytes.Lines(rest) {
		line = bytes.TrimFunc(line, func(c rune) bool { return unicode.IsSpace(c) || string(c) == string(r.scan.delimiter) })
		first, _, _ := bytes.Cut(line, r.scan.delimiter)
		if len(line) > 0 && !footer.Match(first) {
			return false
		}
	}
	_, _ = r.in.Discard(len(rest)) // Peek has read them
	return true
}
