package xlsx

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxShared is the most bytes of all texts that cells share, and maxSharedTexts the most texts.
const (
	maxShared      = 512 << 20
	maxSharedTexts = 16 << 20
)

// readShared reads the texts that cells share.
func (b *book) readShared() ([]string, error) {
	if b.shared == "" {
		return nil, nil
	}
	p, err := b.part(b.shared)
	if err != nil {
		return nil, err
	}
	defer p.close()
	var texts []string
	size, ended := 0, false
	for {
		token, err := p.token()
		switch {
		case err == io.EOF && !ended:
			return nil, damaged(io.ErrUnexpectedEOF)
		case err == io.EOF:
			return texts, nil
		case err != nil:
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local != "si" {
				continue
			}
			text, err := p.text("si")
			if err != nil {
				return nil, err
			}
			if size += len(text); size > maxShared || len(texts) >= maxSharedTexts {
				return nil, fmt.Errorf("the workbook has more than %d MiB of texts; save it as CSV", maxShared>>20)
			}
			texts = append(texts, text)
		case xml.EndElement:
			ended = ended || t.Name.Local == "sst"
		}
	}
}

// readDates returns which of the formats of cells are those of dates and times.
func (b *book) readDates() ([]bool, error) {
	if b.styles == "" {
		return nil, nil
	}
	var styles struct {
		Formats []struct {
			ID   int    `xml:"numFmtId,attr"`
			Code string `xml:"formatCode,attr"`
		} `xml:"numFmts>numFmt"`
		Cells []struct {
			ID int `xml:"numFmtId,attr"`
		} `xml:"cellXfs>xf"`
	}
	if err := b.small(b.styles, &styles); err != nil {
		return nil, err
	}
	own := make(map[int]bool)
	for _, f := range styles.Formats {
		own[f.ID] = isDate(f.Code)
	}
	dates := make([]bool, len(styles.Cells))
	for i, c := range styles.Cells {
		date, known := own[c.ID]
		// These formats have no code in the file.
		usual := c.ID >= 14 && c.ID <= 22 || c.ID >= 27 && c.ID <= 36 || c.ID >= 45 && c.ID <= 47 || c.ID >= 50 && c.ID <= 58
		dates[i] = known && date || !known && usual
	}
	return dates, nil
}

// isDate reports whether the code of a format shows a number as a date or a time.
func isDate(code string) bool {
	code, _, _ = strings.Cut(strings.ToLower(code), ";")
	for code != "" {
		skip := 1
		switch code[0] {
		case '"':
			skip = 2 + strings.IndexByte(code[1:]+`"`, '"')
		case '\\', '_', '*':
			_, size := utf8.DecodeRuneInString(code[1:])
			skip += size
		case '[': // a colour, a language, a condition, or a span such as [h]
			inner, _, _ := strings.Cut(code[1:], "]")
			if inner != "" && (strings.Trim(inner, "h") == "" || strings.Trim(inner, "m") == "" || strings.Trim(inner, "s") == "") {
				return true
			}
			skip = len(inner) + 2
		case 'y', 'm', 'd', 'h', 's':
			return true
		}
		code = code[min(skip, len(code)):]
	}
	return false
}

// number returns the value of a cell that holds a number: a time or date as text, or the number.
func (c *cells) number(text string, date bool) any {
	text = strings.TrimSpace(text)
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return text
	}
	if date {
		if shown, ok := dateOf(n, c.since1904); ok {
			return shown
		}
	}
	// Spreadsheets keep 15 digits; more are what is left of their arithmetic.
	if digits := strings.Trim(strings.Map(digitsOnly, mantissa(text)), "0"); len(digits) > 15 || strings.ContainsAny(text, "eE") {
		if math.Abs(n) < 1e15 && n == math.Trunc(n) {
			return int64(n)
		}
		text = strconv.FormatFloat(n, 'G', 15, 64)
	}
	return json.Number(text)
}

func mantissa(text string) string {
	text, _, _ = strings.Cut(text, "E")
	text, _, _ = strings.Cut(text, "e")
	return text
}

func digitsOnly(r rune) rune {
	if r < '0' || r > '9' {
		return -1
	}
	return r
}

// lastDay is the day after the last one that spreadsheets know, 9999-12-31.
const lastDay = 2_958_466

// dateOf returns the text of a date, a time of day, or a moment that is a number of days.
func dateOf(days float64, since1904 bool) (any, bool) {
	if days < 0 || days >= lastDay {
		return nil, false
	}
	moment := math.Round(days * 24 * 60 * 60 * 1000) // in milliseconds
	whole := math.Floor(moment / (24 * 60 * 60 * 1000))
	within := time.Duration(moment-whole*24*60*60*1000) * time.Millisecond
	if days < 1 {
		return time.Time{}.Add(within).Format("15:04:05"), true
	}
	epoch := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case since1904:
		epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case days < 61: // spreadsheets know a 29 February 1900
		epoch = epoch.AddDate(0, 0, 1)
	}
	day := epoch.AddDate(0, 0, int(whole))
	if within == 0 {
		return day.Format(time.DateOnly), true
	}
	return day.Add(within), true
}
