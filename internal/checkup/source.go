package checkup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/words"
	"owlatsync/source"
)

// sourceTimeout is how long a check waits for one source.
const sourceTimeout = 30 * time.Second

// Sample is what is shown of a source.
type Sample struct {
	Name    string   `json:"name"`
	Source  string   `json:"source"`
	Columns []Column `json:"columns"`
	Rows    []Row    `json:"rows"`
}

// Column is a column of the source, and the database's name of its type.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Row is a row as it would be sent. It is personal data that the user asked for.
type Row struct {
	Key      string
	Position string
	Email    string
	Fields   [owlatsync.NumContactFields]*string
	Topics   map[string]bool
	Unclear  []string // ids of topics about which the row says neither yes nor no
	Valid    bool
	Reason   string
	Outcome  owlatsync.Outcome
}

// MarshalJSON writes the row with the names of its fields.
func (r Row) MarshalJSON() ([]byte, error) {
	o := words.Object{{Name: "key", Value: r.Key}, {Name: "position", Value: r.Position}, {Name: "email", Value: r.Email}}
	for _, f := range owlatsync.ContactFields {
		if text := r.Fields[f]; text != nil {
			o = append(o, words.Member{Name: f.Name(), Value: *text})
		}
	}
	if len(r.Topics) > 0 {
		o = append(o, words.Member{Name: "topics", Value: r.Topics})
	}
	if len(r.Unclear) > 0 {
		o = append(o, words.Member{Name: "unclear", Value: r.Unclear})
	}
	return append(o, words.Member{Name: "valid", Value: r.Valid}, words.Text("reason", r.Reason)).MarshalJSON()
}

// source connects to the source of a sync, lists its columns and shows its first rows.
func (c *checker) source(ctx context.Context, s config.Sync) {
	ctx, cancel := context.WithTimeout(ctx, sourceTimeout)
	defer cancel()
	sample := Sample{Name: s.Name, Source: s.Target.String(), Columns: []Column{}, Rows: []Row{}}
	defer func() { c.report.Syncs = append(c.report.Syncs, sample) }()

	src, closeSource, err := c.Opener.Source(s)
	if err != nil {
		c.sourceFailed(s, "source", err)
		return
	}
	defer closeSource()
	c.encoding(s)
	columns, err := src.Columns(ctx)
	if err != nil {
		c.sourceFailed(s, "source", err)
		return
	}
	names := make([]string, len(columns))
	for i, col := range columns {
		sample.Columns = append(sample.Columns, Column{col.Name, col.DatabaseType})
		names[i] = strings.TrimSpace(col.Name + " " + strings.ToLower(col.DatabaseType))
	}
	c.found(Finding{Area: AreaSync, Sync: s.Name, Subject: "columns", Status: OK, Message: strings.Join(names, ", ")})
	if err := src.Check(ctx); err != nil {
		c.sourceFailed(s, "mapping", err)
		return
	}
	if s.Cursor.Column != "" {
		c.cursor(ctx, s, src)
	}
	c.hidden(ctx, s, src)
	t := newTally(s.Reconcile(src))
	for row, err := range src.Rows(ctx) {
		if errors.Is(err, context.DeadlineExceeded) && t.rows > 0 {
			t.more = true // the rows read so far tell enough
			break
		}
		if err != nil {
			c.sourceFailed(s, "rows", err)
			return
		}
		if t.rows >= max(judgedRows, c.Rows) {
			t.more = true
			break
		}
		if r := t.judge(row, &s); len(sample.Rows) < c.Rows {
			sample.Rows = append(sample.Rows, r)
		}
	}
	duplicates := repeated{c}.find(ctx, s, t, sample.Rows)
	c.judged(s, t)
	repeated{c}.tell(s, t, duplicates)
	values{c}.clear(s, t)
	values{c}.neither(s, t)
	c.lettered(s, t)
	if len(sample.Rows) > 0 {
		c.Listener.Rows(s, sample.Rows)
	}
}

// cursor tells how changes are read, and whether an index makes that fast.
func (c *checker) cursor(ctx context.Context, s config.Sync, src *source.Table) {
	indexed, err := src.CursorIndexed(ctx)
	f := Finding{Area: AreaSync, Sync: s.Name, Subject: "cursor", Status: OK,
		Message: fmt.Sprintf("runs read only what changed by %s, and all rows once in %s", s.Cursor.Column, words.Span(s.FullEvery))}
	switch {
	case err != nil:
		c.sourceFailed(s, "cursor", err)
		return
	case !indexed:
		f.Status = Warning
		f.Message = fmt.Sprintf("the database finds no index by which to look for changes of %s, and would go through whole tables: CREATE INDEX on that column of its table", s.Cursor.Column)
	}
	c.found(f)
}

// hidden tells of what may keep rows from this user.
func (c *checker) hidden(ctx context.Context, s config.Sync, src *source.Table) {
	switch why, err := src.Hidden(ctx); {
	case err != nil:
		c.sourceFailed(s, "hidden rows", err)
	case why != "":
		c.found(Finding{Area: AreaSync, Sync: s.Name, Subject: "hidden rows", Status: Warning, Message: why})
	}
}

func (c *checker) sourceFailed(s config.Sync, subject string, err error) {
	c.fail(exitcode.Of(err), Finding{Area: AreaSync, Sync: s.Name, Subject: subject, Message: err.Error()})
}
