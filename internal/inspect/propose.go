package inspect

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"owlatsync"
)

// Item is one column of a proposed query.
type Item struct {
	SQL  string // an expression, or the quoted column
	Name string // its name in the mapping
}

// Topic is a proposed topic: the people whose column says yes.
type Topic struct {
	ID   string // empty: not known; a person must fill it in
	When string // name of the query's column; empty: everybody
	Note string // for a person; may be empty
}

// Proposal is a query with its mapping. It can be changed before it is written.
type Proposal struct {
	Dialect Dialect
	Table   *Table
	Sync    string

	Items []Item
	Where []Condition

	Key    []string
	Email  string
	Fields owlatsync.Texts // columns of the contact's other fields
	Topics []Topic

	// Cursor is a column by which runs could read only changed rows, empty if there is none. It is not in the query.
	Cursor string

	// The notes are remarks for the person, by subject.
	QueryNotes, KeyNotes, FieldNotes []string
}

// ErrNoAddresses means that a table has no column of addresses.
var ErrNoAddresses = errors.New("no column holds e-mail addresses")

// Propose returns a query and mapping for a table of the catalog. It fails with ErrNoAddresses if the table has no column of
// addresses.
func Propose(c *Catalog, t *Table) (*Proposal, error) {
	email, _ := emailColumn(t)
	if email == nil {
		return nil, ErrNoAddresses
	}
	p := &Proposal{Dialect: c.Dialect, Table: t, Sync: syncName(t.Name)}
	guess{p}.key(email)
	p.Email = p.column(email)
	guess{p}.names()
	guess{p}.filters(email)
	guess{p}.consents()
	guess{p}.cursor()
	return p, nil
}

