package step

import (
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"

	"owlatsync"
)

// writtenAt finds an "@" that is written otherwise: escaped as URLs, HTML, programs and mails do it, or as a look-alike or a word.
var writtenAt = regexp.MustCompile(`(?i)[@＠﹫]` +
	`|%(?:25)*(?:u00)?40` +
	`|&(?:amp;)*(?:commat;|#0*64\b|#x0*40\b)` +
	`|\\+(?:x40|u\{?0*40|100)` +
	`|=40[\p{L}\p{N}-]+(?:\.|=2e)\p{L}` +
	`|[\[({<]\s*at\s*[\])}>]` +
	`|[\s_]at[\s_][\p{L}\p{N}-]+(?:\.|[\s_]dot[\s_])\p{L}`)

// encodedLeast is the length of the shortest address in base64.
const encodedLeast = 8

// private reports whether a key is an address or holds one, also an escaped or encoded one. It sees addresses and nothing that was
// made of them by a secret or a hash.
func private(key string) bool {
	if writtenAt.MatchString(key) {
		return true
	}
	if encoded(key) {
		return true // "/" may be a digit of base64 or stand between the parts of a key
	}
	for part := range strings.FieldsFuncSeq(key, func(r rune) bool { return !isDigit(r) }) {
		if len(part) < len(key) && encoded(part) {
			return true
		}
	}
	return false
}

// isDigit reports whether base64 in URLs, or hex, can have the character.
func isDigit(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '+'
}

// encoded reports whether the text is an address in hex or base64.
func encoded(text string) bool {
	if len(text) < encodedLeast {
		return false
	}
	if raw, err := hex.DecodeString(text); err == nil && isAddress(raw) {
		return true
	}
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	raw, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && isAddress(raw)
}

func isAddress(raw []byte) bool {
	return owlatsync.ValidAddress(owlatsync.LowerAddress(owlatsync.Trim(string(raw))))
}
