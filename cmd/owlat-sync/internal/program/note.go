package program

import (
	"context"
	"fmt"
	"os"
	"os/user"

	"owlatsync/ledger"
)

// Note adds a line about what a command has done to the audit, as of the user of the machine. What was done stands also where the ledger
// does not take the line: then a remark says so.
func (a *App) Note(ctx context.Context, l ledger.Audit, line ledger.AuditLine) {
	line.Who, line.Way = machineUser(), ledger.ByCommand
	if err := l.NoteAudit(context.WithoutCancel(ctx), line); err != nil {
		a.Notef("This was done, but the ledger did not take a line about it for \"owlat-sync audit\": %v\n", err)
	}
}

// machineUser returns the name of the user who runs this process, or its number if it has no name.
func machineUser() string {
	u, err := user.Current()
	if err != nil || u.Username == "" {
		return fmt.Sprintf("user %d", os.Getuid())
	}
	return u.Username
}
