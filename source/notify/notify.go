// Package notify listens to the notifications of a PostgreSQL server, as NOTIFY and pg_notify send them. It connects again whenever the
// connection is lost.
//
// The idea to know: notifications are hints. Those that are sent while nobody listens are lost, so after each beginning of the
// listening something may have changed.
package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"owlatsync/source/internal/pgask"
	"owlatsync/source/internal/pgfault"
	"owlatsync/source/internal/pglink"
)

const (
	// firstPause and longestPause are how long a listener waits before it connects again; the pause doubles each time.
	firstPause, longestPause = 250 * time.Millisecond, time.Minute
	// steady is how long a connection must last to begin with the first pause again.
	steady = 10 * time.Second
	// askEvery is how often a silent connection is asked whether it is alive, and answerWithin how long it may take to answer.
	askEvery, answerWithin = 30 * time.Second, 10 * time.Second
	// longestName is the most bytes of a channel's name that the server tells apart.
	longestName = 63
)

// Told is what a listener tells, one call at a time. The functions should return soon: meanwhile nothing is heard.
type Told struct {
	// Listening tells that the listener hears the channels from now on, at the beginning and each time after Lost: what was sent before is
	// not told.
	Listening func()
	// Notice tells one notification. The server tells several of one transaction with the same payload once.
	Notice func(channel, payload string)
	// Lost tells why nothing is heard, and when the next attempt follows.
	Lost func(err error, pause time.Duration)
}

// Listener listens to channels of one server. It is safe for concurrent use; each Listen has a connection of its own.
type Listener struct {
	config   *pgconn.Config
	listen   string // the statement
	askEvery time.Duration
}

// New returns a listener to the channels, whose names count as they are written. The connection string has the forms that source.Postgres
// takes. It must lead to the server or to a pooler of sessions: a pooler of transactions, such as PgBouncer, passes no notifications on. New
// connects to nothing. Its error is about the connection string or a channel.
func New(connString string, channels ...string) (*Listener, error) {
	config, err := pglink.Config(connString)
	if err != nil {
		return nil, err
	}
	pgask.TakeSettings(config) // they are about queries
	if len(channels) == 0 {
		return nil, errors.New("listen to PostgreSQL: there is no channel")
	}
	var statements []string
	for _, name := range channels {
		if name == "" || len(name) > longestName || strings.ContainsRune(name, 0) {
			return nil, fmt.Errorf("listen to PostgreSQL: the name of a channel has 1 to %d bytes, and none of them is 0", longestName)
		}
		if s := `LISTEN "` + strings.ReplaceAll(name, `"`, `""`) + `"`; !slices.Contains(statements, s) {
			statements = append(statements, s)
		}
	}
	return &Listener{config: config, listen: strings.Join(statements, "; "), askEvery: askEvery}, nil
}

// Listen tells what it hears until ctx ends, and returns the cause of that. It connects again after pauses that grow up to a minute.
func (l *Listener) Listen(ctx context.Context, tell Told) error {
	pause := firstPause
	for {
		began := time.Now()
		err := l.session(ctx, tell)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if time.Since(began) > steady {
			pause = firstPause
		}
		tell.Lost(err, pause)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

// session listens until the connection is lost.
func (l *Listener) session(ctx context.Context, tell Told) error {
	config := l.config.Copy()
	config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) { tell.Notice(n.Channel, n.Payload) }
	conn, err := pglink.Connect(ctx, config)
	if err != nil {
		return err
	}
	defer pglink.Close(conn)
	if _, err := conn.Exec(ctx, l.listen).ReadAll(); err != nil {
		return fmt.Errorf("listen to PostgreSQL: %w", pgfault.Explain(err, ""))
	}
	tell.Listening()
	for ctx.Err() == nil {
		if err := l.wait(ctx, conn); err != nil {
			return fmt.Errorf("listen to PostgreSQL: %w", pgfault.Explain(err, ""))
		}
	}
	return nil
}

// wait waits for a notification for a while, and then asks whether the server is still there.
func (l *Listener) wait(ctx context.Context, conn *pgconn.PgConn) error {
	silence, cancel := context.WithTimeout(ctx, l.askEvery)
	defer cancel()
	err := conn.WaitForNotification(silence)
	if err == nil || conn.IsClosed() || silence.Err() == nil {
		return err
	}
	asked, cancelAsked := context.WithTimeout(ctx, answerWithin)
	defer cancelAsked()
	_, err = conn.Exec(asked, "SELECT 1").ReadAll()
	return err
}
