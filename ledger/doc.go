// Package ledger has the words of the ledger and its contract: what is known that Owlat holds for every row (entries and their
// memberships), the runs, how far a source was read, who left a topic, and the plans that wait for approval. The engine and
// the stores import it; a store, such as ledger/sqlite, keeps what it is told and never knows what a policy is.
//
// The idea to know: the ledger is only ever behind Owlat, never ahead of it. What is recorded was confirmed by an answer, and
// what may have happened without one is marked as in doubt.
package ledger
