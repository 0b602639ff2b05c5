package propose

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/internal/inspect"
)

// Item is one column of a proposed query.
type Item struct {
	SQL  string // an expression, or the quoted column
	Name string // its name in the mapping
}

// Topic is a proposed topic: the people whose column says yes.
type Topic struct {
	ID   string // empty: not known; a person must fill it in
	Name string // by which it is written, with the id beside it; empty: it is written by its id
	// Called is the name of a topic that is written by its id; empty: not known.
	Called string
	When   string // name of the query's column; empty: everybody
	Note   string // for a person; may be empty

	Yes, No []string // the values of the column that mean yes and no; none: the usual words
}

// Proposal is a query with its mapping. It can be changed before it is written.
type Proposal struct {
	Dialect inspect.Dialect
	Table   *inspect.Table
	Sync    string

	Items []Item
	Where []Condition

	Key      []string
	Email    string
	Fields   owlatsync.Texts // columns of the contact's other fields
	FullName string          // of a file: the column of the whole name; empty: none
	Topics   []Topic

	// Cursor is a column by which runs could read only changed rows, empty if there is none. It is not in the query.
	Cursor string

	// The notes are remarks for the person, by subject.
	QueryNotes, KeyNotes, FieldNotes []string

	alias   string // of the table; empty: the query has no other
	joins   []join
	reaches bool   // the query looks at other tables
	email   string // the address as the query has it
}

// ErrNoAddresses means that a table has no column of addresses.
var ErrNoAddresses = errors.New("no column holds e-mail addresses")

// Propose returns a query and mapping for a table of the catalog. It fails with ErrNoAddresses if neither the table nor one that belongs to it
// has a column of addresses.
func Propose(c *inspect.Catalog, t *inspect.Table) (*Proposal, error) {
	g := guess{}
	for _, candidate := range Rank(c) {
		if candidate.Table == t {
			g.address = candidate.address
		} else {
			g.others = append(g.others, candidate)
		}
	}
	from := t
	if g.address.table != nil {
		from = g.address.table
	}
	email, _ := emailColumn(from)
	if email == nil {
		return nil, ErrNoAddresses
	}
	if !c.Dialect.SQL() {
		return g.propose(c, t, from, email), nil
	}
	g.links, g.several = useful(links(c, t)), true
	p := g.propose(c, t, from, email)
	if !p.reaches { // the query needs no other table, so its columns need no prefix
		g.several = false
		p = g.propose(c, t, from, email)
	}
	return p, nil
}

func (p guess) propose(c *inspect.Catalog, t, from *inspect.Table, email *inspect.Column) *Proposal {
	p.Proposal = &Proposal{Dialect: c.Dialect, Table: t, Sync: syncName(t.Name)}
	if p.several {
		p.alias = p.freeAlias(t)
	} else {
		p.links = nil
	}
	p.key(email)
	if from != t {
		p.elsewhere(from)
	}
	p.email = p.quote(from, email)
	p.Email = p.columnOf(from, email)
	naming{p}.names()
	p.filters(from, email)
	consenting{p}.consents()
	p.cursor()
	if schemas := Namesakes(c, t); len(schemas) > 0 {
		p.QueryNotes = append(p.QueryNotes, fmt.Sprintf("Other schemas have a table of this name, such as %s (%d in all): each needs a sync of its own.",
			schemas[0], len(schemas)))
	}
	return p.Proposal
}

// elsewhere joins the table of the addresses.
func (p guess) elsewhere(from *inspect.Table) {
	p.joined(p.address, false)
	how := "its addresses stand in a table of their own"
	if c := primaryFlag(from); c != nil {
		j := &p.joins[len(p.joins)-1]
		j.on += " AND " + p.sql().yes(p.quote(from, c), c)
		how += ", and the " + c.Name + " one counts"
	}
	p.guessed(p.address, how)
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
	guess{Proposal: p}.column(c)
	return true
}

