// Package inspect looks at a database or a file: its tables with their columns, keys and foreign keys, and a small sample of values.
// What follows from that, package propose guesses.
//
// Sampled values decide between guesses. They are never proposed, printed or logged, except for the few words of a status column, such
// as 'active'.
package inspect
