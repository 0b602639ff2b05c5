// Package inspect looks at a database or a file, finds the table that most likely holds the people to sync, and proposes a query
// and a mapping for it as a commented configuration file.
//
// Reading and guessing are separate. A Read function fills a Catalog with names, types and a small sample of values; everything
// after that is a pure function of the catalog. Sampled values decide between guesses. They are never proposed, printed or logged,
// except for the few words of a status column, such as 'active'.
package inspect
