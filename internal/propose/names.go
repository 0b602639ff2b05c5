package propose

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"owlatsync"
	"owlatsync/internal/inspect"
)

// nameColumns returns the columns of the first, the last and the full name, nil if there is none.
func nameColumns(t *inspect.Table) (first, last, full *inspect.Column) {
	rank := func(list []string) *inspect.Column {
		var best *inspect.Column
		place := len(list)
		for i := range t.Columns {
			c := &t.Columns[i]
			if c.Kind != inspect.Text && c.Kind != inspect.Any {
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

// logins reports whether the values are names to log in with, such as grace77, and not names of people.
func logins(sample []string) bool {
	filled := nonEmpty(sample)
	like := 0
	for _, v := range filled {
		spaced := strings.ContainsFunc(v, unicode.IsSpace)
		digits := strings.ContainsFunc(v, unicode.IsDigit)
		if !spaced && (digits || v == strings.ToLower(v) || strings.ContainsAny(v, "_@.")) {
			like++
		}
	}
	return like > 0 && like*2 >= len(filled)
}

// unfilled reports whether no sampled row has a value.
func unfilled(c *inspect.Column) bool {
	return len(c.Sample)+c.Nulls > 0 && len(nonEmpty(c.Sample)) == 0
}

// loginColumn returns the column of the names to log in with, nil if there is none.
func loginColumn(t *inspect.Table) *inspect.Column {
	for i := range t.Columns {
		if c := &t.Columns[i]; (c.Kind == inspect.Text || c.Kind == inspect.Any) && hasAny([]string{squash(tokens(c.Name))}, "username", "login", "userlogin", "loginname", "nickname") {
			return c
		}
	}
	return nil
}

// shares reports whether two columns have a sampled value in common.
func shares(a, b *inspect.Column) bool {
	return slices.ContainsFunc(nonEmpty(a.Sample), func(v string) bool { return slices.Contains(b.Sample, v) })
}

// keyValue is a table that keeps what is known of people as rows of a key and a value.
type keyValue struct {
	table         *inspect.Table
	key, value    *inspect.Column
	area, subject *inspect.Column // the column of a namespace, and that of the person; nil: none
}

// keyValueOf returns how the table keeps keys and values, nil if it does not.
func keyValueOf(t *inspect.Table) *keyValue {
	kv := keyValue{table: t}
	for i := range t.Columns {
		c := &t.Columns[i]
		switch name := squash(without(tokens(c.Name), personTables)); {
		case c.Kind != inspect.Text && c.Kind != inspect.Any && c.Kind != inspect.Number && c.Kind != inspect.UUID:
		case kv.value == nil && hasAny([]string{name}, "metavalue", "claimvalue", "configvalue", "value", "fieldvalue", "attributevalue", "datavalue"):
			kv.value = c
		case kv.key == nil && hasAny([]string{name}, "metakey", "claimtype", "configkey", "key", "fieldname", "attributename", "attribute", "name", "property"):
			kv.key = c
		case kv.area == nil && hasAny([]string{name}, "appid", "app", "namespace", "section", "category"):
			kv.area = c
		case kv.subject == nil && strings.HasSuffix(squash(tokens(c.Name)), "id") && !slices.Contains(t.Key, c.Name),
			kv.subject == nil && len(t.Key) > 1 && strings.HasSuffix(squash(tokens(c.Name)), "id"):
			kv.subject = c
		}
	}
	if kv.key == nil || kv.value == nil || kv.subject == nil {
		return nil
	}
	return &kv
}

// Scattered describes a table that keeps addresses as values among others, and shows what a query of its rows begins with.
type Scattered struct {
	Table, Query string
}

// Scatter looks for a table that keeps addresses as rows of a key and a value. It returns nil if there is none.
func Scatter(c *inspect.Catalog) *Scattered {
	var best *keyValue
	most := 0
	for i := range c.Tables {
		kv := keyValueOf(&c.Tables[i])
		if kv == nil || !slices.Contains(kv.key.Sample, "email") {
			continue
		}
		n := 0
		for _, v := range kv.value.Sample {
			if _, err := owlatsync.NormalizeAddress(v); err == nil {
				n += 2
			}
		}
		if kv.area != nil { // the likelier of two with as many
			n++
		}
		if n > max(most, 1) {
			best, most = kv, n
		}
	}
	if best == nil {
		return nil
	}
	d := dialect{c.Dialect}
	query := fmt.Sprintf("SELECT %s AS id, %s AS email FROM %s WHERE %s = 'email'",
		d.Quote(best.subject.Name), d.Quote(best.value.Name), d.QuoteTable(best.table), d.Quote(best.key.Name))
	if best.area != nil {
		query += fmt.Sprintf(" AND %s = '…'", d.Quote(best.area.Name))
	}
	return &Scattered{best.table.Title(), query}
}

// fieldOf returns the column of a table that holds a single field of people, as Drupal makes them; nil if the table is none.
func fieldOf(t *inspect.Table) *inspect.Column {
	_, field, is := strings.Cut(t.Name, "__")
	if !is {
		return nil
	}
	return t.Column(field + "_value")
}

// naming finds the names.
type naming struct{ guess }

// names proposes columns for the names: of the table itself, or of tables that belong to it.
func (p naming) names() {
	first, last, full := nameColumns(p.Table)
	if full != nil && (first == nil) != (last == nil) { // beside a whole name, half a name that nobody has filled in
		if first != nil && unfilled(first) {
			first = nil
		}
		if last != nil && unfilled(last) {
			last = nil
		}
	}
	if full != nil && logins(full.Sample) {
		p.FieldNotes = append(p.FieldNotes, fmt.Sprintf("%s holds names to log in with, which are no first names.", full.Name))
		full = nil
	}
	if first != nil {
		p.Fields[owlatsync.FirstName] = p.column(first)
	}
	if last != nil {
		p.Fields[owlatsync.LastName] = p.column(last)
	}
	switch {
	case first != nil && last != nil:
	case p.Dialect.SQL() && p.linkedNames():
	case full != nil:
		p.whole(p.quote(p.Table, full), full, full.Name)
	case p.Dialect.SQL() && (p.linkedFullName() || p.memberNames()):
	case first == nil && last == nil:
		p.FieldNotes = append(p.FieldNotes, "No column of first or last names was found: names in Owlat are left as they are.")
		if p.Dialect.SQL() {
			p.FieldNotes = append(p.FieldNotes, "Where another table has them, join it in the query and map its columns here.")
		}
	}
	if at := slices.IndexFunc(p.Table.Columns, func(c inspect.Column) bool { return isLanguage(c.Name) }); at >= 0 {
		p.FieldNotes = append(p.FieldNotes, fmt.Sprintf("%s is left out: Owlat's API cannot set a contact's language.", p.Table.Columns[at].Name))
	}
}

// nameParts are the fields of names with the names of their columns.
var nameParts = []namePart{{owlatsync.FirstName, firstNames}, {owlatsync.LastName, lastNames}}

type namePart struct {
	field owlatsync.ContactField
	names []string
}

// keyIn returns the key that the name has among others, empty if there is none.
func (n namePart) keyIn(keys []string) (found string) {
	place := len(n.names)
	for _, key := range keys {
		if at := slices.Index(n.names, squash(tokens(key))); at >= 0 && at < place {
			found, place = key, at
		}
	}
	return found
}

// set maps an expression to a name that has no column yet.
func (p naming) set(f owlatsync.ContactField, sql, name string) {
	if p.Fields[f] == "" {
		p.Fields[f] = p.expression(sql, name)
	}
}

// linkedNames takes first and last names from another table, and returns false if none has them.
func (p naming) linkedNames() bool {
	found := false
	for _, l := range p.links {
		first, last, _ := nameColumns(l.table)
		field := fieldOf(l.table)
		kv := keyValueOf(l.table)
		switch {
		case kv != nil:
			for _, part := range nameParts {
				if key := part.keyIn(kv.key.Sample); key != "" {
					p.set(part.field, p.value(l, kv, key), part.field.Column())
					found = true
				}
			}
			if found {
				p.guessed(l, "the names are rows of a key and a value")
			}
		case field != nil && l.on != "":
			words := tokens(strings.TrimSuffix(field.Name, "_value"))
			name := squash(slices.DeleteFunc(words, func(w string) bool { return w == "field" }))
			for _, part := range nameParts {
				if slices.Contains(part.names, name) {
					p.set(part.field, p.look(l, field), part.field.Column())
					p.guessed(l, "it holds the "+part.field.Label())
					found = true
				}
			}
		case (first != nil || last != nil) && (l.one || nameScore(l.table) > 25):
			if first != nil {
				p.set(owlatsync.FirstName, p.look(l, first), "first_name")
			}
			if last != nil {
				p.set(owlatsync.LastName, p.look(l, last), "last_name")
			}
			p.guessed(l, "it holds the names")
			return true
		}
		if p.Fields[owlatsync.FirstName] != "" && p.Fields[owlatsync.LastName] != "" {
			break
		}
	}
	return found
}

// linkedFullName takes the whole name from another table with one row for a person.
func (p naming) linkedFullName() bool {
	for _, l := range p.links {
		_, _, full := nameColumns(l.table)
		if full == nil || !l.one || nameScore(l.table) <= 25 || logins(full.Sample) {
			continue
		}
		if len(nonEmpty(full.Sample)) == 0 && p.memberNames() {
			return true
		}
		p.whole(p.orMembers(p.look(l, full)), full, l.table.Title()+"."+full.Name)
		p.guessed(l, "it holds the names")
		return true
	}
	return false
}

// nameMembers returns the column of JSON whose objects have names, and in how many sampled rows.
func (p naming) nameMembers() (rows int, column *inspect.Column) {
	for i := range p.Table.Columns {
		c := &p.Table.Columns[i]
		if c.Kind != inspect.JSON {
			continue
		}
		n := 0
		for _, v := range c.Sample {
			if members := membersOf(v); members["first_name"] || members["given_name"] || members["firstName"] || members["full_name"] || members["name"] {
				n++
			}
		}
		if n > rows {
			rows, column = n, c
		}
	}
	return rows, column
}

// membersOf returns the keys of a JSON object that have a text.
func membersOf(text string) map[string]bool {
	var object map[string]any
	if json.Unmarshal([]byte(text), &object) != nil {
		return nil
	}
	found := make(map[string]bool)
	for key, v := range object {
		if s, ok := v.(string); ok && s != "" {
			found[key] = true
		}
	}
	return found
}

// orMembers returns an expression for a whole name where it is there, else for the names in an object in a column of JSON.
func (p naming) orMembers(full string) string {
	_, c := p.nameMembers()
	if c == nil || !slices.ContainsFunc(c.Sample, func(v string) bool { return membersOf(v)["first_name"] }) {
		return full
	}
	q := p.quote(p.Table, c)
	p.QueryNotes = append(p.QueryNotes, fmt.Sprintf("Guessed: other names stand in the objects of %s.", c.Name))
	return fmt.Sprintf("COALESCE(%s, %s)", full, p.sql().joined(p.sql().member(q, "first_name"), p.sql().member(q, "last_name")))
}

// memberNames takes the names from an object in a column of JSON.
func (p naming) memberNames() bool {
	_, c := p.nameMembers()
	if c == nil {
		return false
	}
	has := make(map[string]bool)
	for _, v := range c.Sample {
		for key := range membersOf(v) {
			has[key] = true
		}
	}
	q := p.quote(p.Table, c)
	pick := func(f owlatsync.ContactField, name string, keys ...string) bool {
		for _, key := range keys {
			if has[key] {
				p.set(f, p.sql().member(q, key), name)
				return true
			}
		}
		return false
	}
	first := pick(owlatsync.FirstName, "first_name", "first_name", "firstName", "given_name", "givenName")
	last := pick(owlatsync.LastName, "last_name", "last_name", "lastName", "family_name", "familyName")
	if !first && !last {
		for _, key := range []string{"full_name", "fullName", "name", "display_name"} {
			if has[key] {
				p.whole(p.sql().member(q, key), &inspect.Column{Name: key}, c.Name+"."+key)
				break
			}
		}
	}
	p.QueryNotes = append(p.QueryNotes, fmt.Sprintf("Guessed: the names stand in the objects of %s.", c.Name))
	return true
}

// whole maps a column with the whole name, written as q and told as name.
func (p naming) whole(q string, full *inspect.Column, name string) {
	if p.Fields != (owlatsync.Texts{}) {
		p.FieldNotes = append(p.FieldNotes, fmt.Sprintf("%s seems to hold first and last name together. Map it as fullName in place of the others if that is so.", name))
		return
	}
	if q == p.quote(p.Table, full) {
		login := loginColumn(p.Table)
		if p.Dialect == inspect.File || login == nil || !shares(full, login) {
			p.FullName = p.column(full)
			return
		}
		q = fmt.Sprintf("NULLIF(%s, %s)", q, p.quote(p.Table, login)) // who has given no name has that of the login
	}
	p.FullName = p.expression(q, "full_name")
}
