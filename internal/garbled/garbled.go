// Package garbled recognises texts whose letters a program has lost, because it took their bytes for those of another encoding.
package garbled

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Cause says how a text was garbled; empty for one that is in order.
type Cause string

// The causes, as words for people.
const (
	AsWindows1252 Cause = "UTF-8 was read as windows-1252"
	AsMacintosh   Cause = "UTF-8 was read as macintosh"
	Replaced      Cause = "letters were lost to an encoding that does not have them"
)

// CauseOf returns how the text was garbled: "JÃ¼rgen" and "J√ºrgen" were read in the wrong encoding, and "J\ufffdrgen" has lost its
// letter. Hardly any text means such letters.
func CauseOf(text string) Cause {
	if isASCII(text) {
		return ""
	}
	switch {
	case strings.ContainsRune(text, utf8.RuneError):
		return Replaced
	case readAs(text, charmap.Windows1252):
		return AsWindows1252
	case readAs(text, charmap.Macintosh):
		return AsMacintosh
	}
	return ""
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// readAs reports whether each run of letters beyond ASCII comes of UTF-8 that was read in the encoding.
func readAs(text string, encoding *charmap.Charmap) bool {
	var run []byte
	for _, r := range text + " " {
		if r >= utf8.RuneSelf {
			b, ok := encoding.EncodeRune(r)
			if !ok && r < 0x100 { // the bytes that windows-1252 leaves out stay as they are
				b, ok = byte(r), true
			}
			if !ok {
				return false
			}
			run = append(run, b)
			continue
		}
		if len(run) > 0 && (len(run) < 2 || !utf8.Valid(run)) {
			return false
		}
		run = run[:0]
	}
	return true
}
