package source

import (
	"strings"
	"time"

	"owlatsync/source/internal/cell"
)

// looseMark makes a mark of a value that has its own type.
func (c *Cursor) looseMark(typ, text string, now time.Time) (string, error) {
	switch {
	case typ == "integer":
		return newMark(cell.Integer, text), c.fits(cell.Integer, typ)
	case typ != "text":
		return "", c.fits(cell.Number, typ)
	}
	k, latest := cell.Moment, now.UTC().Format(momentLayout)
	if len(text) == len(dayLayout) {
		k, latest = cell.Day, now.UTC().Format(dayLayout)
	} else if len(text) > 10 && text[10] == 'T' {
		latest = latest[:10] + "T" + latest[11:]
	}
	at, err := parseBound(k, strings.Replace(text, " +0000 UTC", "", 1))
	if err != nil || k == cell.Moment && !utc(text) {
		return "", &ColumnError{c.Column, "its highest value is a text that is no time in UTC, such as 2006-01-02 15:04:05: texts of another form cannot be compared; make times of all, or use a column of whole numbers"}
	}
	if at.After(now) {
		text = latest
	}
	return newMark(k, strings.Replace(text, " +0000 UTC", "", 1)), c.fits(k, typ)
}

// utc reports whether the text of a time names no zone but UTC.
func utc(text string) bool {
	if len(text) < cell.MomentForm {
		return false
	}
	switch zone := strings.TrimLeft(text[cell.MomentForm:], ".0123456789"); zone {
	case "", "Z", "+00:00", " +0000 UTC":
		return true
	}
	return false
}
