package age

import (
	"fmt"
	"time"
)

// growEvery is how often the generation grows at the most while a run records, so that a copy made in a run is noticed to be older
// and the file beside the ledger costs little.
const growEvery = time.Second

// Grow is the statement with which the generation grows under a log. It returns the columns of Done.
const Grow = `UPDATE age SET base = iif(log = ?1, base, generation - 1), log = ?1, generation = generation + 1 RETURNING ledger, generation`

// Growth is how a ledger grows older under one opening of it. It is for one goroutine at a time.
type Growth struct {
	On bool // it is known that the ledger is not older than what was done; before that, it does not grow

	last Done      // of the last commit that grew; zero: none
	at   time.Time // of that commit
	acts bool      // something was recorded since that commit that a copy from before it would not know
	kept Done      // what was last kept beside the ledger
}

// Due reports whether the generation must grow with a transaction. Acts says that the transaction records what follows from what was,
// or will be, sent to Owlat, or what must not be forgotten; closes says that nothing may follow it for long.
func (g *Growth) Due(acts, closes bool) bool {
	if !g.On {
		return false
	}
	g.acts = g.acts || acts
	since := time.Since(g.at)
	return g.at.IsZero() || since >= growEvery || since < 0 || g.acts && (closes || g.kept != g.last)
}

// Committed notes a committed transaction; grown is what it made of the ledger, nil if it did not grow. Committed keeps beside the
// file what was done, before anything follows from it.
func (g *Growth) Committed(file string, grown *Done, durable bool) error {
	if grown != nil {
		g.last, g.at = *grown, time.Now()
	}
	if !g.acts || !durable || g.last == g.kept {
		return nil
	}
	if err := Keep(file, g.last); err != nil {
		return fmt.Errorf("keep beside the ledger how far it is (%s): %w", Path(file), err)
	}
	g.kept, g.acts = g.last, false
	return nil
}
