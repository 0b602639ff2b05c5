// Package wake asks for a run of a sync as soon as its source says that rows have changed: it listens to channels of PostgreSQL, and asks
// cursors whether they have moved. It decides nothing about turns.
//
// The idea to know: a wake-up is a hint. One that is lost, or that was not heard because a connection broke, is made up for by a run of
// everything that changed, which follows each beginning of the listening.
package wake
