package alert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// record is what a watcher must not forget: what it has told, and what could not be delivered yet.
type record struct {
	Open    map[string]*open `json:"open"` // by the key of the incident
	Waiting []*waiting       `json:"waiting"`
}

// open is an incident that was told.
type open struct {
	Message  Message   `json:"message"` // the latest that was told
	State    string    `json:"state"`
	OverText string    `json:"over"`
	Since    time.Time `json:"since"`
	Told     time.Time `json:"told"`          // when it was told last
	Gone     time.Time `json:"gone,omitzero"` // since when it is no longer so; zero: it is so
	// To has the subscriptions that took a message about it.
	To []string `json:"to"`
}

// waiting is a message that a channel has not taken yet.
type waiting struct {
	To       string    `json:"to"` // a subscription
	Message  Message   `json:"message"`
	Since    time.Time `json:"since"`
	Attempts int       `json:"attempts"`
	Next     time.Time `json:"next"`
}

// load reads what a watcher knew. A file that is missing or unreadable is an empty record; the error says the latter.
func load(path string) (m record, err error) {
	m.Open = make(map[string]*open)
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return m, nil
	case err != nil:
		return m, fmt.Errorf("read which alerts were told: %w", err)
	}
	var known record
	if err := json.Unmarshal(text, &known); err != nil {
		return m, fmt.Errorf("read which alerts were told: %s is damaged, so they may be told again: %w", path, err)
	}
	for key, o := range known.Open {
		if o != nil {
			m.Open[key] = o
		}
	}
	for _, w := range known.Waiting {
		if w != nil {
			m.Waiting = append(m.Waiting, w)
		}
	}
	return m, nil
}

// save replaces the file at once, so that a crash leaves the old one or the new one.
func (m record) save(path string) (err error) {
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return fmt.Errorf("record which alerts were told: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("record which alerts were told: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
			err = fmt.Errorf("record which alerts were told: %w", err)
		}
	}()
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
