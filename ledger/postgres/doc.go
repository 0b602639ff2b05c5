// Package postgres keeps the ledgers of any number of deployments in one schema of a PostgreSQL database, for any number of processes
// on any number of machines: what Owlat is known to hold for every row, the runs, their plans and the rows' history. It implements
// ledger.Store and decides nothing.
//
// The idea to know: a lock is a lease with an epoch, on the clock of the server. Its holder renews it and judges by its own monotonic
// clock whether it still has it. Every write under the lock is one transaction that begins with the fence: it changes a row that has the
// latest epoch and how often its holder has written. So nobody writes under a lock that was taken over, and a server that lost what it
// had acknowledged is noticed. Concurrent calls of Record share a transaction.
//
// A lease of the kind "home" says that a process works on a deployment; it fences nothing in the ledger.
//
// Every statement is complete in itself or part of one transaction, so that a PgBouncer that pools transactions may stand between.
//
// What is common to all ledgers is inside: the server and its schema (server), leases and the fence (lease), how an entry and a run are kept
// (entryrow, runrow), how records become statements (change), how entries are read (entries), what Owlat told (heard), how a person is
// erased (erase), and how a snapshot is taken in (load).
package postgres
