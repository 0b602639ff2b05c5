package propose

import (
	"cmp"
	"slices"
	"strings"

	"owlatsync/internal/inspect"
)

// link says how the rows of another table belong to those of the table of people.
type link struct {
	table *inspect.Table
	on    string // its column
	to    string // the column of the people that has the same values
	one   bool   // at most one row for each person
	sure  bool   // a foreign key says so, and no name
}

// links returns the tables that belong to people, those of foreign keys first.
func links(c *inspect.Catalog, people *inspect.Table) (found []link) {
	known := map[*inspect.Table]bool{people: true}
	add := func(l link) {
		if !known[l.table] {
			known[l.table] = true
			found = append(found, l)
		}
	}
	for _, r := range people.Refs {
		if other := referred(c, r); other != nil && nameScore(other) > 25 {
			add(link{other, cmp.Or(r.ToColumn, sole(other.Key)), r.Column, true, true})
		}
	}
	for i := range c.Tables {
		t := &c.Tables[i]
		for _, r := range t.Refs {
			if referred(c, r) == people {
				add(link{t, r.Column, cmp.Or(r.ToColumn, sole(people.Key)), alone(t, r.Column), true})
			}
		}
	}
	for i := range c.Tables {
		if t := &c.Tables[i]; !t.View {
			if on, to := owner(t, people); on != "" {
				add(link{t, on, to, alone(t, on), false})
			}
		}
	}
	return slices.DeleteFunc(found, func(l link) bool { return l.on == "" || l.to == "" })
}

func sole(key []string) string {
	if len(key) != 1 {
		return ""
	}
	return key[0]
}

// alone reports whether a value of the column has one row.
func alone(t *inspect.Table, column string) bool {
	c := t.Column(column)
	return c != nil && c.Unique || sole(t.Key) == column
}

// referred returns the table of a foreign key, nil if it cannot be read.
func referred(c *inspect.Catalog, r inspect.Ref) *inspect.Table {
	for i := range c.Tables {
		if t := &c.Tables[i]; t.Name == r.Table && t.Schema == r.Schema {
			return t
		}
	}
	return nil
}

// owner returns the column of t that names a row of the people, and the column of the people that it names, by their names alone, such as
// user_id of a table beside users. It returns empty names if there is none.
func owner(t, people *inspect.Table) (on, to string) {
	if t == people || t.Schema != people.Schema {
		return "", ""
	}
	to = idOf(people)
	id := people.Column(to)
	if id == nil {
		return "", ""
	}
	person := personWord(people)
	if person == "" {
		return "", ""
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Kind != id.Kind && c.Kind != inspect.Any && id.Kind != inspect.Any {
			continue
		}
		name := squash(tokens(c.Name))
		if base, is := strings.CutSuffix(name, "id"); is && (base == person || base == "u" && to == c.Name) {
			return c.Name, to
		}
		// Drupal gives a field a table of its own, such as user__field_first_name.
		if name == "entityid" && strings.HasPrefix(t.Name, singular(person)+"__") {
			return c.Name, to
		}
	}
	return "", ""
}

// idOf returns the column by which other tables name a row: the key, or of a key with a language the rest.
func idOf(t *inspect.Table) string {
	if key := sole(withoutLanguage(t.Key)); key != "" {
		return key
	}
	for _, c := range t.Columns {
		if hasAny([]string{squash(tokens(c.Name))}, "id", "uid", "uuid") {
			return c.Name
		}
	}
	return ""
}

// withoutLanguage drops from a key the column of the language of a translation.
func withoutLanguage(key []string) []string {
	if len(key) < 2 {
		return key
	}
	return slices.DeleteFunc(slices.Clone(key), isLanguage)
}

// isLanguage reports whether a column is called as that of a language.
func isLanguage(column string) bool {
	return hasAny([]string{squash(tokens(column))}, "langcode", "language", "lang", "locale", "languagecode")
}

// personWord returns the word of the table's name that says that it holds people, in the singular; empty if there is none.
func personWord(t *inspect.Table) string {
	best, score := "", 0
	for _, w := range tokens(t.Name) {
		if n := max(personTables[w], personTables[singular(w)]); n > score {
			best, score = singular(w), n
		}
	}
	return best
}
