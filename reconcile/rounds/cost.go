package rounds

import "owlatsync/reconcile/remote"

// Cost is what a round takes: requests of the budget, requests by links, and how long both take one after the other.
type Cost struct {
	Requests, Links int
	Seconds         float64
}

// CostOf returns what a round takes that lists so many contacts, none if it does not list, and reads so many of them, at so many requests a second.
func CostOf(listed, read int, budget, links float64) Cost {
	c := Cost{Links: read}
	if listed > 0 {
		c.Requests = remote.ListingCost(listed)
	}
	if budget > 0 {
		c.Seconds += float64(c.Requests) / budget
	}
	if links > 0 {
		c.Seconds += float64(c.Links) / links
	}
	return c
}
