package demo

import (
	"context"
	"database/sql"
	"fmt"
)

const schema = `
CREATE TABLE users (
  id             INTEGER PRIMARY KEY,
  email          TEXT NOT NULL,
  first_name     TEXT,
  last_name      TEXT,
  email_verified BOOLEAN NOT NULL DEFAULT 0,
  newsletter     BOOLEAN NOT NULL DEFAULT 0,
  created_at     TEXT NOT NULL,
  deleted_at     TEXT
)`

// Create makes the users table in an empty SQLite database and fills it.
func Create(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, schema); err != nil {
			return err
		}
		for _, u := range users() {
			var deleted any
			if u.deletedDay != "" {
				deleted = u.deletedDay
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
				u.id, u.email, u.first, u.last, u.verified, u.newsletter, u.created, deleted); err != nil {
				return err
			}
		}
		return nil
	})
}

// Facts are numbers about the database that the story tells.
type Facts struct{ Rows, Unconfirmed, Deleted, OptIns int }

// Count reads the facts.
func Count(ctx context.Context, db *sql.DB) (f Facts, err error) {
	const query = `SELECT count(*), sum(NOT email_verified), sum(deleted_at IS NOT NULL),
		sum(newsletter AND email_verified AND deleted_at IS NULL) FROM users`
	if err := db.QueryRowContext(ctx, query).Scan(&f.Rows, &f.Unconfirmed, &f.Deleted, &f.OptIns); err != nil {
		return Facts{}, fmt.Errorf("count the users: %w", err)
	}
	return f, nil
}

func inTx(ctx context.Context, db *sql.DB, do func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := do(tx); err != nil {
		_ = tx.Rollback() // the first error counts
		return fmt.Errorf("write the users: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("write the users: %w", err)
	}
	return nil
}
