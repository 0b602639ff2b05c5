package ledger

import "slices"

// SetBack makes an entry safe that is older than what was done, because a backup or an export was put in the place of the ledger,
// and reports whether it changed. What happened since is not known, so afterwards the entry makes no consent count as new and no
// event due, as if the ledger had just met the contact:
//
//   - a no, and an add that was never sent, are dropped: the person may have been added since, and may have left;
//   - a no whose removal was not answered becomes a yes that was left alone, so that the removal is sent again;
//   - an add of unknown outcome becomes unsure, and is not sent again;
//   - an event that was due may have been sent since, and counts as sent;
//   - what a column said of which an event depends is not known;
//   - a create of unknown outcome counts as not sent: a contact that is found was there before;
//   - a row without a contact may have been met since (see Entry.MetBefore).
//
// A changed entry loses its fingerprint, so that the next run compares its row. SetBack changes an entry only once.
func SetBack(e *Entry) (changed bool) {
	kept := make([]Membership, 0, len(e.Memberships))
	for _, m := range e.Memberships {
		switch {
		case m.State == MemberLeaving && !m.Consent:
			m.Consent, m.State = true, MemberSkipped
		case !m.Consent, m.State == MemberWanted:
			continue
		case m.State == MemberSent:
			m.State = MemberUnsure
		}
		kept = append(kept, m)
	}
	if !slices.Equal(kept, e.Memberships) {
		e.Memberships, changed = kept, true
	}
	events := slices.Clone(e.Events)
	for i := range events {
		if s := events[i].State; s == EventDue || s == EventAwaited {
			events[i].State, changed = EventSent, true
		} else if s == EventSeen && events[i].Value != "" {
			events[i].Value, changed = "", true
		}
	}
	e.Events = events
	if e.Intent != (Intent{}) {
		e.Intent, changed = Intent{}, true
		if e.ContactID == "" {
			e.Identity, e.Doubt = "", false
		}
	}
	if e.ContactID == "" && e.Origin == OriginNone && !e.MetBefore() {
		e.NoteMetBefore()
		changed = true
	}
	if changed {
		e.Fingerprint = Fingerprint{}
	}
	return changed
}
