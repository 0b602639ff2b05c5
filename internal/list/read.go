package list

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/initialise"
	"owlatsync/internal/problem"
	"owlatsync/internal/propose"
	"owlatsync/internal/setup"
	"owlatsync/internal/sourcedsn"
	"owlatsync/source"
)

// Stdin is the name of standard input.
const Stdin = "-"

// Columns says which columns of a file count. Empty names are guessed, as "init" does it.
type Columns struct {
	Contact string // with an address or a contact id
	// Fields has the columns of the names, and FullName in their place that of the whole name. If one is named, none is guessed.
	Fields   owlatsync.Texts
	FullName string
}

// Entry is a line that names somebody.
type Entry struct {
	Place   owlatsync.Position
	Contact string                              // an address as Owlat keeps it, or a contact id
	Fields  [owlatsync.NumContactFields]*string // what the line says of the contact; nil: nothing
}

// Refused is a line for which nothing can be sent.
type Refused struct {
	Place  owlatsync.Position
	Reason string // without the text of the line
}

// List is a list that was read to its end.
type List struct {
	Entries  []Entry
	Refused  []Refused
	Repeated int     // lines that say what an earlier one says
	Columns  Columns // that count; none in a file with one contact a line
}

// Ask says what is wanted of a list.
type Ask struct {
	From    string // a file, or Stdin, which is the opener's
	Columns Columns
	Names   bool // the names are sent too, and a contact id names nobody
}

// Read reads a list: a file with a header that package source reads, or a text with one address or contact id a line. It reads
// everything before anything is sent, so that a broken file has no effect. Its errors are those of the source, and of usage if the
// list has no such column.
func Read(ctx context.Context, o setup.Opener, a Ask) (*List, error) {
	path := a.From
	if path == Stdin {
		path = "csv:" + Stdin
	}
	l, err := read(ctx, o, path, a)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", Name(a.From), err)
	}
	return l, nil
}

// OnStdin reports whether the list comes from standard input.
func OnStdin(from string) bool {
	dsn, err := sourcedsn.Parse(from, ".")
	return from == Stdin || err == nil && dsn.Path() == sourcedsn.Stdin
}

// Name returns what a list is called in messages, without what may be a secret.
func Name(from string) string {
	dsn, err := sourcedsn.Parse(from, ".")
	switch {
	case OnStdin(from):
		return "standard input"
	case err == nil && dsn.Path() == "":
		return dsn.String()
	case strings.Contains(from, "://"):
		return "the list"
	}
	return from
}

func read(ctx context.Context, o setup.Opener, path string, a Ask) (*List, error) {
	c := collector{List: new(List), ask: a, first: make(map[string]int)}
	dsn, err := sourcedsn.Parse(path, ".")
	if errors.Is(err, sourcedsn.ErrUnknownScheme) && filepath.Ext(path) == ".txt" {
		path = "csv:" + path
		dsn, err = sourcedsn.Parse(path, ".")
	}
	switch {
	case err != nil:
		return nil, problem.Usage(err)
	case !dsn.IsFile():
		return nil, problem.Usage(errors.New("a list is a file; what a database has, a sync keeps in step"))
	}
	if dsn.Kind() == sourcedsn.KindCSV {
		if bare, err := c.bare(o.File(dsn)); bare || err != nil {
			return c.List, err
		}
		if dsn, _, err = initialise.Complete(o, dsn, path); err != nil {
			return nil, err
		}
	}
	if err := c.columns(ctx, o, dsn); err != nil {
		return nil, err
	}
	return c.List, c.rows(ctx, o, dsn)
}

// collector takes in the lines of a list.
type collector struct {
	*List
	ask   Ask
	first map[string]int // entries by their contact
}

// longestLine is the most bytes of a line with one contact.
const longestLine = 64 << 10

// bare reads a file whose first line is an address or a contact id and nothing else: it has no header. It returns false, having read
// nothing, if the file is another one.
func (c *collector) bare(open source.Opener) (bool, error) {
	f, err := open()
	if err != nil {
		return false, err
	}
	defer f.Close()
	in := bufio.NewReader(f)
	if mark, _ := in.Peek(3); bytes.Equal(mark, []byte("\ufeff")) {
		_, _ = in.Discard(3) // Peek has read them
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, longestLine)
	begun := false
	for n := 1; lines.Scan(); n++ {
		text := owlatsync.Trim(lines.Text())
		if text == "" {
			continue
		}
		if !begun && !names(text) {
			return false, nil
		}
		begun = true
		c.take(owlatsync.Position{Unit: "line", Number: n}, text, [owlatsync.NumContactFields]*string{})
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) && !begun {
		return false, nil
	}
	return begun, lines.Err()
}

