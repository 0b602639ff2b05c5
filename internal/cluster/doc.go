// Package cluster distributes the work of services that share a ledger in PostgreSQL. River has the queues, the election of a leader
// and the periodic jobs; this package says what the jobs are, and which node does what.
//
// The idea to know: a deployment is at home on one node at a time, and only while it has something to do. Whoever wants something of it
// inserts a job into the deployment's own queue, and a job that asks for a home. The node that takes that job takes the lease of the
// home, opens the deployment, and from then on works its queue. So one process alone spends the budget of an API key and has the line
// of a deployment's syncs, whatever node was asked. A lease is judged by the clock of PostgreSQL, and so is every time here: the clock
// of a node does not count.
//
// What is in a queue survives every node. A home that ends puts what it has not ended back; a home that dies leaves jobs that look as if
// they were being worked, and the next home takes them up again.
package cluster
