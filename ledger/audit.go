package ledger

import (
	"context"
	"errors"
	"time"
)

// AuditLine is one action that a person or a program asked for: who, what and when. It names no row, no contact and no address.
type AuditLine struct {
	Number int64 // ascends within the ledger
	At     time.Time
	// Who is the name of an account or a token, the user of a machine, or WhoMachine.
	Who   string
	Way   Way
	What  Deed
	Sync  string // empty: it concerns none
	Run   int64  // 0: it concerns none
	Count int    // how many rows or deliveries, as the deed has it; 0: none, or they were not counted
}

// WhoMachine is who acts where nobody has a name, because the service has no tokens and answers its own machine alone.
const WhoMachine = "this machine"

// Way is how an action was asked for.
type Way string

// The ways in which actions are asked for.
const (
	ByPage    Way = "page"
	ByAPI     Way = "api"
	ByCommand Way = "command"
)

// Deed is what was asked for.
type Deed string

// The deeds. Where they count something, the comment says what.
const (
	DeedRun             Deed = "run"
	DeedPlan            Deed = "plan"
	DeedApprove         Deed = "approve"
	DeedDismiss         Deed = "dismiss"
	DeedCancel          Deed = "cancel"
	DeedRetry           Deed = "retry"            // Count: failed rows
	DeedRetryWriteBacks Deed = "write-back retry" // Count: deliveries
	DeedForget          Deed = "forget"           // Count: rows
	DeedLiftSuppression Deed = "suppression lifted"
	DeedOptOut          Deed = "opt-out" // Count: people to whom no mail may go
	DeedImport          Deed = "import"  // the ledger was filled with an export
	DeedRestore         Deed = "restore" // a backup took the ledger's place
	DeedSignIn          Deed = "sign-in"
	DeedSignOut         Deed = "sign-out"
	DeedSignInRefused   Deed = "sign-in refused" // Count: attempts
)

// Deeds lists all deeds.
var Deeds = []Deed{
	DeedRun, DeedPlan, DeedApprove, DeedDismiss, DeedCancel, DeedRetry, DeedRetryWriteBacks, DeedForget, DeedLiftSuppression, DeedOptOut, DeedImport, DeedRestore,
	DeedSignIn, DeedSignOut, DeedSignInRefused,
}

// Audit keeps who asked for what. It needs no lock and may be used while a run goes on.
type Audit interface {
	Clock

	// NoteAudit durably adds a line under the next number, dated now; its Number and At are ignored. An incomplete line is an error
	// (see AuditLine.Check). An action does not depend on its line: whoever notes one does so after the action, and tells the error
	// without taking the action for failed.
	NoteAudit(ctx context.Context, line AuditLine) error
	// AuditLines returns the latest lines, newest first; a limit below 1 means all. Before is a number below which to go on; 0: from
	// the newest. Its time does not grow with the other lines.
	AuditLines(ctx context.Context, before int64, limit int) ([]AuditLine, error)
}

// Check returns what is missing in the line, nil if it is complete.
func (l AuditLine) Check() error {
	switch {
	case l.Who == "" || l.What == "":
		return errors.New("an audit line does not say who did what")
	case l.Way != ByPage && l.Way != ByAPI && l.Way != ByCommand:
		return errors.New("an audit line names no known way")
	}
	return nil
}
