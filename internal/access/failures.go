package access

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A client may send this many wrong tokens or passwords at once, and then one in each interval.
const (
	failureBurst    = 10
	failureInterval = 6 * time.Second
)

// maxFailing is how many who failed are remembered; beyond it the one that was seen longest ago is forgotten.
const maxFailing = 4096

// Failures counts what somebody has got wrong, and says who must wait. Who fails at nothing costs nothing. It is safe for concurrent use.
type Failures[K comparable] struct {
	burst    int
	interval time.Duration

	mu     sync.Mutex
	known  map[K]*list.Element // of *failing
	latest *list.List          // the latest first
}

type failing[K comparable] struct {
	who    K
	bucket *rate.Limiter
}

// NewFailures lets each have a burst of failures at once, and then one in each interval.
func NewFailures[K comparable](burst int, interval time.Duration) *Failures[K] {
	return &Failures[K]{burst: burst, interval: interval, known: make(map[K]*list.Element), latest: list.New()}
}

// client is who an address counts as: a host with IPv6 has a whole network of addresses.
func client(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // an invalid address makes an invalid prefix, which is one client, too
	return p
}

// Wait returns how long somebody must wait before they are heard again; 0: not at all.
func (f *Failures[K]) Wait(who K, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, known := f.known[who]
	if !known {
		return 0
	}
	f.latest.MoveToFront(e)
	missing := 1 - e.Value.(*failing[K]).bucket.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return max(time.Millisecond, time.Duration(missing*float64(f.interval)))
}

// Note counts a failure.
func (f *Failures[K]) Note(who K, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, known := f.known[who]
	if !known {
		if len(f.known) >= maxFailing {
			oldest := f.latest.Remove(f.latest.Back()).(*failing[K])
			delete(f.known, oldest.who)
		}
		e = f.latest.PushFront(&failing[K]{who, rate.NewLimiter(rate.Every(f.interval), f.burst)})
		f.known[who] = e
	}
	e.Value.(*failing[K]).bucket.AllowN(now, 1)
}
