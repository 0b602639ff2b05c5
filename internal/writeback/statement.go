package writeback

import (
	"context"
	"errors"
	"fmt"
	"time"

	"owlatsync/internal/statement"
)

const (
	// statementTimeout is how long one statement may take.
	statementTimeout = 30 * time.Second
	// keyAwaited is how long after a webhook the ledger may still learn which row it is about.
	keyAwaited = time.Minute
)

// Parameters are the names of the parameters that a statement may have.
var Parameters = []string{"email", "contact_id", "key", "topic", "topic_name", "event", "at", "reason"}

// persons are the parameters that name the person.
var persons = []string{"email", "contact_id", "key"}

// Database is where statements run: one of [Postgres], [MySQL] and [SQLite]. Nothing is connected until a target is checked or told.
type Database interface {
	lexicon() statement.Lexicon
	connect(ctx context.Context) (connection, error)
	// stamp is a time in a form that the database takes for one.
	stamp(at time.Time) string
}

// connection runs statements for one batch. Its errors say what to do, and whether the database is down; they may still hold what the
// database repeats of the values.
type connection interface {
	// check prepares the statement at the server and runs nothing.
	check(ctx context.Context, b statement.Bound) error
	// run runs the statement, all or nothing where the database can do that, and returns how many rows it found.
	run(ctx context.Context, b statement.Bound, values []*string) (rows int64, err error)
	close()
}

// Statement runs a statement in a database for each notice.
type Statement struct {
	name, sync string
	bound      statement.Bound
	db         Database
	release    func() error // closes what the database stands on
}

// NewStatement returns the target that runs the text in the database. sync is whose rows' keys :key is. release is called by Close and
// may be nil. A text that is not one statement that writes, or names no person, is an error.
func NewStatement(name, sync, text string, db Database, release func() error) (*Statement, error) {
	bound, err := statement.Bind(text, db.lexicon(), Parameters)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the statement: %w", err)
	case !bound.Has(persons...):
		return nil, errors.New("read the statement: it says of nobody whom it is about; it needs one of :email, :contact_id and :key")
	}
	return &Statement{name, sync, bound, db, release}, nil
}

// Name implements [Target].
func (s *Statement) Name() string { return s.name }

// Sync implements [Target].
func (s *Statement) Sync() string {
	if s.bound.Has("key") {
		return s.sync
	}
	return ""
}

// Writes implements Target.
func (s *Statement) Writes() bool { return true }

// Has reports whether the statement has the parameter.
func (s *Statement) Has(name string) bool { return s.bound.Has(name) }

// Close implements [Target].
func (s *Statement) Close() error {
	if s.release == nil {
		return nil
	}
	return s.release()
}

// Check connects, and lets the server prepare the statement.
func (s *Statement) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	c, err := s.db.connect(ctx)
	if err != nil {
		return clean("connect for the write-back", down(err), Notice{})
	}
	defer c.close()
	return clean("check the statement", settled(c.check(ctx, s.bound)), Notice{})
}

// Deliver runs the statement for each notice, on one connection. With :key it runs once for each row of the person; a person without a row
// is done without it.
func (s *Statement) Deliver(ctx context.Context, notices []Notice) []Result {
	c, err := s.db.connect(ctx)
	if err != nil {
		return all(len(notices), clean("connect for the write-back", down(err), Notice{}))
	}
	defer c.close()
	results := make([]Result, len(notices))
	for i, n := range notices {
		results[i] = s.tell(ctx, c, n)
		if IsDown(results[i].Err) {
			copy(results[i+1:], all(len(notices)-i-1, results[i].Err))
			break
		}
	}
	return results
}

// errNoRow says that the ledger does not know yet whose row a notice is about.
var errNoRow = errors.New("the ledger knows no row of this person yet, so that there is no :key")

func (s *Statement) tell(ctx context.Context, c connection, n Notice) (r Result) {
	keys := []string{""}
	if s.bound.Has("key") {
		if keys = n.Keys; len(keys) == 0 && n.Told.Sub(n.Received) < keyAwaited {
			return Result{Err: errNoRow}
		}
	}
	for _, key := range keys {
		ctx, cancel := context.WithTimeout(ctx, statementTimeout)
		rows, err := c.run(ctx, s.bound, s.values(n, key))
		cancel()
		if err != nil {
			return Result{Err: clean("run the statement", err, n)}
		}
		r.Wrote = r.Wrote || rows > 0 || !s.bound.Counts
	}
	return r
}

// values returns the values of the placeholders; what is not known is NULL, which no comparison finds.
func (s *Statement) values(n Notice, key string) []*string {
	values := make([]*string, len(s.bound.Params))
	for i, name := range s.bound.Params {
		text := ""
		switch name {
		case "email":
			text = n.Email
		case "contact_id":
			text = n.ContactID
		case "key":
			text = key
		case "topic":
			text = n.Topic
		case "topic_name":
			text = n.TopicName
		case "event":
			text = n.Event
		case "reason":
			text = n.Reason
		case "at":
			text = s.db.stamp(n.At.UTC())
		}
		if text != "" {
			values[i] = &text
		}
	}
	return values
}

// clean makes an error one that says what was done and holds nothing about the person.
func clean(doing string, err error, n Notice) error {
	if err == nil {
		return nil
	}
	said := errors.New(doing + ": " + scrub(err.Error(), n))
	if IsWrong(err) {
		said = &SyntaxError{said}
	}
	if IsDown(err) {
		return down(said)
	}
	return said
}
