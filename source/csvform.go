package source

import (
	"fmt"
	"strings"

	"owlatsync/source/internal/delimited"
	"owlatsync/source/internal/text"
)

// CSVForm is how a CSV file seems to be written.
type CSVForm struct {
	// Delimiter and Encoding are what [CSV] must be told to read the file; they are zero if it needs not be told.
	Delimiter rune
	Encoding  string

	Columns []string // the names in the header
	Header  int      // the line of the header, from 1
}

// ExamineCSV looks at the beginning of a CSV file, and finds out how it is written. It takes what the options say as given. The
// encoding is a guess unless the file is UTF-8 or has a byte order mark: it is the one in which the words beyond ASCII look most like
// words, in the first 16 MiB. Its error is that of opening or reading the file, of one that is no CSV, and of one whose first line
// holds data instead of names.
func ExamineCSV(open Opener, options ...CSVOption) (CSVForm, error) {
	given, err := newCSVFormat(options)
	if err != nil {
		return CSVForm{}, err
	}
	form := CSVForm{}
	if given.encoding.String() == text.UTF8 {
		if given.encoding, err = guessEncoding(open); err != nil {
			return CSVForm{}, err
		}
		if name := given.encoding.String(); name != text.UTF8 {
			form.Encoding = name
		}
	}
	in, err := openInput(open, text.CSV, given.encoding)
	if err != nil {
		return CSVForm{}, err
	}
	defer in.close()
	head, err := delimited.Look(in.Reader, delimited.Options{Delimiter: given.delimiter})
	if err != nil {
		return CSVForm{}, fmt.Errorf("read the header: %w", lineError(err))
	}
	if given.delimiter == 0 && head.Delimiter != ',' && !head.Told {
		form.Delimiter = head.Delimiter
	}
	form.Columns, form.Header = head.Names, head.Line
	for _, name := range head.Names {
		if strings.Contains(name, "@") {
			return CSVForm{}, fmt.Errorf("read the header: line %d looks like data: write a line above it that names the columns, such as %q", head.Line, sampleHeader(len(head.Names)))
		}
	}
	return form, nil
}

// sampleHeader is a header for as many columns.
func sampleHeader(columns int) string {
	if columns == 1 {
		return "email"
	}
	return "id,email,…"
}

// guessEncoding returns the encoding that a file needs to be read with; UTF-8 if its byte order mark says it.
func guessEncoding(open Opener) (text.Encoding, error) {
	if open == nil {
		return text.Encoding{}, errNoFile
	}
	file, err := open()
	if err != nil {
		return text.Encoding{}, fmt.Errorf("open the file: %w", err)
	}
	defer file.Close()
	return text.Guess(file)
}
