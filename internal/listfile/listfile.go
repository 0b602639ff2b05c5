// Package listfile writes CSV lists that somebody asked for. They hold addresses of people, so only their owner may read them. A
// list replaces the file at its path as a whole at the end, and only if that is such a list itself.
package listfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"owlatsync/internal/csvout"
	"owlatsync/internal/problem"
)

// File is a list that is being written. It is for one goroutine at a time.
type File struct {
	path string
	flag string
	file *os.File
	csv  *csvout.Writer

	dropped []([]string) // what the lines begin with that Close drops
}

// Create begins a list with a header line. Nothing at the path changes before Close. Its errors name the flag that asked for the
// list, and are errors of usage.
func Create(flag, path string, header []string) (*File, error) {
	if err := mayReplace(path, header); err != nil {
		return nil, problem.Usage(fmt.Errorf("create the file for %s: %w", flag, err))
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		if failed, ok := errors.AsType[*os.PathError](err); ok {
			failed.Path = path // not the temporary name
		}
		return nil, problem.Usage(fmt.Errorf("create the file for %s: %w", flag, err))
	}
	r := &File{path: path, flag: flag, file: f, csv: csvout.NewWriter(f)}
	r.Write(header...)
	return r, nil
}

// mayReplace refuses to replace anything but an older list or an empty file: the path may be that of the ledger, the source or the
// configuration by mistake.
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

// Path returns the path of the list.
func (f *File) Path() string { return f.path }

// Write adds a line. Close returns an error of writing.
func (f *File) Write(fields ...string) { f.csv.Write(fields...) }

// TakeBack drops the first line that begins with the fields, if there is one.
func (f *File) TakeBack(fields ...string) { f.dropped = append(f.dropped, fields) }

// drop rewrites the file without the lines that were taken back.
func (f *File) drop() error {
	if len(f.dropped) == 0 {
		return nil
	}
	if _, err := f.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	lines, err := csvout.Read(f.file)
	if err != nil {
		return err
	}
	for _, fields := range f.dropped {
		at := slices.IndexFunc(lines, func(line []string) bool { return len(line) >= len(fields) && slices.Equal(line[:len(fields)], fields) })
		if at >= 0 {
			lines = slices.Delete(lines, at, at+1)
		}
	}
	if _, err := f.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := f.file.Truncate(0); err != nil {
		return err
	}
	for _, line := range lines {
		f.csv.Write(line...)
	}
	return f.csv.Flush()
}

// Close puts the list in its place, or drops it if keep is false.
func (f *File) Close(keep bool) error {
	err := f.csv.Flush()
	if err == nil && keep {
		err = f.drop()
	}
	err = errors.Join(err, f.file.Close())
	if err == nil && keep {
		err = os.Rename(f.file.Name(), f.path)
	}
	if err != nil || !keep {
		err = errors.Join(err, remove(f.file.Name()))
	}
	if err != nil {
		return fmt.Errorf("write the file for %s: %w", f.flag, err)
	}
	return nil
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
