// Package source reads rows: of a query, through database/sql or natively from PostgreSQL, or of a CSV or NDJSON file.
//
// A [Mapping] says which column means what, and a [Table] streams the rows so mapped. A scan of a database sees one consistent
// snapshot; a file that changes while it is read fails the scan. A scan holds a few thousand rows at most and never changes
// anything at the source: queries run in a read-only transaction that is always rolled back. A scan that could not be completed
// ends with an error, never as a short success. A row that was read but cannot be used does not end the scan: its Defect says
// why.
//
// Values mean the same whatever source they come from. Dates are texts such as 2006-01-02. Times are texts in RFC 3339, in UTC;
// a time without a zone is taken for UTC. Numbers keep all their digits. Texts are UTF-8 without NUL bytes.
//
// The package imports no database driver but for PostgreSQL: the caller opens the [database/sql.DB] and names its [Dialect].
package source
