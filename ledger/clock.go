package ledger

import "time"

// Clock tells the time that all who use a ledger share: the server's if the ledger is on one, else the machine's. Whatever is recorded in the
// ledger is dated by it, and so is whatever is compared with what the ledger says, because another node may have written that. It is
// quick and asks nobody. It goes back only if the clock behind it does: it was set, or another server has taken over. How long something takes
// on one node is for the steady clock of the machine to tell.
type Clock interface {
	// Now is the time of the ledger. It may be called by any goroutine.
	Now() time.Time
}
