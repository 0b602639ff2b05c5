package render

import (
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"owlatsync"
	"owlatsync/internal/csvout"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// troubleJSON is what "failures --json" prints for each line of the list.
type troubleJSON struct {
	Type     string     `json:"type"`
	Sync     string     `json:"sync"`
	Key      string     `json:"key"`
	Position string     `json:"position,omitempty"` // where the source has the row; only of "invalid" and "duplicate"
	Email    string     `json:"email,omitempty"`
	What     string     `json:"what"` // "row", "event", "topic", "invalid" or "duplicate"
	Category string     `json:"category"`
	Reason   string     `json:"reason"`
	Attempts int        `json:"attempts"`
	First    time.Time  `json:"first,omitzero"`
	Last     time.Time  `json:"last,omitzero"`
	NextTry  *time.Time `json:"next_try,omitempty"` // absent: no run tries it again by itself
	Parked   bool       `json:"parked"`
}

// NewTrouble returns a failure as "failures --json" prints it.
func NewTrouble(t reconcile.Trouble) any {
	j := troubleJSON{
		Type: "failure", Sync: t.Sync, Key: t.Key, Position: t.Position, Email: t.Address, What: t.What, Category: string(t.Category), Reason: t.Reason,
		Attempts: t.Attempts, First: t.First, Last: t.Last, Parked: t.Parked,
	}
	if !t.NextTry.IsZero() {
		j.NextTry = &t.NextTry
	}
	return j
}

// TroubleColumns are the columns of a list of failures.
var TroubleColumns = []string{"sync", "key", "email", "what", "category", "reason", "attempts", "first", "last", "next_try", "parked", "position"}

// Troubles shows failures as they come, and counts them.
type Troubles struct {
	to    To
	list  List              // nil: no list was asked for
	csv   *csvout.Writer    // writes to W in place of text; nil: no CSV
	table *tabwriter.Writer // nil: only the end is text
	cells cells             // of the table

	failing, parked, unknown int
	refused                  int       // rows of the source that cannot be sent
	unconfirmed              int       // people whom Owlat asks no second time to confirm
	next                     time.Time // time of the next attempt
}

// NewTroubles returns Troubles that show text or JSON.
func NewTroubles(to To) *Troubles {
	t := &Troubles{to: to}
	if !to.JSON {
		t.table = tabwriter.NewWriter(to.W, 0, 0, 2, ' ', 0)
	}
	return t
}

// NewTroublesCSV returns Troubles that show CSV.
func NewTroublesCSV(to To) *Troubles {
	t := &Troubles{to: to, csv: csvout.NewWriter(to.W)}
	t.csv.Write(TroubleColumns...)
	return t
}

// NewTroublesIn returns Troubles that put failures on a list and show only the end.
func NewTroublesIn(to To, list List) *Troubles { return &Troubles{to: to, list: list} }

// Row shows what is wrong with a row.
func (l *Troubles) Row(t reconcile.Trouble) error {
	l.count(t)
	switch {
	case l.csv != nil:
		l.csv.Write(troubleFields(t)...)
	case l.list != nil:
		l.list.Write(troubleFields(t)...)
	case l.to.JSON:
		return l.to.json(NewTrouble(t))
	default:
		if l.lines() == 1 {
			_, _ = fmt.Fprintln(l.table, "SYNC\tKEY\tADDRESS\tWHAT\tATTEMPTS\tNEXT TRY\tREASON")
		}
		_, _ = fmt.Fprintf(l.table, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", t.Sync, l.cells.fit(words.OrElse(t.Key, t.Position)), l.cells.fit(t.Address), t.What, t.Attempts, NextTry(t), l.to.Typed.Complete(t.Reason))
	}
	return nil
}

func troubleFields(t reconcile.Trouble) []string {
	return []string{t.Sync, t.Key, t.Address, t.What, string(t.Category), t.Reason, strconv.Itoa(t.Attempts),
		stamp(t.First), stamp(t.Last), stamp(t.NextTry), strconv.FormatBool(t.Parked), t.Position}
}

func refused(t reconcile.Trouble) bool {
	return t.What == string(owlatsync.Invalid) || t.What == string(owlatsync.Duplicate)
}

// lines counts all lines.
func (l *Troubles) lines() int { return l.failing + l.unknown + l.refused + l.unconfirmed }

func (l *Troubles) count(t reconcile.Trouble) {
	switch {
	case refused(t):
		l.refused++
	case t.Category == ledger.CategoryUnconfirmed:
		l.unconfirmed++
	case t.What != "row":
		l.unknown++
	case t.Parked:
		l.failing++
		l.parked++
	default:
		l.failing++
		if l.next.IsZero() || t.NextTry.Before(l.next) {
			l.next = t.NextTry
		}
	}
}

// NextTry says when a failure is tried again.
func NextTry(t reconcile.Trouble) string {
	switch {
	case refused(t):
		return "when it changes"
	case t.What != "row":
		return "never"
	case t.Parked:
		return "when it changes"
	case !t.NextTry.After(time.Now()):
		return "next run"
	}
	return "after " + words.Clock(t.NextTry)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// End says how many failures there are and what can be done. It returns an error of writing.
func (l *Troubles) End() error {
	switch {
	case l.csv != nil:
		return l.csv.Flush()
	case l.to.JSON:
		return nil
	case l.list != nil:
		l.to.printf("written to %s, with addresses: %s\n", l.list.Path(), words.Plural(l.lines(), "line"))
		return nil
	case l.lines() == 0:
		l.to.printf("Nothing fails.\n")
		return nil
	}
	if err := l.table.Flush(); err != nil {
		return err
	}
	l.cells.end(l.to)
	l.to.printf("\n")
	if l.failing > 0 {
		l.to.printf("%s%s.\n", words.Several(l.failing, "row fails", "rows fail"), l.tries())
	}
	if l.refused > 0 {
		l.to.printf("%s be sent until the source has changed.\n", words.Several(l.refused, "row cannot", "rows cannot"))
	}
	if l.unknown > 0 {
		l.to.printf("%s unknown and never repeated; look in Owlat what arrived.\n", words.Several(l.unknown, "outcome is", "outcomes are"))
	}
	if l.unconfirmed > 0 {
		l.to.printf("%s for a confirmation that Owlat does not ask for again; the reason says what they can do.\n",
			words.Several(l.unconfirmed, "person waits", "people wait"))
	}
	return nil
}

// tries says when the failing rows are tried again.
func (l *Troubles) tries() string {
	text := ""
	if waiting := l.failing - l.parked; waiting > 0 && l.next.After(time.Now()) {
		text += fmt.Sprintf("; %s tried again by runs after %s", words.Several(waiting, "is", "are"), words.Clock(l.next))
	} else if waiting > 0 {
		text += fmt.Sprintf("; %s tried again by the next run", words.Several(waiting, "is", "are"))
	}
	if l.parked > 0 {
		text += fmt.Sprintf("; %s left alone until the row changes, or \"owlat-sync retry KEY\" asks for it", words.Several(l.parked, "is", "are"))
	}
	return text
}
