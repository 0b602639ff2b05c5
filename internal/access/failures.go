package access

import (
	"container/list"
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

// A client may send this many wrong tokens at once, and then one in each interval.
const (
	failureBurst    = 10
	failureInterval = 6 * time.Second
)

// maxClients is how many clients that sent a wrong token are remembered; beyond it the one that was seen longest ago is forgotten.
const maxClients = 4096

// failures counts wrong tokens by client. Clients that send none cost nothing. It is used under the lock of its Gate.
type failures struct {
	clients map[netip.Prefix]*list.Element // of *failing
	latest  *list.List                     // the latest first
}

type failing struct {
	client netip.Prefix
	bucket *rate.Limiter
}

func newFailures() failures { return failures{make(map[netip.Prefix]*list.Element), list.New()} }

// client is who an address counts as: a host with IPv6 has a whole network of addresses.
func client(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // an invalid address makes an invalid prefix, which is one client, too
	return p
}

// wait returns how long the client must wait before a token of it is looked at; 0: not at all.
func (f *failures) wait(a netip.Addr, now time.Time) time.Duration {
	e, known := f.clients[client(a)]
	if !known {
		return 0
	}
	f.latest.MoveToFront(e)
	missing := 1 - e.Value.(*failing).bucket.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return max(time.Millisecond, time.Duration(missing*float64(failureInterval)))
}

// note counts a wrong token of the client.
func (f *failures) note(a netip.Addr, now time.Time) {
	who := client(a)
	e, known := f.clients[who]
	if !known {
		if len(f.clients) >= maxClients {
			oldest := f.latest.Remove(f.latest.Back()).(*failing)
			delete(f.clients, oldest.client)
		}
		e = f.latest.PushFront(&failing{who, rate.NewLimiter(rate.Every(failureInterval), failureBurst)})
		f.clients[who] = e
	}
	e.Value.(*failing).bucket.AllowN(now, 1)
}
