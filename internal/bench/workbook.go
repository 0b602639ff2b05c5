package main

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"owlatsync/internal/bench/findings"
)

const (
	workbookRows  = 100_000
	workbookTurns = 5
	// The most seconds of a run, and the most MB that its process has in memory.
	workbookSeconds = 5
	workbookMemory  = 150
)

const workbookIntro = "A run of the program, from its start to its end, over a sheet of a workbook with %s people, of whom none changed. Each text is one\n" +
	"that cells share, as Excel writes them; so all of them are in memory."

// measureWorkbook measures a run over a sheet in which nothing changed.
func measureWorkbook(ctx context.Context, log io.Writer) (s findings.Section, err error) {
	b := &diffBench{diffData: diffData{log: log}}
	if b.folder, err = os.MkdirTemp("", "owlat-sync-workbook-"); err != nil {
		return s, err
	}
	b.cleanUp = append(b.cleanUp, func() error { return os.RemoveAll(b.folder) })
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.build(ctx); err != nil {
		return s, err
	}
	ledger, err := b.makeLedger(ctx, "ledger.db", workbookRows)
	if err != nil {
		return s, err
	}
	path := filepath.Join(b.folder, "people.xlsx")
	b.say("making %d rows of a workbook", workbookRows)
	if err := writeWorkbook(path, workbookRows); err != nil {
		return s, err
	}
	r := &race{name: "workbook", rows: workbookRows, run: diffRun{ledger: ledger, dsn: "xlsx:" + path}, repetitions: workbookTurns}
	if err := b.measure(ctx, r); err != nil {
		return s, err
	}
	peak, err := b.peakMemory(ctx, r)
	if err != nil {
		return s, err
	}
	took, rows := best(r.ours), findings.Count(workbookRows)
	return findings.Section{
		Title: "Workbooks",
		Intro: fmt.Sprintf(workbookIntro, rows),
		Tables: []findings.Table{{
			Columns: []string{"rows", "run, best (median)", "CPU", "peak memory"},
			Rows:    [][]string{{rows, fmt.Sprintf("%.2f s (%.2f s)", took, median(r.ours)), fmt.Sprintf("%.2f s", best(r.cpu)), fmt.Sprintf("%d MB", peak>>10)}},
		}},
		Goals: []findings.Goal{
			{What: fmt.Sprintf("workbook, %s rows: time", rows), Want: fmt.Sprintf("at most %d s", workbookSeconds), Got: fmt.Sprintf("%.2f s", took), Missed: took > workbookSeconds},
			{What: fmt.Sprintf("workbook, %s rows: peak memory", rows), Want: fmt.Sprintf("at most %d MB", workbookMemory), Got: fmt.Sprintf("%d MB", peak>>10), Missed: peak>>10 > workbookMemory},
		},
	}, nil
}

// writeWorkbook writes people 1 to n as a workbook.
func writeWorkbook(path string, n int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	z := zip.NewWriter(f)
	const types = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
	names := []string{"id", "email", "first_name", "last_name"}
	for _, part := range []struct {
		name  string
		write func(io.Writer)
	}{
		{"_rels/.rels", func(w io.Writer) {
			fmt.Fprintf(w, `<Relationships><Relationship Id="r1" Type="%sofficeDocument" Target="xl/workbook.xml"/></Relationships>`, types)
		}},
		{"xl/workbook.xml", func(w io.Writer) {
			fmt.Fprintf(w, `<workbook xmlns:r="%s"><sheets><sheet name="People" sheetId="1" r:id="s1"/></sheets></workbook>`, types)
		}},
		{"xl/_rels/workbook.xml.rels", func(w io.Writer) {
			fmt.Fprintf(w, `<Relationships><Relationship Id="s1" Type="%sworksheet" Target="worksheets/sheet1.xml"/>`, types)
			fmt.Fprintf(w, `<Relationship Id="s2" Type="%ssharedStrings" Target="sharedStrings.xml"/></Relationships>`, types)
		}},
		{"xl/sharedStrings.xml", func(w io.Writer) {
			fmt.Fprint(w, "<sst>")
			for _, name := range names {
				fmt.Fprintf(w, "<si><t>%s</t></si>", name)
			}
			for i := 1; i <= n; i++ {
				fmt.Fprintf(w, "<si><t>user%d@example.com</t></si><si><t>First%d</t></si><si><t>Last%d</t></si>", i, i, i)
			}
			fmt.Fprint(w, "</sst>")
		}},
		{"xl/worksheets/sheet1.xml", func(w io.Writer) {
			fmt.Fprint(w, `<worksheet><sheetData><row r="1">`)
			for i := range names {
				fmt.Fprintf(w, `<c r="%c1" t="s"><v>%d</v></c>`, 'A'+i, i)
			}
			for i := 1; i <= n; i++ {
				row, text := i+1, len(names)+3*(i-1)
				fmt.Fprintf(w, `</row><row r="%d" spans="1:4"><c r="A%d"><v>%d</v></c><c r="B%d" t="s"><v>%d</v></c>`, row, row, i, row, text)
				fmt.Fprintf(w, `<c r="C%d" t="s"><v>%d</v></c><c r="D%d" t="s"><v>%d</v></c>`, row, text+1, row, text+2)
			}
			fmt.Fprint(w, "</row></sheetData></worksheet>")
		}},
	} {
		packed, err := z.Create(part.name)
		if err != nil {
			return errors.Join(err, f.Close())
		}
		w := bufio.NewWriter(packed)
		part.write(w)
		if err := w.Flush(); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(z.Close(), f.Close())
}
