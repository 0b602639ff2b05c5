// Package scan is the first half of planning: it compares the source with the ledger's index. Unchanged rows end here. Every other
// valid row waits until all addresses of the source are known.
package scan

import (
	"context"
	"iter"

	"owlatsync"
)

// Source gives the rows of one sync.
type Source interface {
	// Rows streams the source once, in one consistent read-only snapshot. A row and its slices are valid until the next iteration.
	// An error ends the scan as incomplete. Breaking out of the loop releases everything.
	Rows(ctx context.Context) iter.Seq2[*owlatsync.Row, error]
}

// Connector is a Source that can connect while the run still does other work.
type Connector interface {
	// Connect begins to connect and returns at once. Release closes what no scan has used.
	Connect(ctx context.Context) (release func())
}

// Keyed is a Source that may give single rows.
type Keyed interface {
	Source
	// Picks reports whether rows can be read by their keys. It returns at once.
	Picks() bool
	// Pick streams, as Rows does and in one snapshot, the rows whose keys next returns. It calls next again when those were read, until
	// next returns no keys. Keys that no row has give nothing.
	Pick(ctx context.Context, next func(context.Context) ([]string, error)) iter.Seq2[*owlatsync.Row, error]
}

// Incremental is a Source that knows when its rows changed.
type Incremental interface {
	Source
	// Settings identifies what Scan reads, without a secret. If the text differs from an earlier one, an earlier mark says nothing.
	// The empty text means that the source does not know when its rows changed.
	Settings() string
	// Scan streams the source as Rows does, but leaves out rows that have not changed since the mark in s, unless s.Again names
	// them. It notes in s how far it has read. It can miss a changed row whose transaction was slower than the source allows for; a
	// scan without a mark finds such rows.
	Scan(ctx context.Context, s *owlatsync.Scan) iter.Seq2[*owlatsync.Row, error]
}
