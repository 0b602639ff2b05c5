// Package near finds the name that was meant.
package near

import "strings"

// Meant returns the name that was most likely meant, or nothing.
func Meant(name string, names []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, n := range names {
		if strings.Contains(n, "@") {
			continue // somebody's data, not a name
		}
		if d := distance(strings.ToLower(name), strings.ToLower(n)); d < least && d < len(name) {
			best, least = n, d
		}
	}
	return best
}

// distance returns how many letters to insert, delete, replace or swap with their neighbour to get from a to b.
func distance(a, b string) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
