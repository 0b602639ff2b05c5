// Package shelf keeps who is signed in to the page in the PostgreSQL of a ledger, so that every node knows it, and a restart signs nobody out. Beside it is the
// secret from which the page's ids of persons follow.
//
// The idea to know: of sessions it has hashes alone, and goes by the server's clock. Nothing that can be read here signs anybody in.
package shelf

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"owlatsync/internal/session"
)

// Shelf keeps sessions. It is safe for concurrent use.
type Shelf struct {
	pool *pgxpool.Pool
	// The statements, with the names of the schema's tables.
	put, find, use, drop, secret, make string
}

var _ session.Shelf = (*Shelf)(nil)

// most is how many sessions are kept: beyond it the one that was used longest ago ends.
const most = 10_000

// New returns the shelf in the schema of a ledger.
func New(pool *pgxpool.Pool, schema string) *Shelf {
	table, secrets := pgx.Identifier{schema, "sessions"}.Sanitize(), pgx.Identifier{schema, "secrets"}.Sanitize()
	return &Shelf{
		pool: pool,
		put: `WITH over AS (DELETE FROM ` + table + ` WHERE used < now() - $4::interval OR began < now() - $5::interval
				OR hash IN (SELECT hash FROM ` + table + fmt.Sprintf(` ORDER BY used DESC OFFSET %d))`, most-1) + `
			INSERT INTO ` + table + ` (hash, name, account, began, used) VALUES ($1, $2, $3, now(), now())`,
		find: `SELECT name, account, extract(epoch FROM now() - began)::float8, extract(epoch FROM now() - used)::float8 FROM ` + table + ` WHERE hash = $1`,
		use:  `UPDATE ` + table + ` SET used = now() WHERE hash = $1`,
		drop: `DELETE FROM ` + table + ` WHERE hash = $1`,

		secret: `SELECT secret FROM ` + secrets + ` WHERE name = 'page'`,
		make:   `INSERT INTO ` + secrets + ` (name, secret) VALUES ('page', $1) ON CONFLICT (name) DO NOTHING`,
	}
}

// Put implements session.Shelf.
func (s *Shelf) Put(ctx context.Context, hash session.Hash, name string, account session.Hash) error {
	if _, err := s.pool.Exec(ctx, s.put, hash[:], []byte(name), account[:], session.Idle, session.Life); err != nil {
		return fmt.Errorf("keep who has signed in: %w", err)
	}
	return nil
}

// Find implements session.Shelf.
func (s *Shelf) Find(ctx context.Context, hash session.Hash) (k session.Kept, there bool, err error) {
	var name, account []byte
	var age, rest float64
	err = s.pool.QueryRow(ctx, s.find, hash[:]).Scan(&name, &account, &age, &rest)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return k, false, nil
	case err != nil:
		return k, false, fmt.Errorf("look up who is signed in: %w", err)
	}
	k.Name, k.Age, k.Rest = string(name), seconds(age), seconds(rest)
	copy(k.Account[:], account)
	return k, true, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Use implements session.Shelf.
func (s *Shelf) Use(ctx context.Context, hash session.Hash) error {
	if _, err := s.pool.Exec(ctx, s.use, hash[:]); err != nil {
		return fmt.Errorf("note that somebody who is signed in does something: %w", err)
	}
	return nil
}

// Drop implements session.Shelf.
func (s *Shelf) Drop(ctx context.Context, hash session.Hash) error {
	if _, err := s.pool.Exec(ctx, s.drop, hash[:]); err != nil {
		return fmt.Errorf("forget who was signed in: %w", err)
	}
	return nil
}
