package reconcile

import "owlatsync/reconcile/rounds"

// Poller returns what makes rounds that look for people who have left topics, with the client, the ledger and the lock of the engine. A round holds
// the lock as a run does.
func (e *Engine) Poller() rounds.Poller {
	return rounds.Poller{Client: e.client, Ledger: e.ledger, Acquire: e.locks.acquire, Departed: e.parted, Log: e.log}
}
