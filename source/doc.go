// Package source reads rows: from a query, through database/sql or natively from PostgreSQL, or from a CSV or NDJSON file.
//
// A [Mapping] says what each column means, and a [Table] streams the mapped rows. A scan of a database sees one consistent
// snapshot. A scan of a file fails if the file changes meanwhile. A scan holds a few thousand rows at most. It never changes the
// source: queries run in a read-only transaction that is always rolled back. A scan that was not completed ends with an error,
// never as a short success. A row that was read but cannot be used does not end the scan: its Defect says why.
//
// Values mean the same in every source. Dates are texts such as 2006-01-02. Times are texts in RFC 3339, in UTC; a time without a
// zone is taken as UTC. Numbers keep all their digits. Texts are UTF-8 without NUL bytes.
//
// The package imports no database driver except for PostgreSQL: the caller opens the [database/sql.DB] and names its [Dialect].
package source
