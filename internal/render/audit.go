package render

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"owlatsync/internal/words"
	"owlatsync/ledger"
)

// auditJSON is what "audit --json" prints for each line.
type auditJSON struct {
	Type   string      `json:"type"`
	Number int64       `json:"number"`
	At     time.Time   `json:"at"`
	Who    string      `json:"who"`
	Way    ledger.Way  `json:"by"`
	What   ledger.Deed `json:"what"`
	Sync   string      `json:"sync,omitempty"`
	Run    int64       `json:"run,omitempty"`
	Count  int         `json:"count,omitempty"`
}

// Audit shows who asked for what, in the given order. More says that there may be earlier lines.
func Audit(to To, all []ledger.AuditLine, more bool) error {
	if to.JSON {
		for _, l := range all {
			if err := to.json(auditJSON{"audit", l.Number, l.At, l.Who, l.Way, l.What, l.Sync, l.Run, l.Count}); err != nil {
				return err
			}
		}
		return nil
	}
	if len(all) == 0 {
		to.printf("Nobody has asked for anything that fits.\n")
		return nil
	}
	var c cells
	w := tabwriter.NewWriter(to.W, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "NUMBER\tWHEN\tWHO\tBY\tWHAT\tABOUT")
	for _, l := range all {
		_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", l.Number, words.Clock(l.At), c.fit(l.Who), l.Way, c.fit(string(l.What)), c.fit(about(l)))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	c.end(to)
	if more {
		to.printf("\nEarlier ones: \"owlat-sync audit --before %d\"\n", all[len(all)-1].Number)
	}
	return nil
}

// about says what an action concerns.
func about(l ledger.AuditLine) string {
	var parts []string
	if l.Sync != "" {
		parts = append(parts, l.Sync)
	}
	if l.Run != 0 {
		parts = append(parts, fmt.Sprintf("run %d", l.Run))
	}
	if l.Count != 0 {
		what := "row"
		switch l.What {
		case ledger.DeedRetryWriteBacks:
			what = "write-back"
		case ledger.DeedSignInRefused:
			what = "attempt"
		}
		parts = append(parts, words.Plural(l.Count, what))
	}
	return words.OrElse(strings.Join(parts, ", "), "-")
}
