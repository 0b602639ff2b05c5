package alert

import (
	"context"
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

// Store keeps what a watcher must not forget. Save replaces it at once, so that a crash leaves the old one or the new one.
type Store interface {
	Load(ctx context.Context) ([]byte, error) // nil: nothing is kept
	Save(ctx context.Context, text []byte) error
}

// file is a Store at a path.
type file string

// Load implements Store.
func (f file) Load(context.Context) ([]byte, error) {
	text, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// load reads what a watcher knext. What is missing or unreadable is an empty record; the error says the latter.
func load(ctx context.Context, from Store) (m record, err error) {
	m.Open = make(map[string]*open)
	text, err := from.Load(ctx)
	if err != nil {
		return m, fmt.Errorf("read which alerts were told: %w", err)
	}
	if text == nil {
		return m, nil
	}
	var known record
	if err := json.Unmarshal(text, &known); err != nil {
		where := "it"
		if f, ok := from.(file); ok {
			where = string(f)
		}
		return m, fmt.Errorf("read which alerts were told: %s is damaged, so they may be told again: %w", where, err)
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

// save keeps the record.
func (m record) save(ctx context.Context, in Store) error {
	text, err := json.MarshalIndent(m, "", " ")
	if err == nil {
		err = in.Save(ctx, text)
	}
	if err != nil {
		return fmt.Errorf("record which alerts were told: %w", err)
	}
	return nil
}

// Save implements Store.
func (f file) Save(_ context.Context, text []byte) (err error) {
	next, err := os.CreateTemp(filepath.Dir(string(f)), filepath.Base(string(f))+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(next.Name())
		}
	}()
	_, err = next.Write(text)
	if err == nil {
		err = next.Sync()
	}
	if err = errors.Join(err, next.Close()); err != nil {
		return err
	}
	return os.Rename(next.Name(), string(f))
}
