// Package sqlite keeps the ledger of a deployment in one SQLite file: what Owlat is known to hold for every row, the runs,
// their plans and the rows' history. It implements ledger.Store, and decides nothing.
//
// The idea to know: one connection writes and every acknowledged write is on the disk. Concurrent calls of Record share a
// transaction, so that one flush of the disk acknowledges all that came in during the flush before it. Readers never wait
// for the writer, nor it for them. A lock is a lock on a file beside the ledger, with a number kept in the ledger that every
// write under it is checked against.
//
// What a ledger remembers of rows can be pruned, and a person forgotten: ForgetPerson leaves no trace in the ledger's files
// but keyed hashes, by which the engine knows not to take the person for a new contact. Package ledger/transfer
// moves a ledger.
//
// The package imports no driver: the program registers one with database/sql and hands in its name.
package sqlite
