package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/text/encoding/charmap"

	"owlatsync"
	"owlatsync/internal/bench/findings"
	"owlatsync/source"
)

const encodingIntro = "The same %s people in two CSV files, one in UTF-8 and one in windows-1252, read and mapped by package source in turns. Every\n" +
	"tenth name has a letter beyond ASCII."

const (
	encodingRows  = 1_000_000
	encodingTurns = 7
	encodingMost  = 1.5
)

func measureEncoding(ctx context.Context, log io.Writer) (_ findings.Section, err error) {
	folder, err := os.MkdirTemp("", "owlat-sync-bench-")
	if err != nil {
		return findings.Section{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	plain, coded := filepath.Join(folder, "utf-8.csv"), filepath.Join(folder, "windows-1252.csv")
	fmt.Fprintf(log, "making %d rows in two encodings\n", encodingRows)
	if err := errors.Join(writeEncoded(plain, encodingRows, func(w io.Writer) io.Writer { return w }),
		writeEncoded(coded, encodingRows, charmap.Windows1252.NewEncoder().Writer)); err != nil {
		return findings.Section{}, err
	}
	var utf8, windows []time.Duration
	for range encodingTurns {
		took, err := readEncoded(ctx, plain, encodingRows)
		if err != nil {
			return findings.Section{}, err
		}
		utf8 = append(utf8, took)
		if took, err = readEncoded(ctx, coded, encodingRows, source.Encoding("windows-1252")); err != nil {
			return findings.Section{}, err
		}
		windows = append(windows, took)
	}
	return encodingSection(utf8, windows), nil
}

func encodingSection(utf8, windows []time.Duration) findings.Section {
	t := findings.Table{Columns: []string{"encoding", "reads", "shortest, s", "median, s"}}
	for _, line := range []struct {
		name string
		took []time.Duration
	}{{"UTF-8", utf8}, {"windows-1252", windows}} {
		sorted := slices.Sorted(slices.Values(line.took))
		t.Rows = append(t.Rows, []string{
			line.name, findings.Count(len(sorted)), findings.Figure(sorted[0].Seconds()), findings.Figure(sorted[len(sorted)/2].Seconds()),
		})
	}
	times := slices.Min(windows).Seconds() / slices.Min(utf8).Seconds()
	return findings.Section{
		Title:  "Encodings of files",
		Intro:  fmt.Sprintf(encodingIntro, findings.Count(encodingRows)),
		Tables: []findings.Table{t},
		Goals: []findings.Goal{{
			What: fmt.Sprintf("CSV in windows-1252, %s rows: time beside UTF-8", findings.Count(encodingRows)),
			Want: fmt.Sprintf("at most %.1f times", encodingMost), Got: findings.Figure(times) + " times", Missed: times > encodingMost,
		}},
	}
}

func writeEncoded(path string, rows int, encoded func(io.Writer) io.Writer) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(f, 1<<20)
	w := bufio.NewWriterSize(encoded(buffered), 1<<16)
	fmt.Fprintln(w, "id,email,first_name,last_name")
	for n := range rows {
		first := "First"
		if n%10 == 0 {
			first = "Jürgen"
		}
		fmt.Fprintf(w, "%d,user%d@example.com,%s%d,Last%d\n", n, n, first, n, n)
	}
	return errors.Join(w.Flush(), buffered.Flush(), f.Close())
}

func readEncoded(ctx context.Context, path string, want int, options ...source.CSVOption) (time.Duration, error) {
	m := source.Mapping{Key: []string{"id"}, Email: "email", Fields: owlatsync.Texts{owlatsync.FirstName: "first_name", owlatsync.LastName: "last_name"}}
	table, err := source.CSV(source.File(path), m, options...)
	if err != nil {
		return 0, err
	}
	start, rows := time.Now(), 0
	for row, err := range table.Rows(ctx) {
		if err != nil {
			return 0, err
		}
		if row.Defect != "" {
			return 0, fmt.Errorf("%s: %s", row.Position, row.Defect)
		}
		rows++
	}
	if rows != want {
		return 0, fmt.Errorf("%s has %d rows, want %d", path, rows, want)
	}
	return time.Since(start), nil
}
