// Package scan is the first half of planning: the source against the ledger's index. What is unchanged ends here; every other valid row
// waits until all addresses of the source are known.
package scan

import (
	"context"
	"iter"

	"owlatsync"
)

// Source gives the rows of one sync.
type Source interface {
	// Rows streams the source once, in one consistent read-only snapshot. The row and its slices are valid until the next
	// iteration. An error ends the scan as incomplete; breaking out of the loop releases everything.
	Rows(ctx context.Context) iter.Seq2[*owlatsync.Row, error]
}

// Connector is a Source that can connect before it is read, beside what a run does before that.
type Connector interface {
	// Connect begins to connect and returns at once. release gives up what no scan has used.
	Connect(ctx context.Context) (release func())
}

// Incremental is a Source that knows when its rows changed.
type Incremental interface {
	Source
	// Settings identifies what Scan reads, without a secret: where the text differs, a mark of before says nothing. The
	// empty text stands for a source that does not know after all.
	Settings() string
	// Scan streams the source as Rows does, but leaves out rows that have not changed since the mark in s, except for those
	// that s.Again names, and notes in s how far it has read. Rows that changed without being given, because their
	// transaction was slower than the source allows for, are found by a scan without a mark.
	Scan(ctx context.Context, s *owlatsync.Scan) iter.Seq2[*owlatsync.Row, error]
}
