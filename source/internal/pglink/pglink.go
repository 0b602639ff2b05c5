// Package pglink makes the connections of one source to PostgreSQL: when they are needed, ahead of that, or kept from one scan to the
// next.
package pglink

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"owlatsync/source/internal/pgfault"
)

const (
	// connectTimeout limits a connection attempt unless the DSN has a connect_timeout.
	connectTimeout = 15 * time.Second
	// closeTimeout limits the end of a connection. Of one whose server has gone silent the rest is done behind the caller's back.
	closeTimeout = time.Second
	// readSize is how many bytes are read from the server at once; pgx itself reads 8 KiB.
	readSize = 64 << 10
	// aheadKept is how long a connection made ahead counts as alive without a check.
	aheadKept = 10 * time.Second
	// idleKept is how long a connection is kept that nothing uses, and keptFor how long at all: another server may have the name by then.
	idleKept, keptFor = 5 * time.Minute, 30 * time.Minute
)

// Config reads a connection string and says who connects. Its error holds no part of the string but the names of files.
func Config(connString string) (*pgconn.Config, error) {
	config, err := pgconn.ParseConfig(connString)
	if err != nil {
		if file, ok := errors.AsType[*fs.PathError](err); ok {
			return nil, fmt.Errorf("read a file that the PostgreSQL DSN names: %w", file)
		}
		// The text of the error may hold parts of the password.
		return nil, errors.New("read the PostgreSQL DSN: it is not valid; check its form, its options and the files they name")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "owlat-sync"
	}
	config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		return pgproto3.NewFrontend(bufio.NewReaderSize(r, readSize), w)
	}
	return config, nil
}

// Connect makes a connection.
func Connect(ctx context.Context, config *pgconn.Config) (*pgconn.PgConn, error) {
	conn, err := pgconn.ConnectConfig(ctx, config.Copy())
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", pgfault.Connecting(err))
	}
	return conn, nil
}

// Close closes the connection and waits a moment until nothing of it is left.
func Close(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx)
	select {
	case <-conn.CleanupDone():
	case <-ctx.Done():
	}
}

// Links has the connections that wait for a scan: at most one that is made ahead, and one that is kept. It is safe for concurrent use.
type Links struct {
	config *pgconn.Config

	mu      sync.Mutex
	ahead   *ahead
	keepers int
	idle    *Link // nil: none is kept
	timer   *time.Timer
}

// New returns the connections to a server; it makes none.
func New(config *pgconn.Config) *Links { return &Links{config: config} }

// Link is a connection that somebody uses.
type Link struct {
	*pgconn.PgConn
	Kept bool // it has been idle since an earlier use, and may be broken
	made time.Time
}

// ahead is a connection that is made before a scan needs it.
type ahead struct {
	made chan struct{} // closed when the other fields are set
	at   time.Time
	link *Link
	err  error
}

// Connect makes a connection.
func (l *Links) Connect(ctx context.Context) (*Link, error) {
	conn, err := Connect(ctx, l.config)
	if err != nil {
		return nil, err
	}
	return &Link{PgConn: conn, made: time.Now()}, nil
}

// Ahead begins to connect, unless a connection is waiting. Release closes the connection if nobody has taken it.
func (l *Links) Ahead(ctx context.Context) (release func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ahead != nil || l.idle != nil {
		return func() {}
	}
	a := &ahead{made: make(chan struct{})}
	l.ahead = a
	go func() {
		defer close(a.made)
		a.link, a.err = l.Connect(ctx)
		a.at = time.Now()
	}()
	return func() {
		l.mu.Lock()
		mine := l.ahead == a
		if mine {
			l.ahead = nil
		}
		l.mu.Unlock()
		if mine {
			a.discard()
		}
	}
}

func (a *ahead) discard() {
	if <-a.made; a.link != nil {
		Close(a.link.PgConn)
	}
}

// Get returns a connection that waits, or a new one.
func (l *Links) Get(ctx context.Context) (*Link, error) {
	if link := l.takeIdle(); link != nil {
		return link, nil
	}
	l.mu.Lock()
	a := l.ahead
	l.ahead = nil
	l.mu.Unlock()
	if a == nil {
		return l.Connect(ctx)
	}
	<-a.made
	if time.Since(a.at) > aheadKept || ctx.Err() == nil && errors.Is(a.err, context.Canceled) { // or its caller gave up
		a.discard()
		return l.Connect(ctx)
	}
	return a.link, a.err
}

// takeIdle returns the connection that is kept, nil if there is none.
func (l *Links) takeIdle() *Link {
	l.mu.Lock()
	defer l.mu.Unlock()
	link := l.idle
	if link != nil {
		l.timer.Stop()
		l.idle = nil
	}
	return link
}

// Put takes back a connection outside any transaction. It keeps it for the next use if Keep asks for that, and closes it otherwise.
func (l *Links) Put(link *Link) {
	if !l.keep(link) {
		Close(link.PgConn)
	}
}

func (l *Links) keep(link *Link) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keepers == 0 || l.idle != nil || link.IsClosed() || link.IsBusy() || link.TxStatus() != 'I' || time.Since(link.made) > keptFor {
		return false
	}
	link.Kept = true
	l.idle = link
	l.timer = time.AfterFunc(idleKept, func() {
		l.mu.Lock()
		mine := l.idle == link
		if mine {
			l.idle = nil
		}
		l.mu.Unlock()
		if mine {
			Close(link.PgConn)
		}
	})
	return true
}

// Keep makes Put keep a connection until release is called, which closes it.
func (l *Links) Keep() (release func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keepers++
	return sync.OnceFunc(func() {
		l.mu.Lock()
		l.keepers--
		last := l.keepers == 0
		l.mu.Unlock()
		if !last {
			return
		}
		if link := l.takeIdle(); link != nil {
			Close(link.PgConn)
		}
	})
}

// Age makes the connections that wait older than they are, once they are made. It is for tests.
func (l *Links) Age(by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.ahead; a != nil {
		<-a.made
		a.at = a.at.Add(-by)
	}
	if l.idle != nil {
		l.idle.made = l.idle.made.Add(-by)
	}
}
