package owlatsync

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxAddress is the longest address, in UTF-16 units, with which Owlat creates a contact.
const MaxAddress = 200

// MaxName is the longest first or last name, in UTF-16 units, with which Owlat creates a contact.
const MaxName = 200

// maxAddressForm is the longest text, in UTF-16 units, that Owlat's address form itself accepts.
const maxAddressForm = 254

// Why a text is not an address that Owlat takes. The errors never contain the text.
var (
	ErrAddressEmpty   = errors.New("the address is empty")
	ErrAddressForm    = errors.New("the address is not of a form that Owlat accepts")
	ErrAddressTooLong = errors.New("the address is longer than Owlat's 200 characters")
)

// NormalizeAddress returns the address under which Owlat keeps raw: without surrounding white space and lower-cased as Owlat does
// it, without Unicode or IDN normalisation. The error matches one of ErrAddressEmpty, ErrAddressForm and ErrAddressTooLong, and
// means that Owlat would refuse to create a contact with the address. Where it is plain what is wrong with the form, such as
// [ErrAddressSeveral], the error says that.
func NormalizeAddress(raw string) (string, error) {
	if plainAddress(raw) {
		return raw, nil
	}
	trimmed := Trim(raw)
	switch {
	case trimmed == "":
		return "", ErrAddressEmpty
	case !ValidAddress(trimmed):
		return "", formReason(trimmed)
	case UTF16Len(trimmed) > MaxAddress:
		return "", ErrAddressTooLong
	}
	return LowerAddress(trimmed), nil
}

// plainAddress reports whether s is a valid address in normal form: short enough, ASCII only and without capitals. Nearly all
// addresses are. An address that it does not recognise may still be valid.
func plainAddress(s string) bool {
	if len(s) > MaxAddress {
		return false
	}
	at := -1        // where the "@" is
	part := 0       // where the current atom or label begins
	letters := true // the current label has only letters
	for i := range len(s) {
		c := addressBytes[s[i]]
		switch {
		case c == ofNone:
			return false
		case c == ofDot, c == ofAt:
			if i == part || at >= 0 && (c == ofAt || s[i-1] == '-') {
				return false
			}
			if c == ofAt {
				at = i
			}
			part, letters = i+1, true
			continue
		case at < 0:
			continue
		case c == ofAtom, i == part && s[i] == '-':
			return false
		}
		letters = letters && c == ofLetter
	}
	// Without a dot, the last label is the whole domain.
	return at >= 0 && part > at+1 && letters && len(s)-part >= 2
}

// What a byte can be in an address in normal form.
const (
	ofNone   = iota
	ofAtom   // only in an atom before the "@"
	ofDomain // a digit or "-"
	ofLetter // a small letter
	ofDot
	ofAt
)

var addressBytes = func() (of [256]uint8) {
	for _, c := range []byte("!#$%&'*+/=?^_`{|}~") {
		of[c] = ofAtom
	}
	for _, c := range []byte("0123456789-") {
		of[c] = ofDomain
	}
	for c := 'a'; c <= 'z'; c++ {
		of[c] = ofLetter
	}
	of['.'], of['@'] = ofDot, ofAt
	return of
}()

// ValidAddress reports whether s, untrimmed, has the form that Owlat's API accepts as an address: a dot-atom, "@" and at least two
// labels, at most 254 UTF-16 units in all.
func ValidAddress(s string) bool {
	local, domain, found := strings.Cut(s, "@")
	if !found || UTF16Len(s) > maxAddressForm || !utf8.ValidString(s) {
		return false
	}
	return validLocal(local) && validDomain(domain)
}

func validLocal(local string) bool {
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" {
			return false
		}
		for _, r := range atom {
			if !isAlnum(r) && !strings.ContainsRune("!#$%&'*+/=?^_`{|}~-", r) && !isForeign(r) {
				return false
			}
		}
	}
	return true
}

func validDomain(domain string) bool {
	labels, last := 0, ""
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
		for _, r := range label {
			if !isAlnum(r) && r != '-' && !isForeign(r) {
				return false
			}
		}
		labels++
		last = label
	}
	if labels < 2 || utf8.RuneCountInString(last) < 2 {
		return false
	}
	for _, r := range last {
		if !isLetter(r) && !isForeign(r) {
			return false
		}
	}
	return true
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
func isAlnum(r rune) bool  { return isLetter(r) || r >= '0' && r <= '9' }

// isForeign reports whether r is beyond ASCII and is no separator and no control, format, private, surrogate or unassigned code
// point.
func isForeign(r rune) bool {
	return r >= 0x80 && unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S)
}

// UTF16Len returns the length of s in UTF-16 units, the unit of all of Owlat's length limits.
func UTF16Len(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// Trim removes the white space that Owlat removes around a name. ECMAScript defines it: U+FEFF counts, U+0085 does not.
func Trim(s string) string {
	if s == "" || isPrinted(s[0]) && isPrinted(s[len(s)-1]) {
		return s
	}
	return strings.TrimFunc(s, isECMASpace)
}

// isPrinted reports whether b is a visible ASCII character.
func isPrinted(b byte) bool { return b > ' ' && b < 0x7F }

func isECMASpace(r rune) bool {
	switch r {
	case '\t', '\n', '\v', '\f', '\r', ' ', 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF:
		return true
	}
	return r >= 0x2000 && r <= 0x200A
}

// LowerAddress lower-cases s as ECMAScript's toLowerCase does: rune by rune, except U+0130, which becomes two runes, and a capital
// sigma at the end of a word.
func LowerAddress(s string) string {
	ascii, lower := true, true
	for i := range len(s) {
		ascii = ascii && s[i] < utf8.RuneSelf
		lower = lower && (s[i] < 'A' || s[i] > 'Z')
	}
	if ascii {
		if lower {
			return s
		}
		return strings.ToLower(s)
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == 'İ':
			b.WriteString("i̇")
		case r == 'Σ' && cased(lastSignificant(s[:i])) && !cased(firstSignificant(s[i+len("Σ"):])):
			b.WriteRune('ς')
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

func lastSignificant(s string) rune {
	for s != "" {
		r, n := utf8.DecodeLastRuneInString(s)
		if !caseIgnorable(r) {
			return r
		}
		s = s[:len(s)-n]
	}
	return 0
}

func firstSignificant(s string) rune {
	for _, r := range s {
		if !caseIgnorable(r) {
			return r
		}
	}
	return 0
}

func cased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

// caseIgnorable is Unicode's property of that name: marks, format characters, modifiers and the middle-of-word punctuation.
func caseIgnorable(r rune) bool {
	switch r {
	case '\'', '.', ':', 0xB7, 0x387, 0x55F, 0x5F4, 0x2018, 0x2019, 0x2024, 0x2027, 0xFE13, 0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A:
		return true
	}
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}
