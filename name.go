package owlatsync

import (
	"strings"
	"unicode"
)

// SplitName splits a full name into a first and a last name. Each is NULL if the name has no such part, and both have the state of a
// field that is not set.
//
// Titles in front, such as "Dr." and "Mrs.", and after the name, such as "PhD", "M.D." and "Jr.", belong to neither; what stands in
// brackets does neither. The first word that is left is the first name, the others are the last name. In "Lovelace, Ada" the text
// before the comma is the last name. One word alone is the first name. A name that consists of titles is kept as it is.
func SplitName(full Field) (first, last Field) {
	if full.State != Set {
		return full, full
	}
	before, after, comma := strings.Cut(Trim(bare(full.Value)), ",")
	if front, back := untitled(before), untitled(after); comma && front != "" && back != "" {
		return Some(back), Some(front)
	} else if front == "" {
		before = back
	} else {
		before = front
	}
	if before == "" {
		before = Trim(full.Value)
	}
	at := strings.IndexFunc(before, unicode.IsSpace)
	if at < 0 {
		return named(before), Field{State: Null}
	}
	return named(before[:at]), named(strings.TrimSpace(before[at:]))
}

func named(text string) Field {
	if text == "" {
		return Field{State: Null}
	}
	return Some(text)
}

// bare returns a name without what stands in brackets, such as the company after it.
func bare(name string) string {
	for _, pair := range []string{"()", "[]"} {
		for {
			open := strings.IndexByte(name, pair[0])
			length := strings.IndexByte(name[max(open, 0):], pair[1])
			if open < 0 || length < 0 {
				break
			}
			name = name[:open] + name[open+length+1:]
		}
	}
	return name
}

// untitled returns a name without the titles at both of its ends.
func untitled(name string) string {
	name = strings.TrimSpace(name)
	for {
		word, rest := name, ""
		if at := strings.IndexFunc(name, unicode.IsSpace); at >= 0 {
			word, rest = name[:at], strings.TrimSpace(name[at:])
		}
		if !isOne(word, titles) {
			break
		}
		name = rest
	}
	for {
		at := strings.LastIndexFunc(name, unicode.IsSpace)
		if !isOne(name[at+1:], suffixes) {
			return name
		}
		name = strings.TrimSpace(name[:max(at, 0)])
	}
}

// isOne reports whether a word is in a list, whatever its letter case and points.
func isOne(word, list string) bool {
	word = strings.ToLower(strings.ReplaceAll(word, ".", ""))
	return word != "" && strings.Contains(list, " "+word+" ")
}

// The words that are no part of a name, each between blanks.
const (
	titles = " dr prof professor doctor mr mrs ms miss mx sir dame rev herr frau hr fr dipl-ing ing mag mme mlle monsieur madame sr sra srta señor señora " +
		"don doña dott dottssa sig sigra dhr mevr drs ir "
	suffixes = " jr phd md mba msc bsc ma ba esq dds ii iii iv "
)
