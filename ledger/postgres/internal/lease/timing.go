package lease

import "time"

// Timing is how long leases live.
type Timing struct {
	Life   time.Duration // of a lease that nobody renews
	Renew  time.Duration // between renewals
	Margin time.Duration // how long before its end a holder counts a lease as lost: more than renew, so that a server may lose one renewal
	Look   time.Duration // between two looks at a lease that somebody waits for
}

// Lifetimes are the timing of every process. All processes that share a database must have the same.
var Lifetimes = Timing{Life: 8 * time.Second, Renew: 2 * time.Second, Margin: 2500 * time.Millisecond, Look: 250 * time.Millisecond}
