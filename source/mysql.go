package source

import (
	"owlatsync/internal/statement"
	"owlatsync/source/internal/dialects"
	"owlatsync/source/internal/sqlrows"
	"owlatsync/source/internal/wrap"
)

// mySQL is the dialect of MySQL and MariaDB. It relies on the text protocol of go-sql-driver/mysql.
var mySQL = dialect{
	name:     "MySQL",
	castHint: "HEX(column), or BIN_TO_UUID(column) for a UUID",
	lexicon:  statement.MySQL,
	begin:    dialects.BeginMySQL,
	kindOf:   dialects.MySQLKind,
	values:   sqlrows.Rules{TimeOf: dialects.MySQLTime},
	wrapping: wrap.MySQL,
	direct:   true,
}