// Query returns the proposed SQL, empty for a file.
func (p *Proposal) Query() string {
	if p.Dialect == File {
		return ""
	}
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, item := range p.Items {
		switch {
		case i > 0 && p.wide():
			b.WriteString(",\n       ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(item.SQL)
		if name := p.Dialect.quote(item.Name); name != item.SQL {
			b.WriteString(" AS " + name)
		}
	}
	b.WriteString("\nFROM " + p.Dialect.quoteTable(p.Table))
	for i, c := range p.Where {
		if i == 0 {
			b.WriteString("\nWHERE " + c.SQL)
		} else {
			b.WriteString("\n  AND " + c.SQL)
		}
	}
	return b.String()
}

// wide reports whether the select list is easier to read with one column per line.
func (p *Proposal) wide() bool {
	length := 0
	for _, item := range p.Items {
		length += len(item.SQL) + 2
	}
	return length > 90
}

// column adds a column of the table to the query once, and returns its name there.
func (p *Proposal) column(c *Column) string {
	sql := p.Dialect.quote(c.Name)
	if c.Kind == Binary || p.Dialect == SQLite && bytesIn(c) {
		sql = p.Dialect.hex(sql)
	}
	for _, item := range p.Items {
		if item.SQL == sql {
			return item.Name
		}
	}
	p.Items = append(p.Items, Item{SQL: sql, Name: c.Name})
	return c.Name
}

// bytesIn reports whether a column of SQLite, which can store any type, holds bytes that are not text.
func bytesIn(c *Column) bool {
	return slices.ContainsFunc(c.Sample, func(v string) bool { return v == string(bytesMark) })
}

// expression adds an expression to the query under a free name.
func (p *Proposal) expression(sql, name string) string {
	taken := func(name string) bool {
		return slices.ContainsFunc(p.Items, func(i Item) bool { return strings.EqualFold(i.Name, name) })
	}
	free := name
	for n := 2; taken(free); n++ {
		free = fmt.Sprintf("%s_%d", name, n)
	}
	p.Items = append(p.Items, Item{SQL: sql, Name: free})
	return free
}

// AddColumn adds a column of the table to the query, for a topic that a person asked for. It returns false if neither the query nor
// the table has it.
func (p *Proposal) AddColumn(name string) bool {
	if slices.ContainsFunc(p.Items, func(i Item) bool { return i.Name == name }) {
		return true
	}
	c := p.Table.Column(name)
	if c == nil {
		return false
	}
	p.column(c)
	return true
}

func (p guess) key(email *Column) {
	key := p.Table.Key
	if len(key) == 0 {
		key = guessKey(p.Table)
		if len(key) > 0 && p.Table.View {
			p.KeyNotes = append(p.KeyNotes, "A view has no primary key: make sure that this column differs from row to row and stays the same for a person.")
		}
	}
	if slices.Contains(key, email.Name) && len(key) == 1 {
		key = nil
	}
	for _, name := range key {
		if c := p.Table.Column(name); c == nil || c.Kind == Other {
			key = nil // a type that is not text, such as an array
			break
		}
	}
	for _, name := range key {
		p.Key = append(p.Key, p.column(p.Table.Column(name)))
	}
	if len(key) == 0 {
		p.KeyNotes = append(p.KeyNotes,
			"No primary key was found, so the address is the key: a person whose address changes is a new contact.",
			"If a column names a person for good, name it:  key: id")
	}
}

// guessKey looks for a column that identifies a row if there is no primary key.
func guessKey(t *Table) []string {
	var named []string
	for _, c := range t.Columns {
		words := tokens(c.Name)
		isID := hasAny([]string{squash(without(words, personTables))}, "id", "uuid", "guid", "uid", "pk", "number", "no", "nr")
		if isID && distinct(c.Sample) && c.Nulls == 0 {
			if c.Unique && !c.Nullable {
				return []string{c.Name}
			}
			named = append(named, c.Name)
		}
	}
	if len(named) == 0 {
		return nil
	}
	return named[:1]
}

func distinct(sample []string) bool {
	sorted := slices.Sorted(slices.Values(sample))
	return len(slices.Compact(sorted)) == len(sample)
}

func (p guess) names() {
	first, last, full := nameColumns(p.Table)
	if first != nil {
		p.Fields[owlatsync.FirstName] = p.column(first)
	}
	if last != nil {
		p.Fields[owlatsync.LastName] = p.column(last)
	}
	switch {
	case first != nil && last != nil:
		return
	case full == nil:
		if first == nil && last == nil {
			p.FieldNotes = append(p.FieldNotes, "No column of first or last names was found: names in Owlat are left as they are.")
			if p.Dialect != File {
				p.FieldNotes = append(p.FieldNotes, "Where another table has them, join it in the query and map its columns here.")
			}
		}
		return
	case p.Dialect == File:
		p.FieldNotes = append(p.FieldNotes,
			fmt.Sprintf("The column %q seems to hold first and last name together. A file has no query that could split it:", full.Name),
			"write the file with two columns, or load it into a database first.")
		return
	}
	comma := 0
	for _, v := range full.Sample {
		if strings.Contains(v, ",") {
			comma++
		}
	}
	isComma := len(full.Sample) > 0 && comma*2 > len(full.Sample)
	firstSQL, lastSQL := p.Dialect.splitName(p.Dialect.quote(full.Name), isComma)
	if first == nil {
		p.Fields[owlatsync.FirstName] = p.expression(firstSQL, "first_name")
	}
	if last == nil {
		p.Fields[owlatsync.LastName] = p.expression(lastSQL, "last_name")
	}
	how := "the first word is the first name, the rest the last name"
	if isComma {
		how = "what stands before the comma is the last name"
	}
	p.QueryNotes = append(p.QueryNotes, fmt.Sprintf("%s holds first and last name together, the query splits it: %s.", full.Name, how))
}

func (p guess) filters(email *Column) {
	conditions := filters(p.Dialect, p.Table)
	if p.Dialect == File {
		for _, c := range conditions {
			p.QueryNotes = append(p.QueryNotes, fmt.Sprintf("A file has no query. Mind the column %q: without a filter every row counts, whatever it says.", c.Column))
		}
		return
	}
	q := p.Dialect.quote(email.Name)
	empty := slices.Contains(email.Sample, "")
	switch {
	case email.Nulls > 0 && empty:
		p.Where = append(p.Where, Condition{email.Name, q + " <> ''", "rows without an address are left out"})
	case email.Nulls > 0:
		p.Where = append(p.Where, Condition{email.Name, q + " IS NOT NULL", "rows without an address are left out"})
	case empty:
		p.Where = append(p.Where, Condition{email.Name, q + " <> ''", "rows without an address are left out"})
	}
	p.Where = append(p.Where, conditions...)
}

// consents proposes a topic for every column that says who wants mail.
func (p guess) consents() {
	refusals := refusalColumns(p.Table)
	agreed := consentColumns(p.Table)
	if p.Dialect == File {
		for _, c := range agreed {
			if c.word == "" && formOf(c.Column) == truth {
				p.Topics = append(p.Topics, Topic{When: p.column(c.Column)})
			}
		}
		return
	}
	var not []string
	for _, c := range refusals {
		not = append(not, p.Dialect.no(c))
	}
	for _, c := range agreed {
		p.Topics = append(p.Topics, p.consent(c, not))
	}
	if len(agreed) == 0 && len(refusals) > 0 {
		p.Topics = append(p.Topics, Topic{
			When: p.expression(p.Dialect.truthOf(not), "subscribed"),
			Note: fmt.Sprintf("%s only says who does not want mail. Use it where everybody else has agreed.", refusals[0].Name),
		})
	}
}

func (p guess) consent(c consentColumn, not []string) Topic {
	if c.word == "" && formOf(c.Column) == truth && len(not) == 0 {
		return Topic{When: p.column(c.Column)}
	}
	yes := p.Dialect.quote(c.Name) + " = " + literal(c.word)
	if c.word == "" {
		yes = p.Dialect.yes(c.Column)
	}
	topic := Topic{}
	if len(not) > 0 {
		topic.Note = "Those who have opted out are taken for a no."
	}
	words := slices.DeleteFunc(tokens(c.Name), func(w string) bool { return hasAny([]string{w}, datedWords...) })
	topic.When = p.expression(p.Dialect.truthOf(append([]string{yes}, not...)), strings.Join(append(words, "consent"), "_"))
	return topic
}

// truthOf joins conditions to an expression of the select list, where NULL counts as no too.
func (d Dialect) truthOf(conditions []string) string {
	return "(" + strings.Join(conditions, " AND ") + ")"
}

// syncName turns a table's name into a valid name of a sync.
func syncName(table string) string {
	words := tokens(table)
	for i, w := range words {
		words[i] = strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, w)
	}
	name := strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), "_")
	if name == "" {
		return "people"
	}
	return name
}
