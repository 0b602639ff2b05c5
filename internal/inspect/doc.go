// Package inspect looks at a database or a file, finds the table that most likely holds the people to be synced, and proposes
// a query and a mapping for it as a commented configuration file.
//
// Reading and guessing are kept apart: a Read function fills a Catalog with names, types and a small sample of values, and
// everything after that is a pure function of the catalog. Sampled values decide between guesses and are never part of what is
// proposed, printed or logged, but for the few words of a status column, such as 'active'.
package inspect
