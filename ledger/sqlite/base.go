package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"owlatsync/ledger"
)

// maxReaders bounds the connections that short reads share; streams have their own.
const maxReaders = 4

// base is the file and the connections to it.
type base struct {
	path string // as given, for messages
	file string // absolute and without symbolic links, so that one file has one lock

	write   chan struct{} // holds one token while somebody uses writer
	writer  *writer
	readers *sql.DB
	streams *sql.DB // connections that a caller's loop body may keep for long
	queue   queue

	closed chan struct{}
	close  sync.Once
}

// openReaders opens connections like the writer's for reading.
func (b *base) openReaders(writing *connector) {
	reading, streaming := *writing, *writing
	reading.pragmas, streaming.pragmas = readerPragmas, streamPragmas
	b.readers, b.streams = sql.OpenDB(&reading), sql.OpenDB(&streaming)
	b.readers.SetMaxOpenConns(maxReaders)
	b.readers.SetMaxIdleConns(maxReaders)
	b.streams.SetMaxIdleConns(1)
}

func (b *base) closeConnections() error {
	var errs []error
	for _, db := range []*sql.DB{b.readers, b.streams} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if b.writer != nil {
		errs = append(errs, b.writer.close())
	}
	return errors.Join(errs...)
}

// query calls each for every row of a short read.
func (b *base) query(ctx context.Context, query string, args []any, each func(*sql.Rows) error) error {
	rows, err := b.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	return eachRow(rows, each)
}

func eachRow(rows *sql.Rows, each func(*sql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// forgetSecret returns the secret, nil where nobody ever was forgotten.
func (b *base) forgetSecret(ctx context.Context) ([]byte, error) {
	var text string
	err := b.readers.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?1", forgetSecret).Scan(&text)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return decodeSecret(text)
}

// update waits for the writer and runs fn in one transaction.
func (b *base) update(ctx context.Context, doing string, d durability, fn func(*tx) error) error {
	if err := b.transact(ctx, d, fn); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

func (b *base) transact(ctx context.Context, d durability, fn func(*tx) error) error {
	if err := b.takeWriter(ctx); err != nil {
		return err
	}
	defer b.leaveWriter()
	return explain(context.WithoutCancel(ctx), b.writer.transact(ctx, d, fn))
}

func (b *base) takeWriter(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if b.isClosed() {
		return ledger.ErrClosed
	}
	select {
	case b.write <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-b.closed:
		return ledger.ErrClosed
	}
}

func (b *base) leaveWriter() { <-b.write }

func (b *base) isClosed() bool {
	select {
	case <-b.closed:
		return true
	default:
		return false
	}
}
