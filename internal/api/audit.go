package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"owlatsync/internal/access"
	"owlatsync/ledger"
)

// notesWithin is how long the ledger may take for an audit line: an answer waits for it.
const notesWithin = 5 * time.Second

// Note adds a line about an action that was done to the audit of its deployment, as of who asked for it. The action stands also where the
// ledger does not take the line: then the log has it.
func Note(ctx context.Context, l ledger.Audit, log *slog.Logger, who access.Principal, line ledger.AuditLine) {
	if line.Who = who.Name; line.Who == access.Local {
		line.Who = ledger.WhoMachine
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), notesWithin) // the action was done, whether the client waits or not
	defer cancel()
	if err := l.NoteAudit(ctx, line); err != nil {
		log.Error("an action was done, and the ledger did not take its audit line", "who", line.Who, "by", line.Way, "what", line.What,
			"sync", line.Sync, "run", line.Run, "count", line.Count, "error", err)
	}
}

// note is Note for what the caller asked of the API.
func (v views) note(c *call, line ledger.AuditLine) {
	line.Way = ledger.ByAPI
	Note(c.r.Context(), v.d.Ledger, v.log, c.who, line)
}

// auditJSON is one action that was asked for. What "audit --json" prints too has the same names.
type auditJSON struct {
	Number int64       `json:"number"`
	At     time.Time   `json:"at"`
	Who    string      `json:"who"`
	Way    ledger.Way  `json:"by"`
	What   ledger.Deed `json:"what"`
	Sync   string      `json:"sync,omitempty"`
	Run    int64       `json:"run,omitempty"`
	Count  int         `json:"count,omitempty"` // how many rows or write-backs
}

func (v views) audit(c *call) error {
	q := newQuery(c.r)
	before, limit := q.number("before", 1, 1<<62, 0), q.limit()
	if err := q.done(); err != nil {
		return err
	}
	found, err := v.d.Ledger.AuditLines(c.r.Context(), before, limit)
	if err != nil {
		return err
	}
	all := make([]auditJSON, len(found))
	for i, l := range found {
		all[i] = auditJSON{l.Number, l.At.UTC(), l.Who, l.Way, l.What, l.Sync, l.Run, l.Count}
	}
	body := map[string]any{"audit": all}
	if len(found) == limit {
		body["before"] = found[len(found)-1].Number
	}
	answer(c.w, http.StatusOK, body)
	return nil
}
