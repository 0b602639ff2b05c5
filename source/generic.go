package source

import (
	"owlatsync/internal/statement"
	"owlatsync/source/internal/dialects"
	"owlatsync/source/internal/sqlrows"
)

// generic is the dialect of any database behind database/sql.
var generic = dialect{
	name:     "the database",
	castHint: "a CAST to a text type",
	lexicon:  statement.Generic,
	begin:    dialects.BeginGeneric,
	kindOf:   dialects.GenericKind,
	values:   sqlrows.Rules{TimeOf: dialects.GenericTime, PrintedBits: true},
}
