package writeback

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Message is what files and webhooks are told, as JSON. Fields that are not known are left out.
type Message struct {
	ID        int64     `json:"id"` // the same each time it is told
	Event     string    `json:"event"`
	At        time.Time `json:"at"`
	Email     string    `json:"email,omitempty"`
	ContactID string    `json:"contact_id,omitempty"`
	Topic     string    `json:"topic,omitempty"`
	TopicName string    `json:"topic_name,omitempty"`
	Reason    string    `json:"reason,omitempty"`
}

// body returns the message of a notice as one line of JSON without its end.
func body(n Notice) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(Message{n.ID, n.Event, n.At.UTC(), n.Email, n.ContactID, n.Topic, n.TopicName, n.Reason}) // texts and numbers can be encoded
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// File appends lines of JSON (NDJSON) to a file. It opens the file for each batch, so that other programs may rename or remove it
// at any time. The lines are on the disk before they count as told.
type File struct{ name, path string }

// NewFile returns the target that appends to the file at the path. It opens nothing.
func NewFile(name, path string) *File { return &File{name, path} }

// Name implements [Target].
func (f *File) Name() string { return f.name }

// Sync implements [Target].
func (f *File) Sync() string { return "" }

// Writes implements Target.
func (f *File) Writes() bool { return false }

// Close implements [Target].
func (f *File) Close() error { return nil }

// Check tells whether the file can be written or created. It creates no file of that name, because a service may create it meanwhile.
func (f *File) Check(context.Context) error {
	if _, err := os.Stat(f.path); !errors.Is(err, fs.ErrNotExist) {
		file, err := f.open()
		if err != nil {
			return err
		}
		return f.wrap(file.Close())
	}
	trial, err := os.CreateTemp(filepath.Dir(f.path), ".owlat-sync-*")
	if err != nil {
		return f.wrap(err)
	}
	return f.wrap(errors.Join(trial.Close(), os.Remove(trial.Name())))
}

// Deliver appends the notices, all or none.
func (f *File) Deliver(_ context.Context, notices []Notice) []Result {
	var lines []byte
	for _, n := range notices {
		lines = append(append(lines, body(n)...), '\n')
	}
	return all(len(notices), down(f.append(lines)))
}

func (f *File) append(lines []byte) (err error) {
	_, statErr := os.Stat(f.path)
	file, err := f.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.wrap(file.Close())) }()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return f.wrap(err)
	}
	if torn, err := endsTorn(file, size); err != nil {
		return f.wrap(err)
	} else if torn { // what a failure of power has cut off stays a line of its own
		lines = append([]byte{'\n'}, lines...)
	}
	if _, err = file.Write(lines); err == nil {
		err = file.Sync()
	}
	if err != nil {
		// Half a line must not stay. Where even that fails, the next line begins on its own.
		return f.wrap(errors.Join(err, file.Truncate(size)))
	}
	if errors.Is(statErr, fs.ErrNotExist) {
		return f.wrap(syncFolder(filepath.Dir(f.path)))
	}
	return nil
}

// open opens the file for appending, or creates it for its owner alone, because it holds addresses.
func (f *File) open() (*os.File, error) {
	if info, err := os.Stat(f.path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("write feedback to %s: it is no ordinary file; name another one", f.path)
	}
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, f.wrap(err)
	}
	return file, nil
}

func (f *File) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write feedback to a file: %w", err)
}

// endsTorn reports whether the last line has no end.
func endsTorn(file *os.File, size int64) (bool, error) {
	if size == 0 {
		return false, nil
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, size-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}
