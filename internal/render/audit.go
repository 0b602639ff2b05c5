package render

import (
	"fmt"
	"strings"
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
func Audit(to To, all []ledger.AuditLine, more bool, typed words.Typed) error {
	err := listing[ledger.AuditLine]{
		none: "Nobody has asked for anything that fits.",
		head: "NUMBER\tWHEN\tWHO\tBY\tWHAT\tABOUT",
		json: func(l ledger.AuditLine) any {
			return auditJSON{"audit", l.Number, l.At, l.Who, l.Way, l.What, l.Sync, l.Run, l.Count}
		},
		row: func(c *cells, l ledger.AuditLine) string {
			return fmt.Sprintf("%d\t%s\t%s\t%s\t%s\t%s", l.Number, words.Clock(l.At), c.fit(l.Who), l.Way, c.fit(string(l.What)), c.fit(about(l)))
		},
	}.show(to, all)
	if err == nil && more && !to.JSON {
		to.printf("\nEarlier ones: \"%s\"\n", typed.Command(fmt.Sprintf("audit --before %d", all[len(all)-1].Number), ""))
	}
	return err
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
