package xlsx

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The size of a sheet in every program that writes them.
const (
	maxColumns = 16_384
	maxRows    = 1_048_576
)

// headRows is how many rows with a value are looked at for the one with the names of the columns.
const headRows = 10

// sheet is one scan of a sheet.
type sheet struct {
	book  *book
	part  *part
	cells cells

	names  []string
	places []int // column of the sheet of each name
	ahead  []row // that were read to find the names
	row    row   // the current one
	last   int   // number of the row that was read last
	ended  bool
}

// row is a row of a sheet with the values of its cells, nil for an empty one.
type row struct {
	number int
	cells  []any
}

func (r row) filled() (n int) {
	for _, c := range r.cells {
		if c != nil {
			n++
		}
	}
	return n
}

// openSheet begins a scan of the sheet of that name; without a name of the first that is not hidden.
func openSheet(file, name string) (*sheet, error) {
	b, err := open(file)
	if err != nil {
		return nil, err
	}
	s := &sheet{book: b, cells: cells{since1904: b.since1904}}
	if err := s.open(name); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *sheet) open(name string) error {
	ref, err := s.book.sheet(name)
	if err != nil {
		return fmt.Errorf("open the workbook: %w", err)
	}
	if s.cells.shared, err = s.book.readShared(); err != nil {
		return fmt.Errorf("read the workbook's texts: %w", err)
	}
	if s.cells.dates, err = s.book.readDates(); err != nil {
		return fmt.Errorf("read the workbook's formats: %w", err)
	}
	if s.part, err = s.book.part(ref.part); err == nil {
		err = s.findNames()
	}
	if err != nil {
		return fmt.Errorf("read the sheet %q: %w", ref.name, err)
	}
	return nil
}

// findNames finds the row with the names of the columns: the first with at least two values, because a title may stand above it, or the
// first with any value if there is none.
func (s *sheet) findNames() error {
	at := -1
	for len(s.ahead) < headRows && at < 0 {
		more, err := s.read()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		s.ahead = append(s.ahead, s.row)
		if s.row.filled() > 1 {
			at = len(s.ahead) - 1
		}
	}
	switch {
	case len(s.ahead) == 0:
		return errors.New("the sheet is empty: its first row must name the columns")
	case at < 0:
		at = 0
	}
	for i, c := range s.ahead[at].cells {
		if name := strings.TrimSpace(shown(c)); name != "" {
			s.names, s.places = append(s.names, name), append(s.places, i)
		}
	}
	s.ahead = s.ahead[at+1:]
	return nil
}

// shown returns a value as the text of a name.
func shown(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// Columns returns the names of the columns.
func (s *sheet) Columns() []string { return s.names }

// Position returns the number of the row in the sheet.
func (s *sheet) Position() int { return s.row.number }

// Value returns a value of the current row.
func (s *sheet) Value(column int) any {
	if at := s.places[column]; at < len(s.row.cells) {
		return s.row.cells[at]
	}
	return nil
}

// Close ends the scan.
func (s *sheet) Close() {
	if s.part != nil {
		s.part.close()
	}
	s.book.close()
}

// Next moves on to the next row with a value.
func (s *sheet) Next(ctx context.Context) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if len(s.ahead) > 0 {
		s.row, s.ahead = s.ahead[0], s.ahead[1:]
		return true, nil
	}
	s.row.cells = s.row.cells[:0]
	return s.read()
}

// read reads the next row that has a value into row, in a new slice if the last one is kept.
func (s *sheet) read() (bool, error) {
	for !s.ended {
		token, err := s.part.token()
		switch {
		case err == io.EOF:
			return false, fmt.Errorf("below row %d: %w", s.last, damaged(io.ErrUnexpectedEOF))
		case err != nil:
			return false, fmt.Errorf("below row %d: %w", s.last, err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local != "row" {
				continue
			}
			if err := s.readRow(t); err != nil {
				return false, fmt.Errorf("row %d: %w", s.last, err)
			}
			if s.row.filled() > 0 {
				return true, nil
			}
		case xml.EndElement:
			s.ended = t.Name.Local == "sheetData"
		}
	}
	if s.part != nil {
		if err := s.part.rest(); err != nil {
			return false, err
		}
	}
	return false, s.book.unchanged()
}

func (s *sheet) readRow(start xml.StartElement) error {
	number := s.last + 1
	if r := attr(start, "r"); r != "" {
		n, err := strconv.Atoi(r)
		if err != nil || n < number || n > maxRows {
			return errors.New("the workbook is damaged: the number of a row is out of order; save it again")
		}
		number = n
	}
	s.last = number
	cells := s.row.cells
	if len(s.ahead) > 0 || cells == nil || s.names == nil {
		cells = nil // the last row is kept
	}
	s.row = row{number: number, cells: cells[:0]}
	column := -1
	for {
		token, err := s.part.token()
		switch {
		case err == io.EOF:
			return damaged(io.ErrUnexpectedEOF)
		case err != nil:
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local != "c" {
				continue
			}
			column++
			if r := attr(t, "r"); r != "" {
				at, ok := columnOf(r)
				if !ok || at < column {
					return errors.New("the workbook is damaged: a cell is out of order; save it again")
				}
				column = at
			}
			value, err := s.cells.read(s.part, t)
			if err != nil {
				return fmt.Errorf("column %s: %w", columnName(column), err)
			}
			if value == nil {
				continue
			}
			for len(s.row.cells) <= column {
				s.row.cells = append(s.row.cells, nil)
			}
			s.row.cells[column] = value
		case xml.EndElement:
			if t.Name.Local == "row" {
				return nil
			}
		}
	}
}

// columnOf returns the column of a cell such as "AB7", from 0.
func columnOf(cell string) (int, bool) {
	n := 0
	for i := range len(cell) {
		c := cell[i]
		if c < 'A' || c > 'Z' {
			return n - 1, n > 0
		}
		if n = n*26 + int(c-'A') + 1; n > maxColumns {
			return 0, false
		}
	}
	return 0, false
}

// columnName returns the letters of a column.
func columnName(column int) string {
	name := ""
	for n := column + 1; n > 0; n = (n - 1) / 26 {
		name = string(rune('A'+(n-1)%26)) + name
	}
	return name
}