// names reports whether the text alone names a contact.
func names(text string) bool {
	_, err := owlatsync.NormalizeAddress(text)
	return err == nil || isID(text)
}

// shortestID is the least length of a text without "@" that is taken for a contact id and for no word.
const shortestID = 20

func isID(text string) bool {
	return len(text) >= shortestID && config.ValidTopicID(text) && strings.ContainsAny(text, "0123456789")
}

// columns finds out which columns count.
func (c *collector) columns(ctx context.Context, o setup.Opener, dsn sourcedsn.DSN) error {
	c.Columns = c.ask.Columns
	guessNames := c.ask.Names && c.Columns.Fields == owlatsync.Texts{} && c.Columns.FullName == ""
	if c.Columns.Contact != "" && !guessNames {
		return nil
	}
	catalog, err := initialise.ReadCatalog(ctx, o, dsn)
	if err != nil {
		return err
	}
	p, err := propose.Propose(catalog, &catalog.Tables[0])
	switch {
	case err == nil:
	case c.Columns.Contact != "":
		return nil // it may hold contact ids; there are no names to be found
	default:
		return problem.Usage(problem.Hint(err, "--column names the one with the addresses"))
	}
	if c.Columns.Contact == "" {
		c.Columns.Contact = p.Email
	}
	if guessNames {
		c.Columns.Fields, c.Columns.FullName = p.Fields, p.FullName
	}
	return nil
}

// rows reads the rows of a file with a header.
func (c *collector) rows(ctx context.Context, o setup.Opener, dsn sourcedsn.DSN) (err error) {
	src, closeSource, err := o.Source(config.Sync{Target: dsn, Fields: config.Fields{
		Email: c.Columns.Contact, Others: c.Columns.Fields, FullName: c.Columns.FullName,
	}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSource()) }()
	for row, err := range src.Rows(ctx) {
		if err != nil {
			return err
		}
		if row.Defect != "" {
			c.refuse(row.Position, row.Defect)
			continue
		}
		c.take(row.Position, row.Email.Value, fieldsOf(row))
	}
	return nil
}

// fieldsOf returns the fields that the row has; an empty one says nothing.
func fieldsOf(row *owlatsync.Row) (fields [owlatsync.NumContactFields]*string) {
	for _, f := range owlatsync.ContactFields {
		if text := owlatsync.Trim(row.Fields[f].Value); row.Fields[f].State == owlatsync.Set && text != "" {
			fields[f] = &text
		}
	}
	return fields
}

func (c *collector) refuse(place owlatsync.Position, reason string) {
	c.Refused = append(c.Refused, Refused{place, reason})
}

// take takes in what a line says. Of several lines about one contact the first counts.
func (c *collector) take(place owlatsync.Position, text string, fields [owlatsync.NumContactFields]*string) {
	contact := owlatsync.Trim(text)
	switch address, err := owlatsync.NormalizeAddress(contact); {
	case err == nil:
		contact = address
	case c.ask.Names || strings.Contains(contact, "@") || !config.ValidTopicID(contact):
		c.refuse(place, err.Error())
		return
	}
	for _, f := range owlatsync.ContactFields {
		if fields[f] != nil && owlatsync.UTF16Len(*fields[f]) > owlatsync.MaxName {
			c.refuse(place, fmt.Sprintf("the %s is longer than Owlat's %d characters", f.Label(), owlatsync.MaxName))
			return
		}
	}
	if at, again := c.first[contact]; again {
		if first := c.Entries[at]; sameFields(first.Fields, fields) {
			c.Repeated++
		} else {
			c.refuse(place, fmt.Sprintf("%s has the same address and counts", first.Place))
		}
		return
	}
	c.first[contact] = len(c.Entries)
	c.Entries = append(c.Entries, Entry{Place: place, Contact: strings.Clone(contact), Fields: fields})
}

func sameFields(a, b [owlatsync.NumContactFields]*string) bool {
	for i := range a {
		if (a[i] == nil) != (b[i] == nil) || a[i] != nil && *a[i] != *b[i] {
			return false
		}
	}
	return true
}
