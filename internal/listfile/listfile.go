package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// reportFile is a CSV file that somebody asked for. It holds addresses, so that only its owner may read it. What stands at
// the path is replaced at the end, whole, and only if it is such a list itself.
type reportFile struct {
	path string
	flag string
	file *os.File
	csv  *csv.Writer
}

// createReportFile begins a file with a header line. Nothing at the path is touched before close.
func createReportFile(flag, path string, header []string) (*reportFile, error) {
	if err := mayReplace(path, header); err != nil {
		return nil, usageError(fmt.Errorf("create the file for %s: %w", flag, err))
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		if failed, ok := errors.AsType[*os.PathError](err); ok {
			failed.Path = path // not the temporary name
		}
		return nil, usageError(fmt.Errorf("create the file for %s: %w", flag, err))
	}
	r := &reportFile{path: path, flag: flag, file: f, csv: csv.NewWriter(f)}
	r.write(header...)
	return r, nil
}

// mayReplace refuses to put a list in the place of anything but an older list or an empty file: the path may be that of
// the ledger, the source or the configuration by mistake.
func mayReplace(path string, header []string) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	first := strings.Join(header, ",") + "\n"
	begins := make([]byte, len(first))
	n, err := io.ReadFull(f, begins)
	if n == 0 && errors.Is(err, io.EOF) || string(begins[:n]) == first {
		return nil
	}
	return fmt.Errorf("%s exists and is no such list: name another file", path)
}

// write adds a line. A writing error stays in the writer and is returned by close.
func (r *reportFile) write(fields ...string) { _ = r.csv.Write(fields) }

// close puts the file in its place, or drops it where nothing came of it.
func (r *reportFile) close(keep bool) error {
	r.csv.Flush()
	err := errors.Join(r.csv.Error(), r.file.Close())
	if err == nil && keep {
		err = os.Rename(r.file.Name(), r.path)
	}
	if err != nil || !keep {
		err = errors.Join(err, remove(r.file.Name()))
	}
	if err != nil {
		return fmt.Errorf("write the file for %s: %w", r.flag, err)
	}
	return nil
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
