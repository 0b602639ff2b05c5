package memory

import (
	"maps"
	"slices"
	"strings"
	"time"

	"owlatsync/ledger"
)

// heard is what Owlat told by webhooks, and what is to be told elsewhere. The store's mutex guards it.
type heard struct {
	feedback     []*ledger.Feedback // by ascending number
	lastFeedback int64              // the latest number
	latest       time.Time          // when the latest webhook came
	suppressions map[string]ledger.Suppression
	known        map[string]tie
	erased       map[[ledger.HashSize]byte]time.Time // when feedback of forgotten persons came, by its hash
	deliveries   []*ledger.Delivery                  // by ascending number; of their Feedback only the ID is set
	lastDelivery int64                               // the latest number
}

// tie is the contact of an address.
type tie struct {
	contact string
	at      time.Time
}

func newHeard() heard {
	return heard{suppressions: make(map[string]ledger.Suppression), known: make(map[string]tie), erased: make(map[[ledger.HashSize]byte]time.Time)}
}

func (h *heard) empty() bool { return h.lastFeedback == 0 && len(h.suppressions) == 0 }

// told returns the feedback with that number, nil if there is none.
func (h *heard) told(id int64) *ledger.Feedback {
	for _, f := range h.feedback {
		if f.ID == id {
			return f
		}
	}
	return nil
}

// take takes in news.
func (h *heard) take(news *ledger.News) (id int64) {
	h.lastFeedback++
	f := copyOfFeedback(&news.Feedback)
	f.ID = h.lastFeedback
	h.feedback = append(h.feedback, &f)
	if f.Kind != ledger.KindRead && f.Received.After(h.latest) {
		h.latest = f.Received
	}
	for _, s := range news.Suppressions {
		h.suppress(s)
	}
	at := f.At
	if at.IsZero() {
		at = f.Received
	}
	for address, contact := range news.Known {
		if !at.Before(h.known[address].at) {
			h.known[address] = tie{contact, at}
		}
	}
	for _, d := range news.Deliveries {
		h.lastDelivery++
		due := moment(d.Due)
		if due.IsZero() {
			due = f.Received
		}
		h.deliveries = append(h.deliveries, &ledger.Delivery{
			ID: h.lastDelivery, Feedback: ledger.Feedback{ID: f.ID}, Target: d.Target, Person: d.Person, Topic: d.Topic,
			State: ledger.DeliveryWaiting, Due: due,
		})
	}
	return f.ID
}

// suppress keeps a suppression, together with one that is known.
func (h *heard) suppress(s ledger.Suppression) {
	s.At, s.Sent, s.Told = moment(s.At), moment(s.Sent), moment(s.Told)
	h.suppressions[s.Email] = s.With(h.suppressions[s.Email])
}

// whole returns a copy of a delivery with its feedback.
func (h *heard) whole(d *ledger.Delivery) ledger.Delivery {
	c := *d
	c.Feedback = copyOfFeedback(h.told(d.Feedback.ID))
	return c
}

// foremost returns the waiting deliveries to the target before which no other about their person waits, oldest first.
func (h *heard) foremost(target string) (first []*ledger.Delivery) {
	persons := make(map[string]bool)
	for _, d := range h.deliveries {
		if d.State == ledger.DeliveryWaiting && d.Target == target && !persons[d.Person] {
			persons[d.Person] = true
			first = append(first, d)
		}
	}
	return first
}

// drop removes feedback with its deliveries.
func (h *heard) drop(gone func(f *ledger.Feedback) bool) (n int64) {
	dropped := make(map[int64]bool)
	h.feedback = slices.DeleteFunc(h.feedback, func(f *ledger.Feedback) bool {
		dropped[f.ID] = gone(f)
		return dropped[f.ID]
	})
	h.deliveries = slices.DeleteFunc(h.deliveries, func(d *ledger.Delivery) bool { return dropped[d.Feedback.ID] })
	maps.DeleteFunc(dropped, func(_ int64, gone bool) bool { return !gone })
	return int64(len(dropped))
}

// prune removes what came before the time, except feedback with a waiting delivery.
func (h *heard) prune(before time.Time) (n int64) {
	waits := make(map[int64]bool)
	for _, d := range h.deliveries {
		waits[d.Feedback.ID] = waits[d.Feedback.ID] || d.State == ledger.DeliveryWaiting
	}
	n = int64(len(h.known))
	maps.DeleteFunc(h.known, func(_ string, known tie) bool { return known.at.Before(before) })
	n -= int64(len(h.known))
	maps.DeleteFunc(h.erased, func(_ [ledger.HashSize]byte, received time.Time) bool { return received.Before(before) })
	return n + h.drop(func(f *ledger.Feedback) bool { return f.Received.Before(before) && !waits[f.ID] })
}

// tie adds the contacts that Owlat told of for the addresses.
func (h *heard) tie(addresses, contacts map[string]bool) {
	for _, f := range h.feedback {
		if addresses[f.Email] && f.ContactID != "" {
			contacts[f.ContactID] = true
		}
	}
	for address, known := range h.known {
		if addresses[address] {
			contacts[known.contact] = true
		}
	}
}

// tieBack adds the addresses that Owlat told of for the contacts.
func (h *heard) tieBack(contacts, addresses map[string]bool) {
	for _, f := range h.feedback {
		if contacts[f.ContactID] {
			addresses[f.Email] = true
		}
	}
	for address, known := range h.known {
		if contacts[known.contact] {
			addresses[address] = true
		}
	}
}

// forget removes what Owlat told about a person, but for hashed suppressions and the hashes of feedback.
func (h *heard) forget(secret []byte, contacts, addresses map[string]bool) {
	theirs := make(map[int64]bool)
	for _, d := range h.deliveries {
		theirs[d.Feedback.ID] = theirs[d.Feedback.ID] || contacts[d.Person] || addresses[d.Person]
	}
	h.drop(func(f *ledger.Feedback) bool {
		gone := theirs[f.ID] || contacts[f.ContactID] || addresses[f.Email]
		if gone {
			h.erased[f.Hash] = f.Received
		}
		return gone
	})
	for _, names := range []map[string]bool{addresses, contacts} {
		for name := range names {
			if s, there := h.suppressions[name]; there {
				delete(h.suppressions, name)
				s.Email = ledger.HashSuppressed(secret, name)
				h.suppress(s)
			}
		}
	}
	maps.DeleteFunc(h.known, func(address string, known tie) bool { return addresses[address] || contacts[known.contact] })
}

// all returns the suppressions, newest first, without those of forgotten persons.
func (h *heard) all() []ledger.Suppression {
	all := slices.DeleteFunc(slices.Collect(maps.Values(h.suppressions)), func(s ledger.Suppression) bool { return !strings.Contains(s.Email, "@") })
	slices.SortFunc(all, func(a, b ledger.Suppression) int {
		if c := b.At.Compare(a.At); c != 0 {
			return c
		}
		return strings.Compare(a.Email, b.Email)
	})
	return all
}

// copyOfFeedback returns a copy that shares nothing with f, in the form in which a ledger gives it back.
func copyOfFeedback(f *ledger.Feedback) ledger.Feedback {
	c := *f
	c.At, c.Received, c.Topics = moment(f.At), moment(f.Received), cloneFilled(f.Topics)
	return c
}
