// Package home has the parts that work for one deployment: its session, the queue of its runs, what wakes them, its webhooks, its
// write-backs and its alerts. It puts them together, each of which knows little of the others, and starts, changes and stops them.
// Schedules and sources say that a sync is due, the queue says whose turn it is, the engine makes the run, and a hub carries what
// happens to the API, the metrics and the alerts.
//
// The idea to know: whatever is to survive the process is in the ledger. A home may end at any instant; the next one, in the same
// process or another, takes up the queued runs, makes the runs again that broke off, and goes on.
package home
