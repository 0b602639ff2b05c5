package propose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"owlatsync/internal/inspect"
)

// Candidate is a table that may be the list of people.
type Candidate struct {
	Table *inspect.Table
	Email string   // the column of addresses, with its table if that is another one
	Score int      // only for comparison
	Why   []string // what speaks for the table and against it, for a person

	address link // where the addresses are; the zero value: in the table itself
}

// Rank returns the tables that have addresses, or whose people have addresses in another table, the likeliest list of people first.
func Rank(c *inspect.Catalog) []Candidate {
	elsewhere := make(map[*inspect.Table]link) // by the table of people
	for i := range c.Tables {
		t := &c.Tables[i]
		if email, _ := emailColumn(t); email == nil {
			continue
		}
		people, by := bearer(c, t)
		if people == nil {
			continue
		}
		if own, _ := emailColumn(people); own == nil || primaryFlag(t) != nil {
			elsewhere[people] = by
		}
	}
	var out []Candidate
	for i := range c.Tables {
		if candidate, ok := candidate(c, &c.Tables[i], elsewhere); ok {
			out = append(out, candidate)
		}
	}
	compare(out)
	slices.SortStableFunc(out, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.Table.Title(), b.Table.Title()))
	})
	for i := range out[min(1, len(out)):] {
		if c := &out[i+1]; len(c.Why) == 0 {
			c.Why = append(c.Why, "its name and its columns speak less of people")
		}
	}
	return out
}

// candidate judges one table by itself.
func candidate(c *inspect.Catalog, t *inspect.Table, elsewhere map[*inspect.Table]link) (Candidate, bool) {
	by, has := elsewhere[t]
	for _, l := range elsewhere {
		if l.table == t { // its people stand for it
			return Candidate{}, false
		}
	}
	from := t
	if has {
		from = by.table
	}
	email, score := emailColumn(from)
	if email == nil {
		return Candidate{}, false
	}
	found := Candidate{Table: t, Email: email.Name, address: by}
	if has {
		found.Email = from.Title() + "." + email.Name
		found.Why = append(found.Why, "its addresses stand in "+from.Title())
	}
	found.Score = score/2 + nameScore(t) + shapeScore(t, email)
	if t.Sampled && t.Rows == 0 {
		found.Why = append(found.Why, "it is empty")
	}
	var side []string
	for _, w := range tokens(t.Name) {
		if hasAny([]string{w}, sideTables...) {
			side = append(side, w)
		}
	}
	if len(side) > 0 {
		found.Why = append(found.Why, fmt.Sprintf("%q in its name speaks for something else", strings.Join(side, " ")))
	}
	return found, true
}

// compare judges tables of accounts beside those of people whom the application serves.
func compare(all []Candidate) {
	served := slices.IndexFunc(all, func(c Candidate) bool { return clients(c.Table) && (!c.Table.Sampled || c.Table.Rows > 0) })
	own := slices.ContainsFunc(all, func(c Candidate) bool { return !ofSystem(c.Table) && nameScore(c.Table) > 20 })
	for i := range all {
		c := &all[i]
		if served >= 0 && accounts(c.Table) {
			c.Score -= 45
			c.Why = append(c.Why, fmt.Sprintf("beside %s it seems to hold the accounts of staff%s", all[served].Table.Title(), signs(c.Table)))
		}
		if own && ofSystem(c.Table) {
			c.Score -= 45
			c.Why = append(c.Why, "it belongs to the system, not to your own tables")
		}
	}
}

// signs names the columns of a table that speak for accounts.
func signs(t *inspect.Table) string {
	found := accountSigns(t)
	if len(found) == 0 {
		return ""
	}
	return " (" + strings.Join(found[:min(len(found), 3)], ", ") + ")"
}

// Order returns the tables in the order in which they are sampled: the likely lists of people, and the tables that may belong to the likeliest.
func Order(c *inspect.Catalog) []*inspect.Table {
	var out []*inspect.Table
	add := func(t *inspect.Table) {
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	ranked := Rank(c)
	const likely, related = 6, 8
	for i, candidate := range ranked {
		if i == likely {
			break
		}
		add(candidate.Table)
		if candidate.address.table != nil {
			add(candidate.address.table)
		}
	}
	for i := range c.Tables {
		if t := &c.Tables[i]; nameScore(t) > 25 && len(out) < likely+2 {
			add(t)
		}
	}
	for i, candidate := range ranked {
		if i == 2 {
			break
		}
		for _, l := range useful(links(c, candidate.Table)) {
			if len(out) < likely+2+related {
				add(l.table)
			}
		}
	}
	for i := range c.Tables {
		if t := &c.Tables[i]; len(ranked) == 0 && keyValueOf(t) != nil {
			add(t)
		}
	}
	for _, candidate := range ranked {
		add(candidate.Table)
	}
	return out
}

// useful keeps the tables that may have names or consents of people.
func useful(all []link) []link {
	return slices.DeleteFunc(all, func(l link) bool {
		first, last, full := nameColumns(l.table)
		return first == nil && last == nil && full == nil && keyValueOf(l.table) == nil && fieldOf(l.table) == nil && !aboutMail(l.table) &&
			len(consentColumns(l.table)) == 0
	})
}

// shapeScore says how much the columns and the sampled rows look like a list of people.
func shapeScore(t *inspect.Table, email *inspect.Column) int {
	score := 0
	first, last, full := nameColumns(t)
	for _, found := range []*inspect.Column{first, last, full} {
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
	if slices.ContainsFunc(t.Columns, func(c inspect.Column) bool { return strings.Contains(squash(tokens(c.Name)), "password") }) {
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

// Namesakes returns the schemas in which other tables have the name of this one, as those of tenants.
func Namesakes(c *inspect.Catalog, t *inspect.Table) (schemas []string) {
	for i := range c.Tables {
		if o := &c.Tables[i]; o != t && o.Name == t.Name {
			schemas = append(schemas, cmp.Or(o.Schema, "the default schema"))
		}
	}
	return schemas
}
