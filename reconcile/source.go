package reconcile

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
