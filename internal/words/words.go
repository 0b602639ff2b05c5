// Package words puts numbers, times, names and errors into words that a person reads on a terminal. It knows nothing about syncs.
// What it returns has no character that controls a terminal.
package words

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Plural returns n with the noun, which gets an s for every number but 1.
func Plural(n int, noun string) string { return Several(n, noun, noun+"s") }

// Several returns n with the noun for one or for many.
func Several(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Places names things by their places: "key 2", "keys 2, 3".
func Places(noun string, places []int) string {
	all := make([]string, len(places))
	for i, place := range places {
		all[i] = strconv.Itoa(place)
	}
	if len(all) > 1 {
		noun += "s"
	}
	return noun + " " + strings.Join(all, ", ")
}

// Clock returns a time in the local zone, to the second.
func Clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// Span returns a duration as the configuration writes it: 90m, 12h, 2d.
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	if d > day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	text := d.String()
	if minutes, round := strings.CutSuffix(text, "m0s"); round {
		text = minutes + "m"
	}
	if hours, round := strings.CutSuffix(text, "h0m"); round {
		text = hours + "h"
	}
	return text
}

// YesNo returns "yes" or "no".
func YesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// OrElse returns the text, or otherwise if the text is empty.
func OrElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// Printable returns s, quoted if it has characters that control a terminal or are not visible.
func Printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return strconv.Quote(s)
	}
	return s
}

// Harmless returns a text of several lines with all characters that control a terminal escaped: names in files and databases may
// hold anything.
func Harmless(text string) string {
	control := func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
	if !strings.ContainsFunc(text, control) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if control(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// ShellWord returns s as one word of a shell, quoted if it must be.
func ShellWord(s string) string {
	odd := func(r rune) bool {
		return !strings.ContainsRune("_-./:=@%+,", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	if s != "" && !strings.ContainsFunc(s, odd) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
