package remote

import (
	"net/http"
	"sync/atomic"

	"owlatsync"
	"owlatsync/owlat"
)

// Counter counts the requests of a client, those that take nothing of the key's budget apart: pass its Observe to owlat.WithObserver. The zero value is ready. It is safe for
// concurrent use.
type Counter struct{ total, writes, limited, links atomic.Int64 }

// Observe counts one attempt.
func (c *Counter) Observe(a owlat.Attempt) {
	if a.ByToken {
		c.links.Add(1)
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
		Total: int(c.total.Load()), Writes: int(c.writes.Load()), RateLimited: int(c.limited.Load()), Links: int(c.links.Load()),
	}
}
