// Package csvout writes the CSV of this program. A spreadsheet runs a cell that begins like a formula, and cells hold what other people
// typed, such as an address "=1+1@example". So such a cell gets an apostrophe in front: a spreadsheet shows it as text.
package csvout

import (
	"encoding/csv"
	"io"
)

// begins are the bytes at which a spreadsheet takes a cell for a formula, or drops what stands before one. A cell that begins with the
// apostrophe gets another one, so that reading back is certain.
const begins = "=+-@\t\r\n'"

// Safe returns a cell as it is written.
func Safe(cell string) string {
	if risky(cell) {
		return "'" + cell
	}
	return cell
}

// Plain returns what a written cell stands for.
func Plain(cell string) string {
	if cell != "" && cell[0] == '\'' && risky(cell[1:]) {
		return cell[1:]
	}
	return cell
}

func risky(cell string) bool {
	if cell == "" {
		return false
	}
	for i := range len(begins) {
		if cell[0] == begins[i] {
			return true
		}
	}
	// The wide forms of these signs count in spreadsheets of some languages.
	for _, wide := range []string{"＝", "＋", "－", "＠"} {
		if len(cell) >= len(wide) && cell[:len(wide)] == wide {
			return true
		}
	}
	return false
}

// Writer writes records of cells. It is for one goroutine at a time.
type Writer struct {
	csv   *csv.Writer
	plain bool
}

// NewWriter returns a Writer that writes to w when it is flushed.
func NewWriter(w io.Writer) *Writer { return &Writer{csv: csv.NewWriter(w)} }

// NewPlainWriter returns a Writer that writes cells as they are, for programs that take an apostrophe for a part of the value. Whoever uses it sees to it
// that Safe leaves the cells as they are, or that they are numbers.
func NewPlainWriter(w io.Writer) *Writer { return &Writer{csv.NewWriter(w), true} }

// Write adds a record. Flush returns an error of writing.
func (w *Writer) Write(cells ...string) {
	written := make([]string, len(cells))
	for i, cell := range cells {
		if written[i] = cell; !w.plain {
			written[i] = Safe(cell)
		}
	}
	_ = w.csv.Write(written) // the writer keeps an error
}

// Flush writes what was added.
func (w *Writer) Flush() error {
	w.csv.Flush()
	return w.csv.Error()
}

// Read returns the records that a Writer wrote, with the cells that they stand for.
func Read(r io.Reader) ([][]string, error) {
	written := csv.NewReader(r)
	written.FieldsPerRecord = -1
	records, err := written.ReadAll()
	for _, record := range records {
		for i, cell := range record {
			record[i] = Plain(cell)
		}
	}
	return records, err
}
