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

// supply checks what a sync brings to Owlat: when it runs, and its source with the rows.
type supply struct {
	*checker
	sync config.Sync
}

// check checks the schedule, connects to the source, lists its columns and shows its first rows.
func (c supply) check(ctx context.Context) {
	c.schedule()
	s := c.sync
	ctx, cancel := context.WithTimeout(ctx, sourceTimeout)
	defer cancel()
	sample := Sample{Name: s.Name, Source: s.Target.String(), Columns: []Column{}, Rows: []Row{}}
	defer func() { c.report.Syncs = append(c.report.Syncs, sample) }()

	src, closeSource, err := c.Opener.Source(s)
	if err != nil {
		c.failed("source", err)
		return
	}
	defer closeSource()
	c.encoding()
	columns, err := src.Columns(ctx)
	if err != nil {
		c.failed("source", err)
		return
	}
	names := make([]string, len(columns))
	for i, col := range columns {
		sample.Columns = append(sample.Columns, Column{col.Name, col.DatabaseType})
		names[i] = strings.TrimSpace(col.Name + " " + strings.ToLower(col.DatabaseType))
	}
	c.found(Finding{Area: AreaSync, Sync: s.Name, Subject: "columns", Status: OK, Message: strings.Join(names, ", ")})
	if err := src.Check(ctx); err != nil {
		c.failed("mapping", err)
		return
	}
	if s.Cursor.Column != "" {
		c.cursor(ctx, src)
	}
	c.hidden(ctx, src)
	t := newTally(s.Reconcile(src))
	for row, err := range src.Rows(ctx) {
		if errors.Is(err, context.DeadlineExceeded) && t.rows > 0 {
			t.more = true // the rows read so far tell enough
			break
		}
		if err != nil {
			c.failed("rows", err)
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
	duplicates := repeated{c.checker}.find(ctx, s, t, sample.Rows)
	c.judged(t)
	repeated{c.checker}.tell(s, t, duplicates)
	c.clear(t)
	c.neither(t)
	c.lettered(t)
	if len(sample.Rows) > 0 {
		c.Listener.Rows(s, sample.Rows)
	}
}

// schedule warns of a sync that a service runs only when somebody asks. Without settings of a service there is none to run it.
func (c supply) schedule() {
	if c.sync.RunsByItself() || !c.Config.Serves() {
		return
	}
	c.found(Finding{
		Area: AreaSync, Sync: c.sync.Name, Subject: "schedule", Status: Warning, Message: "\"owlat-sync serve\" runs it only when somebody asks: give it a schedule, such as schedule: every 15m, or listen or poll in its source",
	})
}

// cursor tells how changes are read, and whether an index makes that fast.
func (c supply) cursor(ctx context.Context, src *source.Table) {
	s := c.sync
	indexed, err := src.CursorIndexed(ctx)
	f := Finding{Area: AreaSync, Sync: s.Name, Subject: "cursor", Status: OK,
		Message: fmt.Sprintf("runs read only what changed by %s, and all rows once in %s", s.Cursor.Column, words.Span(s.FullEvery))}
	switch {
	case err != nil:
		c.failed("cursor", err)
		return
	case !indexed:
		f.Status = Warning
		f.Message = fmt.Sprintf("the database finds no index by which to look for changes of %s, and would go through whole tables: CREATE INDEX on that column of its table", s.Cursor.Column)
	}
	c.found(f)
}

// hidden tells of what may keep rows from this user.
func (c supply) hidden(ctx context.Context, src *source.Table) {
	switch why, err := src.Hidden(ctx); {
	case err != nil:
		c.failed("hidden rows", err)
	case why != "":
		c.found(Finding{Area: AreaSync, Sync: c.sync.Name, Subject: "hidden rows", Status: Warning, Message: why})
	}
}

func (c supply) failed(subject string, err error) {
	c.fail(exitcode.Of(err), Finding{Area: AreaSync, Sync: c.sync.Name, Subject: subject, Message: err.Error()})
}
