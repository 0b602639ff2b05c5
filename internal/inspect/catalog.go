package inspect

import (
	"strings"
)

// Dialect is the SQL dialect of a proposal.
type Dialect uint8

const (
	// File means a CSV or NDJSON file: there is no query, and columns are used as they are.
	File Dialect = iota
	Postgres
	MySQL // also MariaDB
	SQLite
	Mongo // there is no query but a filter, and columns are used as they are
)

// SQL reports whether a query chooses and makes the columns.
func (d Dialect) SQL() bool { return d != File && d != Mongo }

// Kind is what a column can hold, as far as guessing needs it.
type Kind uint8

const (
	Other  Kind = iota // a type of no use here, such as an array
	Text               // text of any length, enumerations too
	Number             // integers and decimals
	Bool               // a type that the database itself calls boolean, or MySQL's tinyint(1) and bit(1)
	Time               // dates and timestamps
	UUID               // a native uuid
	Binary             // bytes; can be mapped only when the query turns them into text
	JSON               // an object of any form
	Any                // no declared type: the sample decides
)

// Column is one column of a table, with what a sample of rows says about it.
type Column struct {
	Name     string
	Type     string // as the database writes it
	Kind     Kind
	Nullable bool
	Unique   bool // by itself, through an index or a constraint
	Indexed  bool // an index of all rows begins with it

	// Sample has the values of the sampled rows as text, without NULLs. Nulls counts the NULLs.
	Sample []string
	Nulls  int
}

// Table is a table, a view or a file.
type Table struct {
	Schema  string // empty if the name needs none
	Name    string
	View    bool
	Columns []Column
	Key     []string // columns of the primary key, in its order
	Refs    []Ref    // foreign keys of one column each

	// Sampled says that Columns have samples. Rows is then the number of rows, counted up to RowsCounted.
	Sampled bool
	Rows    int
}

// Ref is a foreign key: the column has the values of a column of another table.
type Ref struct {
	Column   string
	Schema   string // of the other table; empty if its name needs none
	Table    string
	ToColumn string // empty: the primary key
}

// RowsCounted is the number at which counting the rows of a table stops.
const RowsCounted = 10_000

// Catalog is the tables to choose from.
type Catalog struct {
	Dialect Dialect
	Tables  []Table
}

// Title returns the table's name as a person would write it, with its schema if it needs one.
func (t *Table) Title() string {
	if t.Schema == "" {
		return t.Name
	}
	return t.Schema + "." + t.Name
}

// Column returns the column of that name, nil if there is none.
func (t *Table) Column(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// Find returns the table that a person means by title, with or without its schema. It ignores letter case unless that is ambiguous.
// It returns nil if none or several match.
func (c *Catalog) Find(title string) *Table {
	var exact, loose []*Table
	for i := range c.Tables {
		t := &c.Tables[i]
		switch {
		case t.Title() == title:
			return t
		case t.Name == title:
			exact = append(exact, t)
		case strings.EqualFold(t.Title(), title) || strings.EqualFold(t.Name, title):
			loose = append(loose, t)
		}
	}
	for _, found := range [][]*Table{exact, loose} {
		if len(found) == 1 {
			return found[0]
		}
		if len(found) > 1 {
			return nil
		}
	}
	return nil
}

// usable reports whether a name can be used in a query and a configuration file.
func usable(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7F || r == 0xFFFD })
}
