package remote

import (
	"net/http"
	"sync/atomic"

	"owlatsync"
	"owlatsync/owlat"
)

// Counter counts the requests of a client that take of the key's budget: pass its Observe to owlat.WithObserver. The zero value is ready. It is safe for
// concurrent use.
type Counter struct{ total, writes, limited atomic.Int64 }

// Observe counts one attempt, unless it is none of the API's.
func (c *Counter) Observe(a owlat.Attempt) {
	if a.ByToken {
		return
	}
	c.total.Add(1)
	if a.Method != http.MethodGet {
		c.writes.Add(1)
	}
	if a.Status == http.StatusTooManyRequests {
		c.limited.Add(1)
	}
}

// Counts returns the counts so far.
func (c *Counter) Counts() owlatsync.RequestCounts {
	return owlatsync.RequestCounts{
		Total: int(c.total.Load()), Writes: int(c.writes.Load()), RateLimited: int(c.limited.Load()),
	}
}
