package source

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// aheadKept is how long a connection that was made ahead is taken to be alive without a word.
const aheadKept = 10 * time.Second

// pgAhead is a connection that is made before a scan needs it.
type pgAhead struct {
	made chan struct{} // closed when the others are set
	at   time.Time
	conn *pgconn.PgConn
	err  error
}

// connectAhead begins to connect for the next scan. release gives up a connection that no scan has taken.
func (b *pgBackend) connectAhead(ctx context.Context) (release func()) {
	a := &pgAhead{made: make(chan struct{})}
	if !b.ahead.CompareAndSwap(nil, a) { // somebody else's is waiting
		return func() {}
	}
	go func() {
		defer close(a.made)
		a.conn, a.err = b.connect(ctx)
		a.at = time.Now()
	}()
	return func() {
		if b.ahead.CompareAndSwap(a, nil) {
			a.discard()
		}
	}
}

// connected returns the connection that was made ahead, or a new one.
func (b *pgBackend) connected(ctx context.Context) (*pgconn.PgConn, error) {
	a := b.ahead.Swap(nil)
	if a == nil {
		return b.connect(ctx)
	}
	<-a.made
	if time.Since(a.at) > aheadKept || ctx.Err() == nil && errors.Is(a.err, context.Canceled) { // or who asked for it gave up
		a.discard()
		return b.connect(ctx)
	}
	return a.conn, a.err
}

func (a *pgAhead) discard() {
	if <-a.made; a.conn != nil {
		closePostgres(a.conn)
	}
}
