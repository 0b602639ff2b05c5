// Package importfile writes people to CSV files for the importer of Owlat's dashboard, into a folder of their own.
//
// The idea to know: nobody can import what is not finished. Files have another name until the ledger has everybody who is in them, and a mark in the
// folder says which export is being made there, so that one that was killed goes on.
package importfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/internal/csvout"
	"owlatsync/reconcile"
)

const (
	markName = ".owlat-sync-export.json"
	partial  = ".partial"
	// Most is how many people a file has at most. The importer sets no limit, but reads the file in a browser and shows what it holds.
	Most = 50_000
)

// The columns that the importer knows by their names, in their order.
const (
	columnEmail    = "Email"
	columnFirst    = "First Name"
	columnLast     = "Last Name"
	columnLanguage = "Language"
	columnTopic    = "Topic"
)

// Columns are what is written of a person besides the address and the names.
type Columns struct {
	Language   string            // the source's column with the language; empty: none
	Properties []Property        // custom properties, in their order
	Topics     bool              // there are topics
	Names      map[string]string // what a topic is called, by its id; what is not in it goes by its id
}

// Property is a custom property.
type Property struct{ Name, Column string }

// mark says which export is being made in the folder.
type mark struct {
	Sync  string    `json:"sync"`
	Began time.Time `json:"began"`
}

// Folder is a folder in which an export is made. It is for one goroutine at a time.
type Folder struct {
	path    string
	mark    mark
	columns Columns
	most    int

	file   *os.File
	csv    *csvout.Writer
	inFile int
	files  []string // finished ones, by their later paths
}

// NotEmptyError says that a folder holds something else.
type NotEmptyError struct{ Path string }

// Error implements error.
func (e *NotEmptyError) Error() string {
	return fmt.Sprintf("%s is not empty, and files of two exports must not be mixed: name a new folder", e.Path)
}

// Open begins an export of a sync in a folder, which is made if it is not there, or goes on with one of that sync that broke off. Now is when a new one
// begins.
func Open(path, sync string, columns Columns, now time.Time) (*Folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	f := &Folder{path: path, columns: columns, most: Most, files: []string{}}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(path, markName))
	if errors.Is(err, fs.ErrNotExist) {
		if len(entries) > 0 {
			return nil, &NotEmptyError{path}
		}
		f.mark = mark{sync, now.UTC().Truncate(time.Microsecond)}
		return f, f.begin()
	}
	if err == nil {
		err = json.Unmarshal(text, &f.mark)
	}
	if err != nil {
		return nil, fmt.Errorf("read which export was made in %s: %w", path, err)
	}
	if f.mark.Sync != sync {
		return nil, fmt.Errorf("in %s an export of sync %q broke off: go on with that one, or name a new folder", path, f.mark.Sync)
	}
	for _, e := range entries { // what a killed export has left
		if name := e.Name(); strings.HasPrefix(name, f.base()) && (strings.HasSuffix(name, ".csv") || strings.HasSuffix(name, partial)) {
			if err := os.Remove(filepath.Join(path, name)); err != nil {
				return nil, err
			}
		}
	}
	return f, nil
}

// begin writes the mark, whole or not at all.
func (f *Folder) begin() error {
	text, err := json.Marshal(f.mark)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(f.path, markName+".*")
	if err != nil {
		return err
	}
	_, err = temp.Write(append(text, '\n'))
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), filepath.Join(f.path, markName))
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return f.syncFolder()
}

// Began returns when the export began.
func (f *Folder) Began() time.Time { return f.mark.Began }

// Files returns the paths of the files once Publish has given them their names.
func (f *Folder) Files() []string { return f.files }

func (f *Folder) base() string {
	safe := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, f.mark.Sync)
	return "owlat-" + safe + "-"
}

