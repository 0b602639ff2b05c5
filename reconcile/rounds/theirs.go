package rounds

import (
	"slices"
	"time"

	"owlatsync/ledger"
	"owlatsync/reconcile/consent"
)

// theirs is what the ledger has of one contact.
type theirs struct {
	contact string
	holders []ledger.Holder
	optOuts []ledger.OptOut
}

// reading is what was read of one contact.
type reading struct {
	members consent.Members
	email   string
	at      time.Time // on Owlat's clock, not before the reading
	err     error
}

// mayHaveLeft reports whether the contact of the entry is recorded as being on a topic.
func mayHaveLeft(e *ledger.Entry, optOuts []ledger.OptOut) bool {
	if e.ContactID == "" || e.Origin == ledger.OriginGone {
		return false
	}
	return slices.ContainsFunc(consent.Heed(e.Memberships, optOuts), func(m ledger.Membership) bool { return consent.RecordedOf(&m) == consent.Added })
}

// moved reports whether the contact may have left a topic since it was seen last. What was seen now is zero if that is not known.
func (t *theirs) moved(now time.Time) bool {
	return slices.ContainsFunc(t.holders, func(h ledger.Holder) bool {
		return mayHaveLeft(h.Entry, t.optOuts) && (now.IsZero() || !h.Entry.Witness.Equal(now))
	})
}

// records returns the entries of a contact after it was read: what was found, and when it was last changed before the reading.
func (t *theirs) records(d *consent.Departure, seen time.Time) (records []ledger.Record) {
	for _, h := range t.holders {
		e, changed := *h.Entry, false
		if !mayHaveLeft(&e, t.optOuts) {
			continue
		}
		doubtful := slices.ContainsFunc(e.Memberships, func(m ledger.Membership) bool { return m.State == ledger.MemberSent })
		if !seen.IsZero() && !doubtful && !e.Witness.Equal(seen) {
			e.Witness, changed = seen, true
		}
		record := ledger.Record{Sync: h.Sync, Entry: &e}
		if d != nil {
			before := e.Memberships
			e.Memberships = consent.Heed(consent.Heed(e.Memberships, t.optOuts), d.OptOuts())
			for _, left := range d.Topics {
				if was := h.Entry.Membership(left.ID); was != nil && consent.RecordedOf(was) == consent.Added {
					record.Event, record.Note = EventLeft, noted(record.Note, left)
				}
			}
			changed = changed || !slices.Equal(before, e.Memberships)
		}
		if changed {
			records = append(records, record)
		}
	}
	return records
}

// EventLeft is the line of a row's history which tells that its person was found to have left topics.
const EventLeft = "topic left"

func noted(before string, left consent.DepartedTopic) string {
	name := left.Name
	if name == "" {
		name = left.ID
	}
	if before == "" {
		return name
	}
	return before + ", " + name
}
