package propose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"owlatsync/internal/inspect"
)

// join is another table of the query.
type join struct {
	table *inspect.Table
	alias string
	on    string // the condition
	left  bool   // people without a row in it stay
}

// Query returns the proposed SQL, empty for a file and for MongoDB.
func (p *Proposal) Query() string {
	if !p.Dialect.SQL() {
		return ""
	}
	d := dialect{p.Dialect}
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
		if name := d.Quote(item.Name); name != item.SQL && !strings.HasSuffix(item.SQL, "."+name) {
			b.WriteString(" AS " + name)
		}
	}
	b.WriteString("\nFROM " + d.QuoteTable(p.Table))
	if p.alias != "" {
		b.WriteString(" " + p.alias)
	}
	for _, j := range p.joins {
		if b.WriteString("\n"); j.left {
			b.WriteString("LEFT ")
		}
		fmt.Fprintf(&b, "JOIN %s %s ON %s", d.QuoteTable(j.table), j.alias, j.on)
	}
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

// guess finds what a table's columns stand for.
type guess struct {
	*Proposal
	links   []link      // of the table
	others  []Candidate // other tables with addresses
	address link        // where the addresses are; the zero value: in the table itself
	several bool        // the query may have other tables
}

func (p guess) sql() dialect { return dialect{p.Dialect} }

// freeAlias returns a short name for a table that no other has.
func (p guess) freeAlias(t *inspect.Table) string {
	words := tokens(t.Name)
	letter := "t"
	if word := cmp.Or(personWord(t), words[len(words)-1]); word[0] >= 'a' && word[0] <= 'z' && word[0] != 'x' { // x is that of what EXISTS looks at
		letter = word[:1]
	}
	taken := func(alias string) bool {
		return alias == p.alias || slices.ContainsFunc(p.joins, func(j join) bool { return j.alias == alias })
	}
	alias := letter
	for n := 2; taken(alias); n++ {
		alias = fmt.Sprint(letter, n)
	}
	return alias
}

// quote writes a column of the table, or of a joined one.
func (p guess) quote(t *inspect.Table, c *inspect.Column) string {
	q := p.sql().Quote(c.Name)
	if t == p.Table && p.alias != "" {
		return p.alias + "." + q
	}
	for _, j := range p.joins {
		if j.table == t {
			return j.alias + "." + q
		}
	}
	return q
}

// inner writes a column of the table that a condition looks at.
func (p guess) inner(c *inspect.Column) string { return "x." + p.sql().Quote(c.Name) }

// joined adds a table to the query, once.
func (p guess) joined(l link, left bool) {
	if slices.ContainsFunc(p.joins, func(j join) bool { return j.table == l.table }) {
		return
	}
	d, alias := p.sql(), p.freeAlias(l.table)
	p.reaches = true
	p.joins = append(p.joins, join{l.table, alias, fmt.Sprintf("%s.%s = %s.%s", alias, d.Quote(l.on), p.alias, d.Quote(l.to)), left})
}

// look returns an expression for a column of a table that belongs to the people.
func (p guess) look(l link, c *inspect.Column) string {
	d := p.sql()
	if l.one {
		p.joined(l, true)
		return p.quote(l.table, c)
	}
	p.reaches = true
	return fmt.Sprintf("(SELECT MAX(%s) FROM %s x WHERE x.%s = %s.%s)", p.inner(c), d.QuoteTable(l.table), d.Quote(l.on), p.alias, d.Quote(l.to))
}

// value returns an expression for the value of a key.
func (p guess) value(l link, kv *keyValue, key string) string {
	d := p.sql()
	p.reaches = true
	return fmt.Sprintf("(SELECT NULLIF(MAX(%s), '') FROM %s x WHERE x.%s = %s.%s AND %s = %s)",
		p.inner(kv.value), d.QuoteTable(l.table), d.Quote(l.on), p.alias, d.Quote(l.to), p.inner(kv.key), literal(key))
}

// exists returns the condition that a table has a row for the person, which fulfils more.
func (p guess) exists(l link, more string) string {
	d := p.sql()
	p.reaches = true
	return fmt.Sprintf("EXISTS (SELECT 1 FROM %s x WHERE x.%s = %s.%s%s)", d.QuoteTable(l.table), d.Quote(l.on), p.alias, d.Quote(l.to), more)
}

// guessed notes why another table is in the query.
func (p guess) guessed(l link, why string) {
	how := "a foreign key leads to it"
	if !l.sure {
		how = fmt.Sprintf("the name of %s does, no foreign key", l.on)
	}
	note := fmt.Sprintf("Guessed: %s belongs to %s (%s): %s.", l.table.Title(), p.Table.Title(), how, why)
	if !slices.Contains(p.QueryNotes, note) {
		p.QueryNotes = append(p.QueryNotes, note)
	}
}

// column adds a column of the table to the query once, and returns its name there.
func (p guess) column(c *inspect.Column) string { return p.columnOf(p.Table, c) }

func (p guess) columnOf(t *inspect.Table, c *inspect.Column) string {
	sql := p.quote(t, c)
	if c.Kind == inspect.Binary || p.Dialect == inspect.SQLite && bytesIn(c) {
		sql = p.sql().hex(sql)
	}
	for _, item := range p.Items {
		if item.SQL == sql {
			return item.Name
		}
	}
	if taken(p.Proposal, c.Name) {
		return p.expression(sql, c.Name)
	}
	p.Items = append(p.Items, Item{SQL: sql, Name: c.Name})
	return c.Name
}

// bytesIn reports whether a column of SQLite, which can store any type, holds bytes that are not text.
func bytesIn(c *inspect.Column) bool {
	return slices.ContainsFunc(c.Sample, func(v string) bool { return v == string(inspect.BytesMark) })
}

func taken(p *Proposal, name string) bool {
	return slices.ContainsFunc(p.Items, func(i Item) bool { return strings.EqualFold(i.Name, name) })
}

// expression adds an expression to the query under a free name.
func (p guess) expression(sql, name string) string {
	free := name
	for n := 2; taken(p.Proposal, free); n++ {
		free = fmt.Sprintf("%s_%d", name, n)
	}
	p.Items = append(p.Items, Item{SQL: sql, Name: free})
	return free
}
