package checkup

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/garbled"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/scan"
)

// judgedRows is how many rows of a source are judged: enough to tell a wrong column from a few bad rows.
const judgedRows = 10_000

// shownReasons is how many reasons are named for rows that would not be sent.
const shownReasons = 3

// tally counts which rows of a source would be sent.
type tally struct {
	judging *scan.Judge
	rows    int
	reasons map[string]int        // reason → rows that would not be sent
	unclear []unclear             // by topic
	neither map[string]int        // rows in which a column says neither yes nor no on which an event depends, by the event
	lost    map[garbled.Cause]int // rows with lost letters
	more    bool                  // the source has rows that were not read
}

// unclear counts the rows whose consent to a topic is neither yes nor no.
type unclear struct {
	rows    int
	example string // the first value, "" if it is no text
}

func newTally(s reconcile.Sync) *tally {
	return &tally{judging: reconcile.NewJudge(s), reasons: make(map[string]int), lost: make(map[garbled.Cause]int), neither: make(map[string]int), unclear: make([]unclear, len(s.Topics))}
}

// judge counts the row. It returns the row as it would be sent, with the reason if it would not be.
func (t *tally) judge(row *owlatsync.Row, s *config.Sync) Row {
	t.rows++
	t.garbled(row)
	why := t.judging.Row(row)
	if why != "" {
		t.reasons[why]++
	}
	for i := range t.unclear {
		if i >= len(row.Consents) || row.Consents[i] != owlatsync.Unclear {
			continue
		}
		if u := &t.unclear[i]; u.rows == 0 && i < len(row.Unclear) {
			u.example = strings.Clone(row.Unclear[i])
		}
		t.unclear[i].rows++
	}
	for _, ev := range s.Events {
		for _, p := range row.Properties {
			if ev.On == ledger.OnWhen && p.Name == ev.Column && p.Value != nil && owlatsync.ReadConsent(fmt.Sprint(p.Value)) == owlatsync.Unclear {
				t.neither[ev.Name]++
			}
		}
	}
	r := sampleOf(row, s)
	if r.Valid, r.Reason = why == "", why; !r.Valid {
		r.Outcome = owlatsync.Invalid
	}
	return r
}

// unsent counts the rows that would not be sent and says why, the most frequent reason first.
func (t *tally) unsent() (rows int, why string) {
	reasons := slices.SortedFunc(maps.Keys(t.reasons), func(a, b string) int {
		return cmp.Or(t.reasons[b]-t.reasons[a], strings.Compare(a, b))
	})
	var lines []string
	for i, reason := range reasons {
		rows += t.reasons[reason]
		if i < shownReasons {
			lines = append(lines, fmt.Sprintf("%d: %s", t.reasons[reason], reason))
		}
	}
	if others := len(reasons) - shownReasons; others > 0 {
		lines = append(lines, words.Several(others, "other reason", "other reasons"))
	}
	return rows, strings.Join(lines, "\n")
}

// judged tells how many of the rows would be sent. If none would be, a column is wrong, and the check fails.
func (c supply) judged(t *tally) {
	f := Finding{Area: AreaSync, Sync: c.sync.Name, Subject: "rows", Status: OK}
	first := ""
	if t.more {
		first = "the first "
	}
	switch unsent, why := t.unsent(); {
	case t.rows == 0:
		f.Status, f.Message = Warning, "the source has no rows"
	case unsent == 0:
		f.Message = fmt.Sprintf("%s%s would be sent", first, words.Several(t.rows, "row", "rows"))
	case unsent == t.rows:
		f.Message = fmt.Sprintf("none of %s%s would be sent\n%s", first, words.Several(t.rows, "row", "rows"), why)
		c.fail(exitcode.Usage, f)
		return
	default:
		f.Status = Warning
		f.Message = fmt.Sprintf("%d of %s%s would not be sent\n%s", unsent, first, words.Several(t.rows, "row", "rows"), why)
	}
	c.found(f)
}

// clear tells of values of consent columns that mean neither yes nor no.
func (c supply) clear(t *tally) {
	s := c.sync
	first := ""
	if t.more {
		first = "the first "
	}
	for i, u := range t.unclear {
		if u.rows == 0 {
			continue
		}
		such := ""
		if u.example != "" {
			such = fmt.Sprintf(", such as %q", u.example)
		}
		c.found(Finding{
			Area: AreaSync, Sync: s.Name, Subject: "consent", Status: Warning,
			Message: fmt.Sprintf("the column %q says neither yes nor no in %d of %s%s%s\nnobody is put on topic %s or taken off because of it; list its values under \"yes\" and \"no\" of the topic",
				s.Topics[i].When, u.rows, first, words.Plural(t.rows, "row"), such, s.Topics[i].ID),
		})
	}
}

// neither tells of values of the columns of events that mean neither yes nor no.
func (c supply) neither(t *tally) {
	for _, ev := range c.sync.Events {
		if n := t.neither[ev.Name]; n > 0 && ev.On == ledger.OnWhen {
			c.found(Finding{
				Area: AreaSync, Sync: c.sync.Name, Subject: "event", Status: Warning,
				Message: fmt.Sprintf("the column %q says neither yes nor no in %s\nthe event %s is not sent because of it, and nothing arms it again; make a boolean of it in the query",
					ev.Column, words.Several(n, "row", "rows"), ev.Name),
			})
		}
	}
}

// sampleOf returns a row as a run would send it.
func sampleOf(row *owlatsync.Row, s *config.Sync) Row {
	r := Row{Key: row.Key, Position: row.Position.String()}
	for f, field := range row.Fields {
		r.Fields[f] = sampleName(field)
	}
	address, err := owlatsync.NormalizeAddress(row.Email.Value)
	if r.Email = address; err != nil {
		r.Email = owlatsync.Trim(row.Email.Value)
	}
	if s.KeyIsAddress() {
		r.Key = address
	}
	if len(s.Topics) > 0 {
		r.Topics = make(map[string]bool, len(s.Topics))
		for i, t := range s.Topics {
			said := i < len(row.Consents)
			r.Topics[t.ID] = said && row.Consents[i] == owlatsync.Yes
			if said && row.Consents[i] == owlatsync.Unclear {
				r.Unclear = append(r.Unclear, t.ID)
			}
		}
	}
	return r
}

func sampleName(f owlatsync.Field) *string {
	if f.State != owlatsync.Set {
		return nil
	}
	return new(owlatsync.Trim(f.Value))
}
