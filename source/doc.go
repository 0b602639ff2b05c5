// Package source reads rows: of a query, through database/sql or natively from PostgreSQL, or of a CSV or NDJSON file.
//
// A [Mapping] says which column means what, and a [Table] streams the rows so mapped. A scan sees one consistent snapshot,
// holds one row at a time and never changes anything at the source: queries run in a read-only transaction that is always
// rolled back. A scan that could not be completed ends with an error, never as a short success.
//
// The package imports no database driver: the caller opens the *sql.DB and names its [Dialect]. [ParseDSN] reads the URLs
// by which sources are named in configurations.
package source
