// Package ledger has the words of the ledger and its contract: what Owlat is known to hold for every row (entries and their
// memberships), the runs, how far a source was read, who left a topic, and the plans that wait for approval. The engine and the
// stores import it. A store, such as ledger/sqlite, keeps what it is told and never knows what a policy is.
//
// The idea to know: the ledger may be behind Owlat but is never ahead of it. It records what an answer confirmed, and marks what
// may have happened without an answer as in doubt.
package ledger
