package propose

import (
	"cmp"
	"errors"
	"strings"

	"owlatsync"
	"owlatsync/internal/inspect"
)

// sureScore is the score from which a column has both the name and the values of addresses.
const sureScore = 65

// emailColumn returns the table's column of addresses and how sure that is, from 0 to 120; nil if there is none. Of several that surely
// hold addresses, such as "E-mail 1 - Value" and "E-mail 2 - Value", the one that most rows have counts: among equals, or if it has more
// than twice as many as the one with the better name.
func emailColumn(t *inspect.Table) (*inspect.Column, int) {
	var best *inspect.Column
	score := 0
	scores := make([]int, len(t.Columns))
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Kind == inspect.Text || c.Kind == inspect.Any {
			scores[i] = emailScore(c)
			if squash(tokens(c.Name)) == "address" && ofAddresses(t) {
				scores[i] = max(scores[i], emailScore(&inspect.Column{Name: "email", Kind: c.Kind, Sample: c.Sample}))
			}
		}
		if scores[i] > score {
			best, score = c, scores[i]
		}
	}
	for i, n := range scores {
		if n < sureScore {
			continue
		}
		rows, most := len(nonEmpty(t.Columns[i].Sample)), len(nonEmpty(best.Sample))
		if rows > 2*most || n == score && rows > most {
			best, score = &t.Columns[i], n
		}
	}
	return best, score
}

func emailScore(c *inspect.Column) int {
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
		if _, err := owlatsync.NormalizeAddress(v); err == nil || errors.Is(err, owlatsync.ErrAddressSeveral) {
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

// ofAddresses reports whether the table's name says that it holds addresses of people who stand in another one.
func ofAddresses(t *inspect.Table) bool {
	words := tokens(t.Name)
	if hasAny(words, sideTables...) || t.View {
		return false
	}
	last := words[len(words)-1:]
	if hasAny(last, "address", "addresses") && len(words) > 1 {
		last = words[len(words)-2 : len(words)-1]
	}
	return hasAny(last, "email", "emails", "emailaddress", "emailaddresses", "mail", "mails", "mailaddress", "mailaddresses")
}

// primaryFlag returns the column that marks one of several addresses of a person.
func primaryFlag(t *inspect.Table) *inspect.Column {
	return flagColumn(t, []string{"primary", "main", "default", "preferred"}, true)
}

// bearer returns the table of people whose addresses stand in t, and how they belong together; nil if the addresses are not those of another
// table's people.
func bearer(c *inspect.Catalog, t *inspect.Table) (*inspect.Table, link) {
	if !ofAddresses(t) {
		return nil, link{}
	}
	var best *inspect.Table
	var by link
	for _, r := range t.Refs {
		if p := referred(c, r); p != nil && nameScore(p) > 25 && (best == nil || nameScore(p) > nameScore(best)) {
			best, by = p, link{t, r.Column, cmp.Or(r.ToColumn, sole(p.Key)), alone(t, r.Column), true}
		}
	}
	if best != nil && by.to != "" {
		return best, by
	}
	best = nil
	for i := range c.Tables {
		p := &c.Tables[i]
		if p.View || nameScore(p) <= 25 || best != nil && nameScore(p) <= nameScore(best) {
			continue
		}
		if on, to := owner(t, p); on != "" {
			best, by = p, link{t, on, to, alone(t, on), false}
		}
	}
	return best, by
}
