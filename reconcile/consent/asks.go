package consent

import (
	"context"
	"iter"

	"owlatsync/ledger"
)

// askedSample is how many entries are looked at to find out which topics ask for a confirmation.
const askedSample = 1000

// Asks tells which topics of a sync ask people to confirm (double opt-in), as far as Owlat's answers about the entries have shown,
// the latest first. A value is false where that is only likely: all the contacts were in Owlat before, and may have been waited for
// already.
func Asks(ctx context.Context, l interface {
	Pending(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error]
}, sync string) (topics map[string]bool, err error) {
	topics = make(map[string]bool)
	seen := 0
	for e, err := range l.Pending(ctx, sync) {
		if err != nil {
			return nil, err
		}
		for _, m := range e.Memberships {
			if !m.Pending.IsZero() {
				topics[m.Topic] = topics[m.Topic] || e.Origin == ledger.OriginCreated
			}
		}
		if seen++; seen == askedSample {
			break
		}
	}
	return topics, nil
}
