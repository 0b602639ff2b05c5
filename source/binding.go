package source

import (
	"fmt"
	"strings"

	"owlatsync"
	"owlatsync/source/internal/cell"
)

// binding is a mapping bound to the columns of one scan, with buffers that rows reuse.
type binding struct {
	columns    []column
	key        []int
	email      int
	fields     [owlatsync.NumContactFields]int
	fullName   int
	shapes     *Shapes       // nil: none does anything
	topics     []int         // unmapped if every row consents
	words      []*cell.Words // by topic
	suppressed int           // unmapped if nobody is meant
	never      *cell.Words   // of suppressed
	properties []int

	current owlatsync.Row
	unclear []string        // by topic, for current.Unclear
	texts   strings.Builder // block with the texts of the latest rows
	careful bool            // each value is checked, not only the whole row
	parts   []string
	marred  owlatsync.Row // a row that the source could not read
	strange string        // why a value is no UTF-8; empty: it just is none
}

// unmapped is the column of a field that the mapping leaves out.
const unmapped = -1

// bind finds the mapped columns. Its error wraps a [ColumnError] for each column that is missing, ambiguous or binary.
func bind(m Mapping, columns []column, in backend) (*binding, error) {
	var wrong []error
	told, help := map[string]bool{}, ""
	find := func(name string) int {
		if name == "" {
			return unmapped
		}
		at, count := unmapped, 0
		for i, c := range columns {
			if c.Name == name {
				at = i
				count++
			}
		}
		var err *ColumnError
		switch {
		case count == 0:
			err = missing(name, in.noun(), columns)
			help = describe(columns)
		case count > 1:
			err = &ColumnError{name, fmt.Sprintf("%s has %d columns of this name; give them different names", in.noun(), count)}
		case columns[at].kind == cell.Binary:
			err = binaryError(columns[at], in)
		}
		if err != nil && !told[name] {
			told[name] = true
			wrong = append(wrong, err)
		}
		return at
	}
	b := &binding{columns: columns}
	if m.Shapes != (Shapes{}) {
		b.shapes = &m.Shapes
	}
	if f, ok := in.(*fileBackend); ok {
		b.strange = f.strange()
	}
	for _, name := range m.Key {
		b.key = append(b.key, find(name))
	}
	b.email, b.fullName = find(m.Email), find(m.FullName)
	for i, name := range m.Fields {
		b.fields[i] = find(name)
	}
	for _, name := range m.Topics {
		b.topics = append(b.topics, find(name))
	}
	b.current.Consents, b.unclear = make([]owlatsync.Consent, len(m.Topics)), make([]string, len(m.Topics))
	b.words = make([]*cell.Words, len(m.Topics))
	for i, w := range m.Words {
		b.words[i], _ = cell.NewWords(w.Yes, w.No) // Validate has refused bad words
	}
	b.suppressed = find(m.Suppressed)
	b.never, _ = cell.NewWords(m.SuppressedWords.Yes, m.SuppressedWords.No)
	b.current.Properties = make([]owlatsync.Property, len(m.Properties))
	for i, p := range m.Properties {
		b.properties = append(b.properties, find(p.Column))
		b.current.Properties[i].Name = p.Name
	}
	b.parts = make([]string, len(b.key))
	if len(wrong) > 0 {
		return nil, &bindingError{wrong, help}
	}
	return b, nil
}

func binaryError(c column, in backend) *ColumnError {
	return &ColumnError{c.Name, fmt.Sprintf("it holds binary data (%s), which cannot be mapped; make text of it in the query, such as %s",
		c.DatabaseType, in.castHint())}
}
