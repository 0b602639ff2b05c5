package source

import (
	"owlatsync/internal/statement"
	"owlatsync/source/internal/dialects"
	"owlatsync/source/internal/sqlrows"
	"owlatsync/source/internal/wrap"
)

// sqlite is the dialect of SQLite, where each value has its own type and the column's type is only a hint.
var sqlite = dialect{
	name:     "SQLite",
	castHint: "CAST(column AS TEXT) or hex(column)",
	lexicon:  statement.SQLite,
	begin:    dialects.BeginSQLite,
	kindOf:   dialects.SQLiteKind,
	wrapping: wrap.SQLite,
	values:   sqlrows.Rules{TimeOf: dialects.SQLiteTime, BytesAreBinary: true},
	direct:   true,
	hints:    dialects.SQLiteHints,
}
