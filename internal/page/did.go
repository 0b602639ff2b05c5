package page

import (
	"owlatsync/internal/api"
	"owlatsync/ledger"
)

// did adds a line about what the caller has done to the audit of the deployment, and tells the log.
func (c *call) did(line ledger.AuditLine) {
	line.Way = ledger.ByPage
	c.log.Info("an order was carried out", "account", c.who.Name, "what", string(line.What), "sync", line.Sync, "run", line.Run)
	api.Note(c.r.Context(), c.d.Ledger, c.log, c.who, line)
}
