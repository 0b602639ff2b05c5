package ledger

import (
	"context"
	"time"
)

// ConfirmWithin is how long the link lives with which a person confirms a double opt-in.
const ConfirmWithin = 7 * 24 * time.Hour

// Asked returns when Owlat last told of the entry's contact that the person is yet to confirm; zero: it did not, or they have
// confirmed as far as is known.
func (e *Entry) Asked() (latest time.Time) {
	for i := range e.Memberships {
		if at := e.Memberships[i].Pending; at.After(latest) {
			latest = at
		}
	}
	return latest
}

// askedSample is how many entries are looked at to find out which topics ask for a confirmation.
const askedSample = 1000

// Asks tells which topics of a sync ask people to confirm (double opt-in), as far as Owlat's answers about the entries have shown,
// the latest first. A value is false where that is only likely: all the contacts were in Owlat before, and may have been waited for
// already. Its time does not grow with the entries.
func Asks(ctx context.Context, l Reader, sync string) (topics map[string]bool, err error) {
	topics = make(map[string]bool)
	seen := 0
	for e, err := range l.Pending(ctx, sync) {
		if err != nil {
			return nil, err
		}
		for _, m := range e.Memberships {
			if !m.Pending.IsZero() {
				topics[m.Topic] = topics[m.Topic] || e.Origin == OriginCreated
			}
		}
		if seen++; seen == askedSample {
			break
		}
	}
	return topics, nil
}
