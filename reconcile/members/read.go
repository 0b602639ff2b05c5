package members

import (
	"context"
	"sync"
	"time"

	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/remote"
)

// readers is how many readings are in flight at once at most. The client's limiter lets fewer go.
const readers = 32

// reading is what was read of a contact.
type reading struct {
	members consent.Members // without topics that nobody asks about
	nowhere bool            // on no topic at all, as a contact that is gone seems to be
	email   string
	at      time.Time // on Owlat's clock, not before the reading
	err     error
}

// readAll reads the memberships of people.
func (v *Verifier) readAll(ctx context.Context, people []*person) {
	next := make(chan *person, len(people))
	for _, p := range people {
		next <- p
	}
	close(next)
	var told sync.Mutex
	done := v.read.Contacts + v.read.Unread
	var all sync.WaitGroup
	for range min(readers, len(people)) {
		all.Go(func() {
			for p := range next {
				if ctx.Err() != nil {
					return
				}
				p.reading = v.readOne(ctx, p)
				told.Lock()
				done++
				v.Told(done)
				told.Unlock()
			}
		})
	}
	all.Wait()
}

func (v *Verifier) readOne(ctx context.Context, p *person) (r reading) {
	members, email, err := v.Links.Read(ctx, v.Reads, p.id)
	if err != nil {
		return reading{err: err}
	}
	r.email, r.nowhere, r.members = email, members.None(), make(consent.Members)
	keep := func(topic string) {
		if m, known := members[topic]; known {
			r.members[topic] = m
		}
	}
	for topic := range v.topics {
		keep(topic)
	}
	for _, h := range p.holders {
		for _, m := range h.Entry.Memberships {
			keep(m.Topic)
		}
	}
	_, r.at, _ = remote.There(v.Reads, v.Ledger, v.Ledger.Now())
	return r
}
