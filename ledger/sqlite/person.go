package sqlite

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"owlatsync"
	"owlatsync/ledger"
)

// row names a row of a sync.
type row struct {
	sync int64
	key  string
}

// person is what identifies a person in the ledger.
type person struct {
	addresses []string // normalised
	contacts  []string // ids
	rows      map[row]int64
}

func appendNew(list []string, s string) []string {
	if s == "" || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// blotter returns a function that removes the person's contacts and addresses, in any letter case, from a text.
func (p *person) blotter() (func(string) string, error) {
	var patterns, folded []string
	for _, s := range slices.Concat(p.addresses, p.contacts) {
		patterns = append(patterns, regexp.QuoteMeta(s))
		folded = append(folded, fold(s))
	}
	names, err := regexp.Compile("(?i)" + strings.Join(patterns, "|"))
	if err != nil {
		return nil, err
	}
	return func(text string) string {
		text = names.ReplaceAllLiteralString(text, ledger.ForgottenText)
		rest := fold(text)
		if slices.ContainsFunc(folded, func(s string) bool { return strings.Contains(rest, s) }) {
			return ledger.ForgottenText // the pattern does not know all letter cases
		}
		return text
	}, nil
}

func (p *person) inKey(key string) bool {
	return slices.ContainsFunc(p.addresses, func(address string) bool { return keyNames(key, address) })
}

// keyNames reports whether a row's key is or holds the address: as one of its columns, or between characters that cannot be part of
// an address.
func keyNames(key, address string) bool {
	if !strings.Contains(key, "@") {
		return false
	}
	address = fold(address)
	for _, part := range append(splitKey(key), key) {
		part = fold(part)
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

// splitKey undoes owlatsync.JoinKey.
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

// fold makes texts equal that differ only in letter case.
func fold(s string) string {
	return strings.ReplaceAll(owlatsync.LowerAddress(s), "ς", "σ")
}
