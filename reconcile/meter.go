package reconcile

import (
	"net/http"
	"sync/atomic"

	"owlatsync"
	"owlatsync/owlat"
)

// Meter counts the requests of a client; hand its Observe to owlat.WithObserver. The zero value is ready. It is safe for
// concurrent use.
type Meter struct{ total, writes, limited atomic.Int64 }

// Observe counts one attempt.
func (m *Meter) Observe(a owlat.Attempt) {
	m.total.Add(1)
	if a.Method != http.MethodGet {
		m.writes.Add(1)
	}
	if a.Status == http.StatusTooManyRequests {
		m.limited.Add(1)
	}
}

// Counts returns what has been counted so far.
func (m *Meter) Counts() owlatsync.RequestCounts {
	return owlatsync.RequestCounts{
		Total: int(m.total.Load()), Writes: int(m.writes.Load()), RateLimited: int(m.limited.Load()),
	}
}

func since(now, then owlatsync.RequestCounts) owlatsync.RequestCounts {
	return owlatsync.RequestCounts{
		Total: now.Total - then.Total, Writes: now.Writes - then.Writes, RateLimited: now.RateLimited - then.RateLimited,
	}
}
