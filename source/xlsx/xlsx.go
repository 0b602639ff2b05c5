package xlsx

import (
	"context"
	"errors"

	"owlatsync/source"
)

// Sheet returns the rows of a sheet of the workbook in the file at path: the sheet of that name, which matches exactly, or without a name
// the first that is not hidden.
//
// The first row with at least two values names the columns, so that a title may stand above it; without such a row among the first ten
// it is the first row with a value. Blanks around a name do not count. Rows without a value are left out, and rows that a filter hides
// are not. An empty cell and an empty text are NULL, and so is #N/A; another error is its text. A formula has the value that it had when the
// workbook was saved. A number that is shown as a date is a text such as 2006-01-02; with a time of day it is a time in UTC, and without a
// day a text such as 15:04:05. Numbers have at most 15 digits, as in a spreadsheet. A position is the row's number in the sheet.
//
// Sheet opens nothing; its error comes from [source.Mapping.Validate], or says that there is no path. A scan fails if the file changes
// meanwhile.
func Sheet(path, sheet string, m source.Mapping) (*source.Table, error) {
	if path == "" {
		return nil, errors.New("choose a workbook: there is none")
	}
	return source.From(records{path, sheet}, m)
}

// Sample returns the names of the columns of a sheet and the values of its first rows, at most n. A value is nil, a bool, a string, an
// int64, a [encoding/json.Number] or a [time.Time]. Its errors are those of a scan of [Sheet].
func Sample(ctx context.Context, path, sheet string, n int) (columns []string, rows [][]any, err error) {
	s, err := openSheet(path, sheet)
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	for len(rows) < n {
		more, err := s.Next(ctx)
		if err != nil {
			return nil, nil, err
		}
		if !more {
			break
		}
		values := make([]any, len(s.names))
		for i := range values {
			values[i] = s.Value(i)
		}
		rows = append(rows, values)
	}
	return s.names, rows, nil
}

// Sheets returns the names of the sheets of a workbook that are not hidden, in their order. Its errors are those of opening the workbook
// for [Sheet].
func Sheets(path string) (names []string, err error) {
	b, err := open(path)
	if err != nil {
		return nil, err
	}
	defer b.close()
	for _, s := range b.sheets {
		if !s.hidden {
			names = append(names, s.name)
		}
	}
	return names, nil
}

// records are the rows of a sheet.
type records struct{ path, sheet string }

var _ source.Records = records{}

func (r records) Names() (store, record string) { return "the sheet", "row" }

func (r records) Open(ctx context.Context) (source.Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := openSheet(r.path, r.sheet)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (r records) Describe(ctx context.Context) ([]source.Column, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := openSheet(r.path, r.sheet)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var columns []source.Column
	for _, name := range s.names {
		columns = append(columns, source.Column{Name: name})
	}
	return columns, nil
}

// Ping finds the sheet, and reads none of its cells.
func (r records) Ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b, err := open(r.path)
	if err != nil {
		return err
	}
	defer b.close()
	_, err = b.sheet(r.sheet)
	return err
}
