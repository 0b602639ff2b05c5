package demo

import (
	"context"
	"database/sql"
)

// Contact is a person in Owlat before the first run.
type Contact struct {
	Email, FirstName, LastName string
	Unsubscribed               bool // from everything
}

// Before returns the contacts that Owlat has before the first run. All are users too, and two have agreed to the newsletter: the
// sync must keep what Owlat knows about them.
func Before() []Contact {
	all := users()
	at := func(id int) Contact {
		u := all[id-1]
		return Contact{Email: u.email, FirstName: *u.first, LastName: *u.last}
	}
	left, nameless := at(2), at(8)
	left.Unsubscribed = true
	nameless.FirstName, nameless.LastName = "", ""
	return []Contact{left, nameless, at(12)}
}

// Leaver is the address of a user who agreed to the newsletter and then leaves it by the link in a mail.
func Leaver() string { return users()[leaverID-1].email }

const leaverID = 11

// Change is a change of the database between two runs.
type Change struct {
	What string // for a person
	sql  string
	args []any
}

// Changes returns the changes between the first and the second run.
func Changes() []Change {
	return []Change{
		{"user 6 has a new last name", "UPDATE users SET last_name = 'Horvat-Weber' WHERE id = 6", nil},
		{"user 9 has a new address", "UPDATE users SET email = 'haruto.new@example.com' WHERE id = 9", nil},
		{"user 13 confirms the address", "UPDATE users SET email_verified = 1 WHERE id = 13", nil},
		{"user 1 no longer wants the newsletter", "UPDATE users SET newsletter = 0 WHERE id = 1", nil},
		{"user 11, who has left the newsletter in Owlat, corrects the first name", "UPDATE users SET first_name = 'Hugo Jean' WHERE id = ?", []any{leaverID}},
		{"users 151 and 152 sign up, one of them with the newsletter", `INSERT INTO users VALUES
			(151, 'noor.visser@example.org', 'Noor', 'Visser', 1, 1, '2026-11-02', NULL), (152, 'tomas.dvorak@example.net', 'Tomáš', 'Dvořák', 1, 0, '2026-11-02', NULL)`, nil},
	}
}

// Apply makes the changes in the database.
func Apply(ctx context.Context, db *sql.DB, changes []Change) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		for _, c := range changes {
			if _, err := tx.ExecContext(ctx, c.sql, c.args...); err != nil {
				return err
			}
		}
		return nil
	})
}
