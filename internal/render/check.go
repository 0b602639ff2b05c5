package render

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"owlatsync"
	"owlatsync/internal/checkup"
	"owlatsync/internal/config"
	"owlatsync/internal/words"
)

// Check shows checks as text while they are made. As JSON it shows nothing, because the report has everything.
type Check struct {
	to      To
	urlFrom string // the variable that the deployment's address comes from; empty: the file
}

var _ checkup.Listener = (*Check)(nil)

// NewCheck returns a Check. urlFrom names the variable that the deployment's address comes from; empty: it comes from the file.
func NewCheck(to To, urlFrom string) *Check { return &Check{to, urlFrom} }

func (c *Check) text(format string, args ...any) {
	if !c.to.JSON {
		c.to.printf(format, args...)
	}
}

// Owlat writes the heading of the checks of the deployment.
func (c *Check) Owlat(o config.Owlat) {
	origin := ""
	if c.urlFrom != "" {
		origin = " (from " + c.urlFrom + ")"
	}
	c.text("Owlat at %s%s\n", o.URL, origin)
}

// Ledger writes the heading of the check of the ledger.
func (c *Check) Ledger(path string) { c.text("Ledger %s\n", path) }

// Source writes the heading of the checks of a sync's source.
func (c *Check) Source(s config.Sync) { c.text("Sync %s from %s\n", s.Name, s.Target) }

// Feedback writes the heading of the checks of webhooks and write-backs.
func (c *Check) Feedback() { c.text("Webhooks and write-backs\n") }

// Found shows the result of a check.
func (c *Check) Found(f checkup.Finding) {
	message := ""
	if f.Message != "" {
		message = ": " + strings.ReplaceAll(f.Message, "\n", "\n           ")
	}
	c.text("  %-8s %s%s\n", f.Status, f.Subject, message)
}

// Rows shows the rows as a table.
func (c *Check) Rows(s config.Sync, rows []checkup.Row) {
	if c.to.JSON {
		return
	}
	w := tabwriter.NewWriter(c.to.W, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprint(w, "           KEY\tADDRESS")
	for _, f := range owlatsync.ContactFields {
		_, _ = fmt.Fprintf(w, "\t%s", strings.ToUpper(f.Label()))
	}
	for i := range s.Topics {
		_, _ = fmt.Fprintf(w, "\tTOPIC %d", i+1)
	}
	_, _ = fmt.Fprintln(w, "\tVERDICT")
	for _, r := range rows {
		_, _ = fmt.Fprintf(w, "           %s\t%s", short(r.Key), short(r.Email))
		for _, text := range r.Fields {
			_, _ = fmt.Fprintf(w, "\t%s", orNull(text))
		}
		for _, t := range s.Topics {
			says := words.YesNo(r.Topics[t.ID])
			if slices.Contains(r.Unclear, t.ID) {
				says = "unclear"
			}
			_, _ = fmt.Fprintf(w, "\t%s", says)
		}
		verdict := "ok"
		if !r.Valid {
			verdict = string(r.Outcome) + ": " + r.Reason
		}
		_, _ = fmt.Fprintf(w, "\t%s\n", verdict)
	}
	_ = w.Flush()
}

// shownWidth is how many characters of a value the table shows.
const shownWidth = 60

// short returns a value as the table shows it.
func short(s string) string {
	if utf8.RuneCountInString(s) > shownWidth {
		s = string([]rune(s)[:shownWidth-3]) + "..."
	}
	return words.Printable(s)
}

func orNull(s *string) string {
	if s == nil {
		return "-"
	}
	return short(*s)
}
