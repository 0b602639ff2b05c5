package consent

import (
	"time"

	"owlatsync/ledger"
)

// Wait is what the ledger knows of a confirmation for which Owlat waits.
type Wait struct {
	Since time.Time // zero: it does not
	Topic bool      // the topic in question is known to ask for it
	Left  bool      // the person has been off a topic since, or may have been
}

// Waiting returns what an entry tells of a confirmation, for an add to the topic.
func Waiting(e *ledger.Entry, topic string) (w Wait) {
	for _, m := range e.Memberships {
		if m.Pending.IsZero() {
			continue
		}
		if w.Since.IsZero() || m.Pending.Before(w.Since) {
			w.Since = m.Pending
		}
		w.Topic = w.Topic || m.Topic == topic
		w.Left = w.Left || m.State != ledger.MemberAdded
	}
	return w
}

// WaitingElsewhere is Waiting for the other entries of a contact: the longest wait counts. Created says that another sync created it.
func WaitingElsewhere(others []ledger.Holder, topic string) (w Wait, created bool) {
	for _, h := range others {
		created = created || h.Entry.Origin == ledger.OriginCreated || h.Entry.Origin == ledger.OriginDeleting
		if o := Waiting(h.Entry, topic); !o.Since.IsZero() && (w.Since.IsZero() || o.Since.Before(w.Since)) {
			w = o
		}
	}
	return w, created
}
