package shelf

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// SecretSize is how many bytes a secret has.
const SecretSize = 32

// Secret returns the secret of the page, which all nodes share, and makes it on first use. It is another one after somebody was forgotten.
func (s *Shelf) Secret(ctx context.Context) (secret []byte, err error) {
	fresh := make([]byte, SecretSize)
	_, _ = rand.Read(fresh) // it never fails
	for range 3 {           // it may be dropped between the two statements
		err = s.pool.QueryRow(ctx, s.secret).Scan(&secret)
		if !errors.Is(err, pgx.ErrNoRows) {
			break
		}
		if _, err = s.pool.Exec(ctx, s.make, fresh); err != nil {
			break
		}
		err = pgx.ErrNoRows
	}
	if err == nil && len(secret) != SecretSize {
		err = errors.New("it has another length")
	}
	if err != nil {
		return nil, fmt.Errorf("read the secret of the page: %w", err)
	}
	return secret, nil
}
