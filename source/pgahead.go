package source

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// aheadKept is how long a connection made ahead counts as alive without a check.
const aheadKept = 10 * time.Second

// pgAhead is a connection that is made before a scan needs it.
type pgAhead struct {
	made chan struct{} // closed when the other fields are set
	at   time.Time
	conn *pgconn.PgConn
	err  error
}

// connectAhead begins to connect for the next scan. Release closes the connection if no scan has taken it.
func (b *pgBackend) connectAhead(ctx context.Context) (release func()) {
	a := &pgAhead{made: make(chan struct{})}
	if !b.ahead.CompareAndSwap(nil, a) { // another connection is waiting
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
	if time.Since(a.at) > aheadKept || ctx.Err() == nil && errors.Is(a.err, context.Canceled) { // or its caller gave up
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