func (p guess) filters(from *inspect.Table, email *inspect.Column) {
	if p.Dialect == inspect.Mongo {
		p.Where = mongoFilters(p.Table, email)
		p.outsiders(from)
		p.realms()
		return
	}
	conditions := filters(p.sql(), p.Table, func(c *inspect.Column) string { return p.quote(p.Table, c) })
	if p.Dialect == inspect.File {
		for _, c := range conditions {
			p.QueryNotes = append(p.QueryNotes, fmt.Sprintf("A file has no query. Mind the column %q: without a filter every row counts, whatever it says.", c.Column))
		}
		return
	}
	if from != p.Table {
		conditions = slices.Concat(conditions, addressFilters(p.sql(), from, func(c *inspect.Column) string { return p.quote(from, c) }))
	}
	for _, j := range p.joins {
		if j.left && j.table != from {
			conditions = append(conditions, joinedFilters(p.sql(), j.table, func(c *inspect.Column) string { return p.quote(j.table, c) })...)
		}
	}
	q := p.email
	empty := slices.Contains(email.Sample, "")
	switch {
	case email.Nulls > 0 && !empty:
		p.Where = append(p.Where, Condition{email.Name, q + " IS NOT NULL", "rows without an address are left out"})
	case empty:
		p.Where = append(p.Where, Condition{email.Name, q + " <> ''", "rows without an address are left out"})
	}
	if len(p.Key) == 1 {
		if c := p.Table.Column(p.Key[0]); c != nil && c.Kind == inspect.Number && slices.ContainsFunc(c.Sample, func(v string) bool { return strings.HasPrefix(v, "-") }) {
			p.Where = append(p.Where, Condition{c.Name, p.quote(p.Table, c) + " > 0", "rows with a negative " + c.Name + " belong to the system"})
		}
	}
	p.Where = append(p.Where, conditions...)
	p.outsiders(from)
	p.realms()
}

// realms notes a column that says to which of several tenants a row belongs, and a status whose numbers nobody can guess.
func (p *Proposal) realms() {
	for _, c := range p.Table.Columns {
		words := tokens(c.Name)
		if c.Kind == inspect.Number && slices.Contains(statusNames, squash(words)) && len(c.Sample) > 0 && !numeric(c.Sample) {
			p.QueryNotes = append(p.QueryNotes, fmt.Sprintf("%s holds numbers: if some of them mean accounts that are not active, add a condition.", c.Name))
		}
		if !hasAny(words, "realm", "tenant", "organization", "organisation", "workspace", "site", "store", "shop", "website", "instance") || len(c.Sample) < 2 {
			continue
		}
		if values := slices.Compact(slices.Sorted(slices.Values(c.Sample))); len(values) > 1 && len(values) <= 20 {
			p.QueryNotes = append(p.QueryNotes, fmt.Sprintf("%s has several values: add a condition unless the people of all of them are meant.", c.Name))
		}
	}
}

// outsiders notes that people who came by another service may have no time of confirmation.
func (p guess) outsiders(from *inspect.Table) {
	c := flagColumn(from, verifiedNames, false)
	if c == nil || formOf(c) != moment || c.Nulls == 0 || len(c.Sample) == 0 {
		return
	}
	p.QueryNotes = append(p.QueryNotes, fmt.Sprintf("Somebody who signs in by another service (OAuth) may have no %s: take the condition out if their addresses count.", c.Name))
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

// Choose gives the topic for the people whose column says yes, empty for all: in place of one that is not known yet, or as one more.
func (p *Proposal) Choose(column string, t Topic) {
	at := slices.IndexFunc(p.Topics, func(own Topic) bool { return own.When == column && own.ID == "" })
	if at < 0 {
		t.When = column
		p.Topics = append(p.Topics, t)
		return
	}
	own := &p.Topics[at]
	own.ID, own.Name, own.Called = t.ID, t.Name, t.Called
}
