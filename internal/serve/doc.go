// Package serve is the service that "owlat-sync serve" runs: it puts the parts together, each of which knows little of the others,
// and starts, reloads and stops them. Schedules and sources say that a sync is due, the queue says whose turn it is, the engine makes
// the run, and a hub carries what happens to the API, the metrics and the alerts.
//
// The idea to know: whatever is to survive the process is in the ledger. The service may be killed at any instant; the next one takes
// up the queued runs, makes the runs again that broke off, and goes on.
package serve