// Write adds a person. It reports false, and writes nothing, for somebody of whom a cell would be taken for a formula by a spreadsheet in which the
// file is opened: with an apostrophe before it, Owlat would take in another value. So it does for a value that the importer would change.
func (f *Folder) Write(p reconcile.Person) (bool, error) {
	cells, ok := f.columns.cells(p)
	if !ok {
		return false, nil
	}
	if f.file == nil {
		if err := f.next(); err != nil {
			return false, err
		}
	}
	f.csv.Write(cells...) // finish returns an error of writing
	if f.inFile++; f.inFile == f.most {
		return true, f.finish()
	}
	return true, nil
}

// Fit reports whether Write would write the person. Its error is nil.
func (c *Columns) Fit(p reconcile.Person) (bool, error) {
	_, ok := c.cells(p)
	return ok, nil
}

func (c *Columns) header() []string {
	header := []string{columnEmail, columnFirst, columnLast}
	if c.Language != "" {
		header = append(header, columnLanguage)
	}
	if c.Topics {
		header = append(header, columnTopic)
	}
	for _, p := range c.Properties {
		header = append(header, p.Name)
	}
	return header
}

func (c *Columns) cells(p reconcile.Person) ([]string, bool) {
	field := func(text *string) string {
		if text == nil {
			return ""
		}
		return *text
	}
	cells := []string{p.Email, field(p.Fields[owlatsync.FirstName]), field(p.Fields[owlatsync.LastName])}
	if c.Language != "" {
		cells = append(cells, textOf(p.Properties[c.Language]))
	}
	if c.Topics {
		names := make([]string, len(p.Topics))
		for i, id := range p.Topics {
			names[i] = c.name(id)
		}
		cells = append(cells, strings.Join(names, ", "))
	}
	for _, property := range c.Properties {
		cells = append(cells, textOf(p.Properties[property.Column]))
	}
	for i, cell := range cells {
		if csvout.Safe(cell) != cell && !(i > 2 && isNumber(cell)) {
			return nil, false
		}
	}
	return cells, true
}

// name returns what a topic is called in the files: the importer parts names at commas, drops what stands around them, and asks on screen which topic
// each is.
func (c *Columns) name(id string) string {
	name := c.Names[id]
	if name == "" || strings.ContainsAny(name, ",\r\n") || strings.TrimSpace(name) != name || csvout.Safe(name) != name {
		return id
	}
	return name
}

// isNumber reports whether a cell is a number, which no spreadsheet takes for a formula.
func isNumber(cell string) bool { return json.Valid([]byte(cell)) }

// textOf returns a value as text, empty for none.
func textOf(value json.RawMessage) string {
	var text string
	switch {
	case len(value) == 0, string(value) == "null":
		return ""
	case json.Unmarshal(value, &text) == nil:
		return text
	}
	return string(value)
}

// next begins another file.
func (f *Folder) next() (err error) {
	path := filepath.Join(f.path, fmt.Sprintf("%s%03d.csv", f.base(), len(f.files)+1))
	if f.file, err = os.OpenFile(path+partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return err
	}
	f.csv, f.inFile, f.files = csvout.NewPlainWriter(f.file), 0, append(f.files, path)
	f.csv.Write(f.columns.header()...)
	return nil
}

// finish makes the present file durable.
func (f *Folder) finish() error {
	if f.file == nil {
		return nil
	}
	err := errors.Join(f.csv.Flush(), f.file.Sync(), f.file.Close())
	f.file = nil
	return err
}

// Finish makes all files durable, which nobody takes for finished yet.
func (f *Folder) Finish() error { return errors.Join(f.finish(), f.syncFolder()) }

// Publish gives the files their names and takes the mark away: the export is done.
func (f *Folder) Publish() error {
	for _, path := range f.files {
		if err := os.Rename(path+partial, path); err != nil {
			return err
		}
	}
	if err := f.syncFolder(); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(f.path, markName)); err != nil {
		return err
	}
	return f.syncFolder()
}

// Abandon closes what is open. What is written stays, for another try.
func (f *Folder) Abandon() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

// syncFolder makes the names in the folder durable, where the system can.
func (f *Folder) syncFolder() error {
	dir, err := os.Open(f.path)
	if err != nil {
		return err
	}
	_ = dir.Sync() // not every file system knows it for a folder
	return dir.Close()
}
