package xlsx

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// book is an opened workbook.
type book struct {
	file   *os.File
	before fs.FileInfo
	parts  map[string]*zip.File // by their names in lower case
	sheets []sheetRef
	// since1904 says that days are counted from 1904, as on old Macs.
	since1904 bool
	shared    string // part with the texts that cells share; empty: none
	styles    string // part with the formats of cells; empty: none
}

// sheetRef is a sheet of a workbook.
type sheetRef struct {
	name   string
	part   string
	hidden bool
}

// open opens the workbook in a file. Its errors say what the file is if it is none.
func open(name string) (*book, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open the workbook: %w", err)
	}
	b := &book{file: file, parts: make(map[string]*zip.File)}
	if err := b.read(); err != nil {
		b.close()
		return nil, fmt.Errorf("open the workbook: %w", err)
	}
	return b, nil
}

func (b *book) close() { _ = b.file.Close() }

func (b *book) read() error {
	var err error
	if b.before, err = b.file.Stat(); err != nil {
		return err
	}
	if b.before.IsDir() {
		return fmt.Errorf("%s is a folder", b.file.Name())
	}
	head := make([]byte, 512)
	n, err := io.ReadFull(b.file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if err := refuse(head[:n]); err != nil {
		return err
	}
	packed, err := zip.NewReader(b.file, b.before.Size())
	if err != nil {
		return errors.New("the file is cut off or damaged: save it again")
	}
	for _, part := range packed.File {
		b.parts[partName(part.Name)] = part
	}
	return b.findParts()
}

func partName(name string) string {
	return strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(name, `\`, "/"), "/"))
}

// refuse says what a file is that begins like no workbook.
func refuse(head []byte) error {
	text := strings.ToLower(string(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")))
	switch {
	case len(head) == 0:
		return errors.New("the file is empty")
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return nil
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		return errors.New("it is a workbook of the old form (.xls), or one with a password: save it as .xlsx without a password")
	case strings.HasPrefix(text, "<!doctype html") || strings.HasPrefix(text, "<html") || strings.HasPrefix(text, "<table") || strings.HasPrefix(text, "<meta"):
		return errors.New("it is a web page (HTML): open it in a spreadsheet, and save it as .xlsx")
	case strings.HasPrefix(text, "<?xml"):
		return errors.New("it is XML: open it in a spreadsheet, and save it as .xlsx")
	case !bytes.ContainsRune(head, 0):
		return errors.New("it is text and no workbook: if it is a CSV file, name it as csv:FILE")
	}
	return errors.New("it is no workbook (.xlsx)")
}

// What the parts of a workbook are to it, by the last word of the type of a relation.
const (
	typeBook   = "officedocument"
	typeSheet  = "worksheet"
	typeShared = "sharedstrings"
	typeStyles = "styles"
)

// relation says that one part belongs to another.
type relation struct {
	ID     string `xml:"Id,attr"`
	Type   string `xml:"Type,attr"`
	Target string `xml:"Target,attr"`
}

func (r relation) is(kind string) bool { return strings.ToLower(path.Base(r.Type)) == kind }

// relations returns those of a part, by the parts that they name.
func (b *book) relations(of string) ([]relation, error) {
	var found struct {
		Relation []relation `xml:"Relationship"`
	}
	dir, file := path.Split(of)
	if err := b.small(path.Join(dir, "_rels", file+".rels"), &found); err != nil {
		return nil, err
	}
	for i, r := range found.Relation {
		if target := r.Target; strings.HasPrefix(target, "/") {
			found.Relation[i].Target = partName(target)
		} else {
			found.Relation[i].Target = partName(path.Join(dir, strings.ReplaceAll(target, `\`, "/")))
		}
	}
	return found.Relation, nil
}

var errNoBook = errors.New("it is a ZIP archive and no workbook: unpack it")

// findParts finds the sheets and what their cells refer to.
func (b *book) findParts() error {
	switch {
	case b.parts["mimetype"] != nil:
		return errors.New("it is an OpenDocument sheet: save it as .xlsx")
	case b.parts["xl/workbook.bin"] != nil:
		return errors.New("it is a binary workbook (.xlsb): save it as .xlsx")
	case b.parts["index/document.iwa"] != nil:
		return errors.New("it is a sheet of Apple Numbers: export it as Excel (.xlsx)")
	case b.parts["_rels/.rels"] == nil:
		return errNoBook
	}
	root, err := b.relations("")
	if err != nil {
		return err
	}
	main := ""
	for _, r := range root {
		if r.is(typeBook) {
			main = r.Target
		}
	}
	var book struct {
		Properties struct {
			Date1904 string `xml:"date1904,attr"`
		} `xml:"workbookPr"`
		Sheets []struct {
			Name  string     `xml:"name,attr"`
			State string     `xml:"state,attr"`
			Attrs []xml.Attr `xml:",any,attr"`
		} `xml:"sheets>sheet"`
	}
	if main == "" || !strings.HasPrefix(path.Base(main), "workbook") {
		return errNoBook
	}
	if err := b.small(main, &book); err != nil {
		return err
	}
	b.since1904 = book.Properties.Date1904 == "1" || strings.EqualFold(book.Properties.Date1904, "true")
	related, err := b.relations(main)
	if err != nil {
		return err
	}
	byID := make(map[string]relation)
	for _, r := range related {
		byID[r.ID] = r
		switch {
		case r.is(typeShared):
			b.shared = r.Target
		case r.is(typeStyles):
			b.styles = r.Target
		}
	}
	for _, s := range book.Sheets {
		for _, a := range s.Attrs {
			if r, known := byID[a.Value]; known && a.Name.Local == "id" && r.is(typeSheet) {
				b.sheets = append(b.sheets, sheetRef{s.Name, r.Target, s.State == "hidden" || s.State == "veryHidden"})
			}
		}
	}
	if len(b.sheets) == 0 {
		return errors.New("it has no sheet with cells")
	}
	return nil
}

// smallPart is the most bytes of a part that is read at once.
const smallPart = 16 << 20

// small reads a part that says how others belong together.
func (b *book) small(name string, to any) error {
	part := b.parts[partName(name)]
	if part == nil {
		return fmt.Errorf("the workbook lacks its part %s: save it again", path.Base(name))
	}
	in, err := part.Open()
	if err != nil {
		return damaged(err)
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, smallPart))
	if err == nil {
		err = xml.Unmarshal(text, to)
	}
	return damaged(err)
}

// damaged says that a part cannot be read.
func damaged(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the workbook is damaged; save it again: %w", err)
}

// sheet returns the sheet of that name; without a name the first that is not hidden.
func (b *book) sheet(name string) (sheetRef, error) {
	var names []string
	for _, s := range b.sheets {
		if s.name == name || name == "" && !s.hidden {
			return s, nil
		}
		names = append(names, fmt.Sprintf("%q", s.name))
	}
	if name == "" {
		return b.sheets[0], nil
	}
	return sheetRef{}, fmt.Errorf("the workbook has no sheet %q; it has %s", name, strings.Join(names, ", "))
}

// unchanged returns an error if the file, now read, is not the one that was opened.
func (b *book) unchanged() error {
	after, err := b.file.Stat()
	if err != nil {
		return fmt.Errorf("look at the workbook again: %w", err)
	}
	if after.Size() != b.before.Size() || !after.ModTime().Equal(b.before.ModTime()) {
		return errors.New("the workbook changed while it was read; write it under another name and rename it when it is complete")
	}
	return nil
}
