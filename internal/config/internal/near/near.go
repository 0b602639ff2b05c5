// Package near finds what somebody may have meant.
package near

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// Word returns the word most like s, if any word is like it.
func Word(s string, words []string) (string, bool) {
	best, bestDistance := "", max(len(s)/2, 1)+1
	for _, w := range words {
		if d := levenshtein.ComputeDistance(fold(s), fold(w)); d < bestDistance {
			best, bestDistance = w, d
		}
	}
	return best, best != ""
}

// fold makes api-key, apiKey and api_key equal.
func fold(s string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(s))
}
