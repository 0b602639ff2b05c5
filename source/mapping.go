package source

import (
	"errors"
	"fmt"
	"slices"

	"owlatsync"
	"owlatsync/source/internal/cell"
	"owlatsync/source/internal/refine"
)

// Mapping says which columns of a source make up a row. Column names match exactly, including letter case.
type Mapping struct {
	// Key names the columns that identify a row. If it is empty, the address identifies the row and [owlatsync.Row.Key] stays
	// empty.
	Key []string

	// Email names the column of the address and is required. Fields names the columns of the contact's other fields, such as
	// Fields[owlatsync.FirstName]; an empty name leaves its field unmapped.
	Email  string
	Fields owlatsync.Texts
	// FullName names a column with the whole name, of which [owlatsync.SplitName] makes the first and the last name.
	FullName string
	// Shapes say what is made of the values of these columns; the zero value leaves them as they are.
	Shapes Shapes

	// Topics names, for each topic of the sync, the column with the row's consent: a boolean or a bit, one of the numbers 0 and 1,
	// or one of the texts t, f, true, false, y, n, yes, no, on, off, 1 and 0 in any letter case, with or without blanks around.
	// NULL and the empty text are no. Anything else is [owlatsync.Unclear]; a JSON object or array also makes the row a defect. An empty column name means yes in every row.
	Topics []string
	// Words lists, for each topic of the sync, other values of its column that mean yes and no. It may be shorter than Topics.
	Words []Words

	// Suppressed names the column that says whether no mail may ever go to the person, as those of Topics say yes and no; empty: nobody is
	// meant. What is neither makes the row a defect.
	Suppressed      string
	SuppressedWords Words

	// Properties are the event properties. They keep the source's types: text, number, boolean or NULL. Numbers keep all their
	// digits. Dates are texts such as 2006-01-02, times are texts in RFC 3339 in UTC.
	Properties []Property
}

// Words are the values of a consent column that mean yes and no: texts in any letter case, with or without blanks around, and
// numbers. A list that is not empty takes the place of the usual values with its meaning. NULL and blank texts always mean no.
type Words struct{ Yes, No []string }

// Validate returns an error for words that contradict each other or are blank. The errors are texts for people.
func (w Words) Validate() error {
	_, err := cell.NewWords(w.Yes, w.No)
	return err
}

// Shapes say what is made of the values of columns, and Shape what of those of one. Databases take none for the address, because rows
// are found there by it.
type (
	Shapes = refine.Shapes
	Shape  = refine.Shape
)

// Property is an event property and the column it comes from.
type Property struct {
	Name   string
	Column string
}

// Validate returns an error for a mapping that is wrong in itself: without an address, with a key column that has no name or is
// named twice, with a full name beside other names, with a shape that contradicts itself or belongs to no column, with words of a consent that contradict each other, are blank or belong to no column, or with an event property
// that has no name, no column or is mapped twice. The errors are texts for people.
func (m Mapping) Validate() error {
	if m.Email == "" {
		return errors.New("no column is mapped to the email address")
	}
	if m.FullName != "" && (m.Fields != owlatsync.Texts{} || slices.ContainsFunc(m.Shapes.Fields[:], func(s Shape) bool { return s.Value != "" })) {
		return errors.New("the full name makes both names; map no other column to them")
	}
	if err := m.Shapes.Validate(m.Email, m.FullName, m.Fields); err != nil {
		return err
	}
	for i, column := range m.Key {
		if column == "" {
			return errors.New("a key column has no name")
		}
		if slices.Contains(m.Key[:i], column) {
			return fmt.Errorf("the key names column %q twice", column)
		}
	}
	for i, w := range m.Words {
		switch err := w.Validate(); {
		case err != nil:
			return fmt.Errorf("the words of a consent: %w", err)
		case len(w.Yes)+len(w.No) > 0 && (i >= len(m.Topics) || m.Topics[i] == ""):
			return errors.New("the words of a consent belong to no column")
		}
	}
	switch w := m.SuppressedWords; {
	case w.Validate() != nil:
		return fmt.Errorf("the words of who is never mailed: %w", w.Validate())
	case len(w.Yes)+len(w.No) > 0 && m.Suppressed == "":
		return errors.New("the words of who is never mailed belong to no column")
	}
	for i, p := range m.Properties {
		switch {
		case p.Name == "":
			return fmt.Errorf("the event property from column %q has no name", p.Column)
		case p.Column == "":
			return fmt.Errorf("the event property %q has no column", p.Name)
		case slices.ContainsFunc(m.Properties[:i], func(other Property) bool { return other.Name == p.Name }):
			return fmt.Errorf("the event property %q is mapped twice", p.Name)
		}
	}
	return nil
}

// clone returns a mapping that shares nothing with m, so that the caller cannot change a table through it.
func (m Mapping) clone() Mapping {
	m.Key = slices.Clone(m.Key)
	m.Topics = slices.Clone(m.Topics)
	m.Words = slices.Clone(m.Words)
	m.SuppressedWords = Words{slices.Clone(m.SuppressedWords.Yes), slices.Clone(m.SuppressedWords.No)}
	m.Properties = slices.Clone(m.Properties)
	return m
}
