package remote

import (
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
)

// There returns what Owlat's clock shows when the ledger's shows at: a time between two bounds. If no answer of Owlat has told the time, both are
// that of the ledger's clock, which another node reads alike.
func There(client *owlat.Client, clock ledger.Clock, at time.Time) (earliest, latest time.Time, known bool) {
	here := time.Now() // the client compares Owlat's clock with that of this machine
	if earliest, latest, known = client.ServerTime(here.Add(at.Sub(clock.Now()))); !known {
		return at, at, false
	}
	return earliest, latest, true
}
