// Package sqlite keeps the ledger of a deployment in one SQLite file: what Owlat is known to hold for every row, the runs, their
// plans and the rows' history. It implements ledger.Store and decides nothing.
//
// The idea to know: one connection writes, and every acknowledged write is on the disk. Concurrent calls of Record share a
// transaction, so that one flush of the disk acknowledges all calls that came during the flush before it. Readers and the writer
// never wait for each other. A lock is a lock on a file beside the ledger, with an epoch in the ledger that every write under the
// lock is checked against.
//
// History can be pruned, and a person forgotten. ForgetPerson leaves nothing in the ledger's files but keyed hashes, so that the
// engine does not take the person for a new contact. Package ledger/transfer moves a ledger.
//
// The package imports no driver: the program registers one with database/sql and passes its name.
package sqlite
