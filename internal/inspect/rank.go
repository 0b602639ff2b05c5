package inspect

import (
	"cmp"
	"slices"
	"strings"

	"owlatsync"
)

// Candidate is a table that may be the list of people.
type Candidate struct {
	Table *Table
	Email string // its column of addresses
	Score int    // only for comparison
}

// Rank returns the tables that have a column of addresses, the likeliest list of people first.
func Rank(c *Catalog) []Candidate {
	var out []Candidate
	for i := range c.Tables {
		t := &c.Tables[i]
		email, score := emailColumn(t)
		if email == nil {
			continue
		}
		out = append(out, Candidate{Table: t, Email: email.Name, Score: score/2 + nameScore(t) + shapeScore(t, email)})
	}
	slices.SortStableFunc(out, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.Table.Title(), b.Table.Title()))
	})
	return out
}

// rankByNames returns tables in the order in which they are sampled: first those with a column named like an address, then those
// named like a list of people.
func rankByNames(c *Catalog) []*Table {
	var out []*Table
	for _, candidate := range Rank(c) {
		out = append(out, candidate.Table)
	}
	for i := range c.Tables {
		if t := &c.Tables[i]; !slices.Contains(out, t) && nameScore(t) > 25 {
			out = append(out, t)
		}
	}
	return out
}

// nameScore says how much the table's name sounds like a list of people.
func nameScore(t *Table) int {
	score, other := 0, 0
	for _, w := range tokens(t.Name) {
		n := max(personTables[w], personTables[singular(w)])
		switch {
		case n > 0:
			score = max(score, n)
		case hasAny([]string{w}, sideTables...):
			score -= 40
		default:
			other++
		}
	}
	score -= 4 * other
	if t.View {
		score -= 6
	}
	if t.Schema != "" {
		score -= 4
	}
	return score
}

// shapeScore says how much the columns and the sampled rows look like a list of people.
func shapeScore(t *Table, email *Column) int {
	score := 0
	first, last, full := nameColumns(t)
	for _, found := range []*Column{first, last, full} {
		if found != nil {
			score += 8
		}
	}
	if len(t.Key) > 0 {
		score += 8
	}
	if email.Unique {
		score += 12
	}
	if slices.ContainsFunc(t.Columns, func(c Column) bool { return strings.Contains(squash(tokens(c.Name)), "password") }) {
		score += 10
	}
	score += 6 * len(consentColumns(t))
	if t.Sampled && t.Rows == 0 {
		score -= 25
	}
	if t.Sampled && t.Rows >= 20 {
		score += 5
	}
	return score
}

// emailColumn returns the table's column of addresses and how sure that is, from 0 to 120; nil if there is none.
func emailColumn(t *Table) (*Column, int) {
	var best *Column
	score := 0
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Kind != Text && c.Kind != Any {
			continue
		}
		if n := emailScore(c); n > score {
			best, score = c, n
		}
	}
	return best, score
}

func emailScore(c *Column) int {
	words := tokens(c.Name)
	own := without(words, personTables)
	score := max(emailNames[squash(words)], emailNames[squash(own)])
	if score == 0 {
		named := strings.Contains(squash(words), "email") || hasAny(words, "mail")
		switch {
		case named && hasAny(words, notTheEmail...):
			score = 15
		case named:
			score = 50
		}
	}
	filled := nonEmpty(c.Sample)
	if len(filled) == 0 {
		return score
	}
	valid := 0
	for _, v := range filled {
		if _, err := owlatsync.NormalizeAddress(v); err == nil {
			valid++
		}
	}
	switch share := float64(valid) / float64(len(filled)); {
	case share < 0.2: // a flag, a hash, or encrypted
		return 0
	case share < 0.7:
		return score
	case score == 0 && len(filled) >= 3: // such as a user name that is an address
		return 40
	case score == 0:
		return 0
	}
	return score + 20
}

// nameColumns returns the columns of the first, the last and the full name, nil if there is none.
func nameColumns(t *Table) (first, last, full *Column) {
	rank := func(list []string) *Column {
		var best *Column
		place := len(list)
		for i := range t.Columns {
			c := &t.Columns[i]
			if c.Kind != Text && c.Kind != Any {
				continue
			}
			words := tokens(c.Name)
			for _, name := range []string{squash(words), squash(without(words, personTables))} {
				if name == "username" || squash(words) == "username" {
					continue
				}
				if at := slices.Index(list, name); at >= 0 && at < place {
					best, place = c, at
				}
			}
		}
		return best
	}
	first, last, full = rank(firstNames), rank(lastNames), rank(fullNames)
	// The French nom is the last name, and the Spanish nombre the first name, only beside the other one.
	if last != nil && first == nil && squash(tokens(last.Name)) == "nom" {
		return nil, nil, last
	}
	if first != nil && last == nil && hasAny([]string{squash(tokens(first.Name))}, "nombre", "nombres") {
		return nil, nil, first
	}
	if first != nil && last != nil {
		full = nil
	}
	return first, last, full
}
