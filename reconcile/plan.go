package reconcile

import (
	"fmt"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

// The phases of a plan, in the order in which they are applied: what has been withdrawn first, then the renames that free
// addresses others need. The others are no phases of a plan, but where the plan store keeps what is no step.
const (
	phaseScan     = 0 // rows that are yet to be planned
	phaseSettle   = 1 // the ledger alone, no request
	phaseWithdraw = 2
	phaseRename   = 3
	phaseUpdate   = 4
	phaseCreate   = 5
	phaseRemove   = 6 // what follows from a row's absence, last (Invariant 4)
	lastPhase     = phaseRemove
	phaseChain    = 7 // planned renames that are to be put in order
	phaseRefused  = 8 // renames that have no order, whose failure is to be recorded
)

// item is one planned step of a row.
type item struct {
	Row     *desired           `json:"row"`
	Entry   *ledger.Entry      `json:"entry,omitempty"` // what is known to be there, with the memberships as they should become
	Changes []owlatsync.Change `json:"changes,omitempty"`
	Outcome owlatsync.Outcome  `json:"outcome"`
	Reason  string             `json:"reason,omitempty"`
	Events  []ledger.EventMark `json:"events,omitempty"`  // as they should be once the contact is in step
	Skipped int                `json:"skipped,omitempty"` // memberships left alone on purpose
	Unsure  bool               `json:"unsure,omitempty"`  // an add of unknown outcome is too old to be repeated
	New     bool               `json:"new,omitempty"`     // the ledger has no entry for the row
	OldKey  string             `json:"old_key,omitempty"` // the key under which the ledger knows the row until now
	Missing bool               `json:"missing,omitempty"` // the row has left the source
	Partial bool               `json:"partial,omitempty"` // another item of the same row follows and tells its outcome
	Reread  bool               `json:"reread,omitempty"`  // an earlier item of the same row changed the entry
	Awaits  bool               `json:"awaits,omitempty"`  // the address is to be freed by the rename of another row
	Refused bool               `json:"refused,omitempty"` // the rename has no order: only what need not wait for it is done

	erred  bool // it failed in this run, and not only because something stays unknown from an earlier one
	spared bool // another row has the contact now: nothing is left to do about this one's absence
}

// planRow compares what a row asks for with what is known to be in Owlat for it and returns the step to take. It is pure.
// The entry is nil for a row never met; one with a contact id stands for a contact that exists, met before or just found.
func planRow(s *Sync, d *desired, entry *ledger.Entry, now time.Time) *item {
	it := &item{Row: d, Entry: entry}
	if entry == nil {
		it.Entry = &ledger.Entry{Key: d.Key, FirstSeen: now}
	}
	e := it.Entry
	if e.Origin == ledger.OriginGone && s.OnRemoteDelete == RemoteDeleteRecreate {
		e = forgone(e)
		it.Entry = e
	}
	isNew := e.ContactID == "" || e.Origin == ledger.OriginCreated && !e.Intent.Create.IsZero()
	switch {
	case e.Failure != nil && e.Failure.Fingerprint == d.Fingerprint && (e.Failure.Parked || now.Before(e.Failure.NextTry)):
		it.Outcome, it.Reason = owlatsync.Failed, waiting(e.Failure)
		return it
	case e.Origin == ledger.OriginGone:
		it.Outcome, it.Reason = owlatsync.Skipped, reasonGone
		return it
	case e.ContactID == "":
		it.Outcome = owlatsync.Created
		it.Changes = append(it.Changes, createChanges(d)...)
	default:
		it.Outcome = owlatsync.Updated
		if isNew {
			it.Outcome = owlatsync.Created // by a create whose answer was lost
		}
		if e.ChangedAt.IsZero() && e.Origin == ledger.OriginAdopted { // not in the ledger yet
			it.Outcome = owlatsync.Adopted
			it.Changes = append(it.Changes, owlatsync.Change{Kind: owlatsync.AdoptContact})
		}
		if e.Email != d.Email {
			if !isNew {
				it.Outcome = owlatsync.Renamed
			}
			it.Changes = append(it.Changes, owlatsync.Change{Kind: owlatsync.RenameContact, Field: "email", From: e.Email, To: d.Email})
		}
		it.Changes = append(it.Changes, setChanges(d, e)...)
	}
	it.fire(s.Events, now)
	it.planMemberships(s.Topics, isNew && !d.Forgotten, now)
	switch {
	case it.Unsure:
		it.Outcome = owlatsync.Failed
	case it.Outcome == owlatsync.Updated && len(it.Changes) == 0 && it.pending() == 0:
		it.Outcome = owlatsync.Unchanged
	}
	return it
}

// phase is where the item belongs in the order of a run.
func (it *item) phase() int {
	p := phaseSettle
	if it.pending() > 0 {
		p = phaseUpdate
	}
	for _, c := range it.Changes {
		switch c.Kind {
		case owlatsync.CreateContact:
			return phaseCreate
		case owlatsync.RenameContact:
			return phaseRename
		case owlatsync.RemoveTopic:
			p = phaseWithdraw
		case owlatsync.SetField, owlatsync.AddTopic:
			if p == phaseSettle {
				p = phaseUpdate
			}
		}
	}
	return p
}

// requests is how many requests the item needs if nothing fails: one to create, one for all fields, one per membership.
func (it *item) requests() int {
	n, created, fields := it.pending(), false, false
	for _, c := range it.Changes {
		created = created || c.Kind == owlatsync.CreateContact
		switch c.Kind {
		case owlatsync.CreateContact, owlatsync.AddTopic, owlatsync.RemoveTopic, owlatsync.DeleteContact:
			n++
		case owlatsync.RenameContact, owlatsync.SetField:
			fields = true
		}
	}
	if fields && !created { // else they go with the create
		n++
	}
	return n
}

func createChanges(d *desired) []owlatsync.Change {
	changes := []owlatsync.Change{{Kind: owlatsync.CreateContact, Field: "email", To: d.Email}}
	return append(changes, setChanges(d, &ledger.Entry{})...)
}

func setChanges(d *desired, e *ledger.Entry) (changes []owlatsync.Change) {
	if d.FirstName != nil && *d.FirstName != e.FirstName {
		changes = append(changes, owlatsync.Change{Kind: owlatsync.SetField, Field: "firstName", From: e.FirstName, To: *d.FirstName})
	}
	if d.LastName != nil && *d.LastName != e.LastName {
		changes = append(changes, owlatsync.Change{Kind: owlatsync.SetField, Field: "lastName", From: e.LastName, To: *d.LastName})
	}
	return changes
}

// planMemberships decides for each topic whether the row's consent is news (Invariant 1): a contact is added when it is
// new, when the source's consent went from no to yes, or when the configuration says so for contacts that were there. The
// contact of somebody who was forgotten is not new, even when it has to be created, nor is one that takes the place of a
// deleted one: with that its opt-outs are gone.
func (it *item) planMemberships(topics []Topic, isNew bool, now time.Time) {
	e := it.Entry
	e.Memberships = append([]ledger.Membership(nil), e.Memberships...)
	unused := unused(e, topics)
	if unused {
		spend(e, topics)
	}
	for i, t := range topics {
		consents := !t.When // a source that says nothing about it says no
		if i < len(it.Row.Consents) {
			consents = it.Row.Consents[i]
		}
		m := e.Membership(t.ID)
		if m == nil {
			e.Memberships = append(e.Memberships, ledger.Membership{Topic: t.ID, Consent: consents, At: now})
			m = e.Membership(t.ID)
			switch {
			case !consents:
				m.State = ledger.MemberOut
			case isNew && e.Origin != ledger.OriginDeleted || unused || t.Existing == ExistingAdd:
				m.State = ledger.MemberWanted
			default:
				m.State = ledger.MemberSkipped
				it.Skipped++
			}
		} else if consents {
			it.planConsent(m, t, now)
		} else if m.State != ledger.MemberWanted && removable(m) && e.ContactID != "" { // a contact that is to be created is on no topic
			it.Changes = append(it.Changes, owlatsync.Change{Kind: owlatsync.RemoveTopic, Topic: t.ID})
		} else {
			m.Consent, m.State = false, ledger.MemberOut
		}
		if m.State == ledger.MemberWanted {
			it.Changes = append(it.Changes, owlatsync.Change{Kind: owlatsync.AddTopic, Topic: t.ID})
		}
	}
}

// spend makes sure that a consent which served another topic serves no further one.
func spend(e *ledger.Entry, topics []Topic) {
	for i := range e.Memberships {
		m := &e.Memberships[i]
		if slices.ContainsFunc(topics, func(t Topic) bool { return t.ID == m.Topic }) {
			continue
		}
		switch m.State {
		case ledger.MemberWanted:
			m.State = ledger.MemberSkipped
		case ledger.MemberSent:
			m.State = ledger.MemberUnsure
		}
	}
}

// unused reports whether the row consented when its contact was created, but for a topic that the configuration no longer has
// and on which the contact is not known to have been put: its id was corrected.
func unused(e *ledger.Entry, topics []Topic) bool {
	if e.Origin != ledger.OriginCreated {
		return false
	}
	return slices.ContainsFunc(e.Memberships, func(m ledger.Membership) bool {
		configured := slices.ContainsFunc(topics, func(t Topic) bool { return t.ID == m.Topic })
		return !configured && m.Consent && (m.State == ledger.MemberWanted || m.State == ledger.MemberSent)
	})
}

// planConsent moves a known membership whose row consents.
func (it *item) planConsent(m *ledger.Membership, t Topic, now time.Time) {
	switch {
	case !m.Consent && t.When:
		m.Consent, m.State, m.At, m.Renewed = true, ledger.MemberWanted, now, now
	case t.Existing == ExistingAdd && (!m.Consent || m.State == ledger.MemberSkipped || absent(m)):
		m.Consent, m.State, m.At = true, ledger.MemberWanted, now
	case !m.Consent, absent(m):
		// The configuration stopped asking, or the row is back: neither is a consent that the person gave.
		m.Consent, m.State, m.At = true, ledger.MemberSkipped, now
		it.Skipped++
	case m.State == ledger.MemberSent: // by an earlier run: the person may have been mailed and have opted out since (Invariant 1)
		m.State = ledger.MemberUnsure
		it.Unsure = true
		it.Reason = fmt.Sprintf("it is not known whether the contact was put on topic %s: the answer was lost, and adding it again could undo an opt-out; `owlat-sync topic add` does it if you are sure", t.ID)
	}
}

// removable reports whether a removal that is called for is still to be sent.
func removable(m *ledger.Membership) bool {
	return m.State == ledger.MemberLeaving || m.Consent && m.State != ledger.MemberLeft && m.State != ledger.MemberOptedOut
}

// absent reports whether the row's absence has taken the contact off the topic, or may have.
func absent(m *ledger.Membership) bool {
	return m.State == ledger.MemberLeft || m.State == ledger.MemberLeaving && m.Consent
}

const reasonGone = "the contact was deleted in Owlat and is left alone: it may have been an erasure request"

func waiting(f *ledger.Failure) string {
	if f.Parked {
		return fmt.Sprintf("%s (given up after %d attempts until the row changes)", f.Reason, f.Attempts)
	}
	return fmt.Sprintf("%s (attempt %d failed; next try after %s)", f.Reason, f.Attempts, f.NextTry.UTC().Format(time.RFC3339))
}
