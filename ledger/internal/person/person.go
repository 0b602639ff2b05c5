// Package person finds a person in the texts of a ledger.
package person

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"owlatsync"
	"owlatsync/ledger"
)

// Row names a row of a sync.
type Row struct {
	Sync int64
	Key  string
}

// Person is what identifies a person in the ledger.
type Person struct {
	Addresses []string // normalised
	Contacts  []string // ids
	Rows      map[Row]int64
}

// AppendNew appends a text that is not empty and not in the list.
func AppendNew(list []string, s string) []string {
	if s == "" || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// Blotter returns a function that removes the person's contacts and addresses, in any letter case, from a text.
func (p *Person) Blotter() (func(string) string, error) {
	var patterns, folded []string
	for _, s := range slices.Concat(p.Addresses, p.Contacts) {
		patterns = append(patterns, regexp.QuoteMeta(s))
		folded = append(folded, Fold(s))
	}
	names, err := regexp.Compile("(?i)" + strings.Join(patterns, "|"))
	if err != nil {
		return nil, err
	}
	return func(text string) string {
		text = names.ReplaceAllLiteralString(text, ledger.ForgottenText)
		rest := Fold(text)
		if slices.ContainsFunc(folded, func(s string) bool { return strings.Contains(rest, s) }) {
			return ledger.ForgottenText // the pattern does not know all letter cases
		}
		return text
	}, nil
}

// InKey reports whether a row's key is or holds one of the person's addresses.
func (p *Person) InKey(key string) bool {
	return slices.ContainsFunc(p.Addresses, func(address string) bool { return KeyNames(key, address) })
}

// KeyNames reports whether a row's key is or holds the address: as one of its columns, or between characters that cannot be part of
// an address.
func KeyNames(key, address string) bool {
	if !strings.Contains(key, "@") {
		return false
	}
	address = Fold(address)
	for _, part := range append(splitKey(key), key) {
		part = Fold(part)
		for at := 0; ; {
			i := strings.Index(part[at:], address)
			if i < 0 {
				break
			}
			before, _ := utf8.DecodeLastRuneInString(part[:at+i])
			after, _ := utf8.DecodeRuneInString(part[at+i+len(address):])
			if !inLocal(before) && !inDomain(after) {
				return true
			}
			at += i + 1
		}
	}
	return false
}

// splitKey undoes owlatsync.JoInKey.
func splitKey(key string) []string {
	var parts []string
	var part []byte
	for i := 0; i < len(key); i++ {
		switch {
		case key[i] == '\\' && i+1 < len(key):
			i++
			part = append(part, key[i])
		case key[i] == '/':
			parts, part = append(parts, string(part)), nil
		default:
			part = append(part, key[i])
		}
	}
	return append(parts, string(part))
}

// inLocal and inDomain report whether the parts of an address can hold the character.
func inLocal(r rune) bool { return inDomain(r) || strings.ContainsRune("!#$%&'*+/=?^_`{|}~", r) }

func inDomain(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.N) || r == '.' || r == '-'
}

// Fold makes texts equal that differ only in letter case.
func Fold(s string) string {
	return strings.ReplaceAll(owlatsync.LowerAddress(s), "ς", "σ")
}
