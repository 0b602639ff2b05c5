// Package refine makes the value of a field of what a column holds: a part of it, without marks around it, in the usual letter case.
package refine

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// Part returns the part of the text with the number: from 1, or below 0 from the end. It has no blanks around it, and is empty if there
// is no such part. An empty separator leaves the text whole.
func Part(text, separator string, number int) string {
	if separator == "" {
		return text
	}
	parts := strings.Split(text, separator)
	if number < 0 {
		number += len(parts) + 1
	}
	if number < 1 || number > len(parts) {
		return ""
	}
	return strings.TrimSpace(parts[number-1])
}

// Trim returns the text without the blanks and without the characters of the set at both ends.
func Trim(text, set string) string {
	return strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(set, r) })
}

// particles are small between other words of a name. Letters alone are not among them: they may be initials.
var particles = map[string]bool{
	"af": true, "al": true, "av": true, "bin": true, "da": true, "das": true, "de": true, "del": true, "della": true, "den": true, "der": true, "di": true,
	"do": true, "dos": true, "du": true, "el": true, "het": true, "ibn": true, "la": true, "le": true, "of": true, "op": true, "te": true, "ten": true, "ter": true,
	"und": true, "van": true, "vom": true, "von": true, "zu": true, "zum": true, "zur": true,
}

// Title returns a name whose letters are all large, or all small, as people write it: each word, and each part of it after a hyphen or an
// apostrophe, begins with a large letter; particles such as "van" do not, but as the first and as the last word.
// A name in mixed case is as somebody wanted it and stays.
func Title(name string) string {
	if mixed(name) {
		return name
	}
	words := strings.Fields(name)
	for i, word := range words {
		small := cases.Lower(language.Und).String(word)
		if particles[small] && i > 0 && i < len(words)-1 {
			words[i] = small
			continue
		}
		words[i] = capital(small)
	}
	return strings.Join(words, " ")
}

// mixed reports whether a text has large and small letters.
func mixed(text string) bool {
	var large, small bool
	for _, r := range text {
		large = large || unicode.IsUpper(r)
		small = small || unicode.IsLower(r)
	}
	return large && small
}

// capital returns a word of small letters with a large one at its beginning, and after each hyphen and apostrophe.
func capital(word string) string {
	var b strings.Builder
	title := cases.Title(language.Und, cases.NoLower)
	for word != "" {
		part, rest := word, ""
		if at := strings.IndexAny(word, "-'’‐"); at >= 0 {
			size := len(string([]rune(word[at:])[:1]))
			part, rest = word[:at+size], word[at+size:]
		}
		b.WriteString(title.String(part))
		word = rest
	}
	return b.String()
}
