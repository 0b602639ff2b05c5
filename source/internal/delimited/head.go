package delimited

import (
	"bufio"
	"bytes"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// searched is the most records among which the header is looked for: programs write a title and a date before it, no more.
	searched = 50
)

// sepLine is the first line by which Excel learns the delimiter.
var sepLine = regexp.MustCompile(`(?i)^"?sep=([^\r\n"])"?\r?(?:\n|$)`)

// rule is a line that underlines the header.
var rule = regexp.MustCompile(`^[-+|,;\t "]*--[-+|,;\t "]*\r?(?:\n|$)`)

// headRecord is a record at the beginning of a file.
type headRecord struct {
	fields []string // none of a broken one
	start  int      // its first byte
	lines  int      // lines before it
}

// recordsOf reads the first records of a text that may be cut off.
func recordsOf(head []byte, delimiter rune, cut bool) (records []headRecord) {
	s := scanner{in: bufio.NewReader(bytes.NewReader(head)), record: func() {}, delimiter: []byte(string(delimiter))}
	var b Batch
	for len(records) < searched {
		b.reset(0)
		line, _, err := s.next(&b)
		if err != nil || cut && s.used == len(head) {
			return records
		}
		b.text = b.buf
		r := headRecord{lines: line - 1, start: startOf(head, line-1)}
		for _, f := range b.fields {
			r.fields = append(r.fields, strings.Clone(string(b.value(f))))
		}
		records = append(records, r)
	}
	return records
}

// startOf returns where the text goes on after a number of lines.
func startOf(head []byte, lines int) (at int) {
	for range lines {
		at += afterLine(head[at:])
	}
	return at
}

// nameOf is a column's name without what programs put around it.
func nameOf(field string) string {
	return strings.TrimFunc(field, func(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' || r == 0 })
}

// names returns the names of a header, without those that are empty at its end.
func (r headRecord) names() (names []string) {
	for _, f := range r.fields {
		names = append(names, nameOf(f))
	}
	for len(names) > 0 && names[len(names)-1] == "" {
		names = names[:len(names)-1]
	}
	return names
}

// has reports whether the record names all wanted columns.
func (r headRecord) has(wanted []string) bool {
	names := r.names()
	return !slices.ContainsFunc(wanted, func(w string) bool { return !slices.Contains(names, w) })
}

// headerOf returns the record that is the header: the first one with all wanted names, or the one that looks most like it.
func headerOf(records []headRecord, wanted []string) headRecord {
	if len(wanted) > 0 {
		for _, r := range records {
			if r.has(wanted) {
				return r
			}
		}
	}
	width, _ := usualWidth(records)
	for _, r := range records {
		if looksLikeHeader(r.names(), width) {
			return r
		}
	}
	if len(records) == 0 {
		return headRecord{}
	}
	return records[0]
}

// looksLikeHeader reports whether the names fill most of the usual width with words.
func looksLikeHeader(names []string, width int) bool {
	wordy := 0
	for i, name := range names {
		switch {
		case strings.Contains(name, "@"):
			return false // somebody's data
		case name != "" && slices.Contains(names[:i], name) && len(names) > 2:
			return false
		case strings.ContainsFunc(name, unicode.IsLetter) || !utf8.ValidString(name):
			wordy++
		}
	}
	return len(names) <= width && 2*len(names) > width && 2*wordy > width
}

// usualWidth returns how many fields most of the records have, and how many records those are. What has one field has no shape.
func usualWidth(records []headRecord) (width, count int) {
	counts := map[int]int{}
	for _, r := range records {
		if n := len(r.fields); n > 0 {
			counts[n]++
		}
	}
	for n, times := range counts {
		if times > count && n > 1 || times == count && n > width || width <= 1 && n > 1 {
			width, count = n, times
		}
	}
	if width == 0 {
		return 1, counts[1]
	}
	return width, count
}

// delimiters are those of CSV files, the likeliest first.
var delimiters = []rune{',', ';', '\t', '|'}

// guessDelimiter returns the delimiter that gives most of the first records the same number of fields, and the most of those that do
// so equally well. Without any it is the comma.
func guessDelimiter(head []byte, cut bool) rune {
	best, share, most := delimiters[0], 0.0, 1
	for _, d := range delimiters {
		records := recordsOf(head, d, cut)
		width, count := usualWidth(records)
		if width < 2 {
			continue
		}
		if s := float64(count) / float64(len(records)); s > share || s == share && width > most {
			best, share, most = d, s, width
		}
	}
	return best
}
