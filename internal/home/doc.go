// Package home is what a service does for one deployment: it makes the runs that are due or asked for, takes in what Owlat tells, writes
// it back, tells what is wrong, and says how things stand.
//
// The idea to know: a Deployment is what each node knows of a deployment, and costs little. A Home is what works for it, on one node
// at a time: the session with its budget, the line of runs, and what wakes syncs. Between them stands a Line, so that nobody who asks
// for a run needs to know where the home is. Whatever is to survive the process is in the ledger.
package home
