package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
)

// sourceTimeout is how long check waits for one source.
const sourceTimeout = 30 * time.Second

// syncSample is what check shows of a source.
type syncSample struct {
	Name    string         `json:"name"`
	Source  string         `json:"source"`
	Columns []sampleColumn `json:"columns"`
	Rows    []sampleRow    `json:"rows"`
}

type sampleColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// sampleRow is a row as it would be sent: personal data that the user asked for.
type sampleRow struct {
	Key       string          `json:"key"`
	Position  string          `json:"position"`
	Email     string          `json:"email"`
	FirstName *string         `json:"firstName,omitempty"`
	LastName  *string         `json:"lastName,omitempty"`
	Topics    map[string]bool `json:"topics,omitempty"`
	Valid     bool            `json:"valid"`
	Reason    string          `json:"reason,omitempty"`
}

// source connects to the source of a sync, lists its columns and shows its first rows.
func (c *checker) source(ctx context.Context, s config.Sync) {
	ctx, cancel := context.WithTimeout(ctx, sourceTimeout)
	defer cancel()
	sample := syncSample{Name: s.Name, Source: s.Target.String(), Columns: []sampleColumn{}, Rows: []sampleRow{}}
	defer func() { c.report.Syncs = append(c.report.Syncs, sample) }()

	src, closeSource, err := openSource(s)
	if err != nil {
		c.sourceFailed(s, "source", err)
		return
	}
	defer closeSource()
	columns, err := src.Columns(ctx)
	if err != nil {
		c.sourceFailed(s, "source", err)
		return
	}
	names := make([]string, len(columns))
	for i, col := range columns {
		sample.Columns = append(sample.Columns, sampleColumn{col.Name, col.DatabaseType})
		names[i] = strings.TrimSpace(col.Name + " " + strings.ToLower(col.DatabaseType))
	}
	c.found(finding{Area: "sync", Sync: s.Name, Subject: "columns", Status: statusOK, Message: strings.Join(names, ", ")})
	if err := src.Check(ctx); err != nil {
		c.sourceFailed(s, "mapping", err)
		return
	}
	for row, err := range src.Rows(ctx) {
		if err != nil {
			c.sourceFailed(s, "rows", err)
			return
		}
		if len(sample.Rows) >= c.rows {
			break
		}
		sample.Rows = append(sample.Rows, sampleOf(row, &s))
	}
	c.samples(s, sample.Rows)
}

func (c *checker) sourceFailed(s config.Sync, subject string, err error) {
	c.fail(exitcode.Of(err), finding{Area: "sync", Sync: s.Name, Subject: subject, Message: err.Error()})
}

// sampleOf judges a row as a run would.
func sampleOf(row *owlatsync.Row, s *config.Sync) sampleRow {
	r := sampleRow{Key: row.Key, Position: row.Position, Reason: row.Defect}
	address, err := owlatsync.NormalizeAddress(row.Email.Value)
	if r.Email = address; err != nil {
		r.Email = owlatsync.Trim(row.Email.Value)
		if r.Reason == "" {
			r.Reason = err.Error()
		}
	}
	r.FirstName = sampleName(row.FirstName, "first", &r)
	r.LastName = sampleName(row.LastName, "last", &r)
	if r.Key == "" && len(s.Key) == 0 {
		r.Key = address
	}
	if len(s.Topics) > 0 {
		r.Topics = make(map[string]bool, len(s.Topics))
		for i, t := range s.Topics {
			r.Topics[t.ID] = i < len(row.Consents) && row.Consents[i]
		}
	}
	r.Valid = r.Reason == ""
	return r
}

func sampleName(f owlatsync.Field, which string, r *sampleRow) *string {
	if f.State != owlatsync.Set {
		return nil
	}
	name := owlatsync.Trim(f.Value)
	if owlatsync.UTF16Len(name) > owlatsync.MaxName && r.Reason == "" {
		r.Reason = fmt.Sprintf("the %s name is longer than Owlat's %d characters", which, owlatsync.MaxName)
	}
	return &name
}

// samples prints the rows as a table.
func (c *checker) samples(s config.Sync, rows []sampleRow) {
	f := finding{Area: "sync", Sync: s.Name, Subject: "first rows", Status: statusOK}
	switch {
	case c.rows == 0:
		return
	case len(rows) == 0:
		f.Status, f.Message = statusWarning, "the source has no rows"
		c.found(f)
		return
	}
	invalid := 0
	for _, r := range rows {
		if !r.Valid {
			invalid++
		}
	}
	if invalid > 0 {
		f.Status, f.Message = statusWarning, fmt.Sprintf("%d of %d would not be sent", invalid, len(rows))
	}
	c.found(f)
	if c.app.json {
		return
	}
	w := tabwriter.NewWriter(c.app.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprint(w, "           KEY\tADDRESS\tFIRST NAME\tLAST NAME")
	for i := range s.Topics {
		_, _ = fmt.Fprintf(w, "\tTOPIC %d", i+1)
	}
	_, _ = fmt.Fprintln(w, "\tVERDICT")
	for _, r := range rows {
		_, _ = fmt.Fprintf(w, "           %s\t%s\t%s\t%s", printable(r.Key), printable(r.Email), orNull(r.FirstName), orNull(r.LastName))
		for _, t := range s.Topics {
			_, _ = fmt.Fprintf(w, "\t%s", yesNo(r.Topics[t.ID]))
		}
		verdict := "ok"
		if !r.Valid {
			verdict = "invalid: " + r.Reason
		}
		_, _ = fmt.Fprintf(w, "\t%s\n", verdict)
	}
	_ = w.Flush()
}

func orNull(s *string) string {
	if s == nil {
		return "-"
	}
	return printable(*s)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
