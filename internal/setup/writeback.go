package setup

import (
	"database/sql"
	"errors"
	"fmt"

	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/sourcedsn"
	"owlatsync/internal/writeback"
)

// WriteBacks returns the targets of the configured write-backs, in their order. It connects to nothing. All that is wrong is told at
// once. The caller must close the targets.
func (o Opener) WriteBacks(cfg *config.Config) ([]writeback.Target, error) {
	var targets []writeback.Target
	var wrong problem.Several
	files := make(map[string]string) // names of write-backs by their files
	for _, w := range cfg.WriteBacks {
		target, err := o.WriteBack(w)
		if other := files[w.Path]; err == nil && other != "" { // each takes back what it could not write whole
			err = fmt.Errorf("it appends to the same file as write-back %q: name the events of both in one, or another file", other)
		}
		if err != nil {
			wrong = append(wrong, problem.Usage(fmt.Errorf("write-back %q, from line %d on: %w", w.Name, w.Line, err)))
			continue
		}
		targets = append(targets, target)
		if w.Path != "" {
			files[w.Path] = w.Name
		}
	}
	if err := wrong.Err(); err != nil {
		return nil, errors.Join(err, CloseTargets(targets))
	}
	return targets, nil
}

// CloseTargets closes all targets.
func CloseTargets(targets []writeback.Target) error {
	var errs []error
	for _, t := range targets {
		errs = append(errs, t.Close())
	}
	return errors.Join(errs...)
}

// WriteBack returns the target of one write-back. It connects to nothing. The caller must close the target.
func (o Opener) WriteBack(w config.WriteBack) (writeback.Target, error) {
	switch {
	case w.Hook != nil:
		return orNoTarget(writeback.NewWebhook(w.Name, w.Hook.URL.Reveal(), w.Hook.Secret.Reveal(), o.UserAgent, nil))
	case w.Path != "":
		return writeback.NewFile(w.Name, w.Path), nil
	case w.Statement == nil:
		return nil, errors.New("it says not where: add a statement, a file or a webhook")
	}
	db, release, err := o.writable(w.Statement.Target)
	if err != nil {
		return nil, err
	}
	target, err := writeback.NewStatement(w.Name, w.Statement.Sync, w.Statement.SQL, db, release)
	if err != nil {
		return nil, errors.Join(err, release())
	}
	return target, nil
}

// writable returns a database to write to, and what closes it. It connects to nothing.
func (o Opener) writable(d sourcedsn.DSN) (writeback.Database, func() error, error) {
	none := func() error { return nil }
	switch d.Kind() {
	case sourcedsn.KindPostgres:
		db, err := writeback.Postgres(d.Connection())
		return db, none, err
	case sourcedsn.KindMySQL:
		db, err := o.MySQL(d)
		if err != nil {
			return nil, nil, err
		}
		return writeback.MySQL(db), db.Close, nil
	case sourcedsn.KindSQLite:
		uri, err := d.SQLiteWriteURI()
		if err != nil {
			return nil, nil, err
		}
		db, err := sql.Open(o.Drivers.SQLite, uri)
		if err != nil {
			return nil, nil, err
		}
		return writeback.SQLite(db), db.Close, nil
	}
	return nil, nil, fmt.Errorf("a statement runs in PostgreSQL, MySQL, MariaDB or SQLite, not in a source of kind %q; write to a file or a webhook instead", d.Kind())
}

// orNoTarget keeps a nil pointer from becoming a target.
func orNoTarget[T writeback.Target](target T, err error) (writeback.Target, error) {
	if err != nil {
		return nil, err
	}
	return target, nil
}
