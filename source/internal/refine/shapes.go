package refine

import (
	"errors"
	"fmt"

	"owlatsync"
)

// Shapes has a shape for the address, for each of the contact's other fields, and for the whole name.
type Shapes struct {
	Email    Shape
	Fields   [owlatsync.NumContactFields]Shape
	FullName Shape
}

// Shape says what is made of the value of a column, in the order of its fields: without marks around it, a part of it, in the usual
// letter case. NULL stays NULL. A part that a value does not have is NULL, and so is what nothing is left of.
type Shape struct {
	// Value is the value in every row, in place of that of a column. It stands alone.
	Value string
	// Trim lists characters that are removed at both ends, with the blanks there.
	Trim string
	// Split is what stands between the parts of a value, and Part the number of the one that counts: from 1, or below 0 from the end.
	Split string
	Part  int
	// Title writes a name in capital letters, or in small ones, as people write it: "LUDWIG VAN BEETHOVEN" is "Ludwig van Beethoven".
	// A name in mixed case stays.
	Title bool
}

// Validate returns an error for shapes that contradict themselves, or belong to no column. It gets the columns.
func (s Shapes) Validate(email, fullName string, fields owlatsync.Texts) error {
	if err := s.Email.validate(email); err != nil {
		return fmt.Errorf("the address: %w", err)
	}
	if err := s.FullName.validate(fullName); err != nil {
		return fmt.Errorf("the full name: %w", err)
	}
	for i, shape := range s.Fields {
		if err := shape.validate(fields[i]); err != nil {
			return fmt.Errorf("the field %s: %w", owlatsync.ContactField(i).Name(), err)
		}
	}
	return nil
}

func (s Shape) validate(column string) error {
	switch {
	case s.Value != "" && (column != "" || s != Shape{Value: s.Value}):
		return errors.New("a value for every row stands beside a column or what is made of one")
	case column == "" && s.Value == "" && s != (Shape{}):
		return errors.New("it says what is made of a column, and names none")
	case (s.Split == "") != (s.Part == 0):
		return errors.New("what stands between parts and the number of the part belong together")
	}
	return nil
}

// Take gives the address and the fields of a row their shapes, but not the whole name.
func (s *Shapes) Take(r *owlatsync.Row) {
	r.Email = s.Email.Of(r.Email)
	for i := range r.Fields {
		r.Fields[i] = s.Fields[i].Of(r.Fields[i])
	}
}

// Of returns what the shape makes of the value of a column.
func (s Shape) Of(f owlatsync.Field) owlatsync.Field {
	switch {
	case s.Value != "":
		return owlatsync.Some(s.Value)
	case s == Shape{} || f.State != owlatsync.Set:
		return f
	}
	text := Trim(f.Value, s.Trim)
	text = Trim(Part(text, s.Split, s.Part), s.Trim)
	if s.Title {
		text = Title(text)
	}
	if text == "" {
		return owlatsync.Field{State: owlatsync.Null}
	}
	return owlatsync.Some(text)
}
