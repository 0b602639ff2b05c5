package ledger

import (
	"slices"
	"time"

	"owlatsync"
)

// Fingerprint is a 128-bit hash of exactly the mapped values of a row under a sync's settings. The zero value means that the row
// has never been applied completely.
type Fingerprint struct{ Hi, Lo uint64 }

// IsZero reports whether f means "not applied".
func (f Fingerprint) IsZero() bool { return f == Fingerprint{} }

// Origin tells how the contact of an entry came to be.
type Origin string

const (
	OriginNone    Origin = ""        // no contact is confirmed yet
	OriginCreated Origin = "created" // this sync created the contact
	OriginAdopted Origin = "adopted" // the contact was in Owlat before
	OriginGone    Origin = "gone"    // the contact was deleted in Owlat
	OriginDeleted Origin = "deleted" // this sync deleted the contact, because its row left the source
	// OriginDeleting is OriginCreated after a delete was sent whose outcome is not known.
	OriginDeleting Origin = "deleting"
	// OriginExported says that the row was written to a file for Owlat's importer at FirstSeen, with the address that is the Identity, and that no
	// run has met its contact since: only then the entry tells more than that.
	OriginExported Origin = "exported"
)

// Entry is what Owlat is known to hold for one row of one sync. An answer of Owlat has confirmed everything in it but Intent and
// Failure.
type Entry struct {
	Key       string
	ContactID string          // empty while no contact is confirmed
	Email     string          // the contact's present address, normalised
	Identity  string          // the address the contact was created or first met with; Owlat refuses it to others
	Fields    owlatsync.Texts // the contact's other fields; empty also means null
	Origin    Origin

	Fingerprint Fingerprint // of the row as last applied completely
	// Doubt says that a request which creates, changes or deletes the contact was about to be sent when the entry was last
	// recorded. The row may have changed since, so a plan must first look up what Owlat holds. The Fingerprint is zero then: a
	// store keeps none.
	Doubt       bool
	Memberships []Membership
	Intent      Intent
	Events      []EventMark // events that are due or whose outcome is not known, and what columns said of which events depend
	FieldMarks  []FieldMark // of fields that may not always be overwritten, in no order
	Failure     *Failure    // why the row is not applied; nil if it is
	// Departed says that the row has left the source and that all is done that follows from it. It names the terms under which that
	// was done, in the engine's own words; empty: the source had the row when it was last read. A departed entry has no Fingerprint,
	// no Doubt and no Failure. It stays, so that a row that comes back is known, but it is no part of the Index, of Open and of what
	// Standing counts.
	Departed string

	// Witness is the contact's updatedAt of the last answer of Owlat that carried one. Every way in which a person leaves a topic
	// that they are on moves it, and adding them to a topic without double opt-in does not. So a contact with this updatedAt has
	// left no topic since. Zero: no answer told it, or a request of this sync may have moved it since.
	Witness time.Time

	FirstSeen time.Time // when the sync first met the row
	ChangedAt time.Time // when the entry was last recorded
}

// Depart notes that the row has left the source and that all is done that follows from it under the terms.
func (e *Entry) Depart(terms string) {
	e.Departed, e.Fingerprint, e.Doubt, e.Failure = terms, Fingerprint{}, false, nil
}

// MetBefore reports whether a run that the ledger does not know may have met the row before: the ledger was set back, and the row has
// had no contact since.
func (e *Entry) MetBefore() bool { return slices.ContainsFunc(e.Events, EventMark.metBefore) }

// NoteMetBefore notes that a run that the ledger does not know may have met the row before.
func (e *Entry) NoteMetBefore() {
	if !e.MetBefore() {
		e.Events = append(slices.Clone(e.Events), EventMark{On: OnAppears, State: EventSent, At: e.FirstSeen})
	}
}

// OfEvents returns the marks that stand for events.
func OfEvents(marks []EventMark) []EventMark {
	return slices.DeleteFunc(slices.Clone(marks), EventMark.metBefore)
}

// Seen returns the marks of what columns said.
func Seen(marks []EventMark) (seen []EventMark) {
	for _, m := range marks {
		if m.State == EventSeen {
			seen = append(seen, m)
		}
	}
	return seen
}

// Membership returns the entry's membership in the topic, nil if the ledger has none.
func (e *Entry) Membership(topic string) *Membership {
	for i := range e.Memberships {
		if e.Memberships[i].Topic == topic {
			return &e.Memberships[i]
		}
	}
	return nil
}

// Unread reports whether an add of the entry is unsure and nobody has read whether the contact is on the topic.
func (e *Entry) Unread() bool {
	return e != nil && e.ContactID != "" && e.Origin != OriginGone && slices.ContainsFunc(e.Memberships, func(m Membership) bool {
		return m.State == MemberUnsure && m.Off.IsZero()
	})
}

// Membership is what the ledger knows about one row and one topic.
type Membership struct {
	Topic   string          `json:"topic"`
	Consent bool            `json:"consent"` // the source's last word that a run acted on
	State   MembershipState `json:"state"`
	At      time.Time       `json:"at"`               // on Owlat's clock, as far as its answers have told it
	Renewed time.Time       `json:"renewed,omitzero"` // when a run last saw the consent go from no to yes, on the same clock
	// Sent is a time on Owlat's clock, not after an add of unknown outcome was sent. Whoever has left since has moved the contact's
	// updatedAt beyond it. Zero: not known.
	Sent time.Time `json:"sent,omitzero"`
	// Pending is when Owlat answered the first add that the person is yet to confirm (double opt-in); zero: it answered otherwise.
	// Owlat tells nobody of a confirmation by itself. It stays while the person is off the topic: Owlat still waits.
	Pending time.Time `json:"pending,omitzero"`
	// Unmailed says that Owlat was already waiting for the person when it answered the latest add, so that it sent no mail.
	Unmailed bool `json:"unmailed,omitempty"`
	// Off is when a reading of the memberships showed that the contact is not on the topic, of an add that is unsure: it was lost, or the
	// person has left since. Zero: nobody has read it. It says nothing of other states.
	Off time.Time `json:"off,omitzero"`
}

// MembershipState tells what was done about a membership.
type MembershipState string

const (
	MemberWanted   MembershipState = "wanted"    // to be added; the request was never sent
	MemberSent     MembershipState = "sent"      // the add was sent; its outcome is not known
	MemberAdded    MembershipState = "added"     // Owlat confirmed the add
	MemberSkipped  MembershipState = "skipped"   // the contact was there before the sync: left as it is
	MemberOut      MembershipState = "out"       // the source does not consent; removed if it was added
	MemberUnknown  MembershipState = "unknown"   // the source does not consent; nothing was sent, and it is not known whether the contact is on the topic
	MemberOptedOut MembershipState = "opted out" // the person left; a webhook told so
	MemberLeft     MembershipState = "left"      // removed, or left to another row, because the row left the source; a row that comes back is no consent
	MemberLeaving  MembershipState = "leaving"   // the removal was sent; its outcome is not known
	MemberUnsure   MembershipState = "unsure"    // the outcome of an add stayed unknown; the add is not repeated
	MemberImported MembershipState = "imported"  // Owlat's importer was to add the contact; it is not known whether it did
)

// EventOn is what makes an event due.
type EventOn string

const (
	OnCreated EventOn = "created" // the contact was created
	OnUpdated EventOn = "updated" // a name or the address of the contact was changed
	OnAppears EventOn = "appears" // the sync met the row for the first time
	OnWhen    EventOn = "when"    // a column of the row went from no to yes
	OnChanges EventOn = "changes" // a column of the row changed
	OnFact    EventOn = "fact"    // the row tells something that happened
)

// Watches reports whether the event is due because of what a column says.
func (on EventOn) Watches() bool { return on == OnWhen || on == OnChanges || on == OnFact }

// EventMark is an event that a change of the row has made due, or what a column said of which one depends. One without a name stands
// for no event: see Entry.MetBefore.
type EventMark struct {
	Name   string     `json:"name"`
	On     EventOn    `json:"on"`
	Column string     `json:"column,omitempty"` // of OnWhen, OnChanges, and OnFact, which is its time
	State  EventState `json:"state"`
	// Value is the JSON of what the column said; empty: that is not known. Of an event it is the value that makes it due.
	Value string    `json:"value,omitempty"`
	At    time.Time `json:"at"`
}

// What columns say of which events depend: yes, no, and NULL or that nothing was said yet.
const (
	SaidYes     = "true"
	SaidNo      = "false"
	SaidNothing = "null"
)

// Of reports whether both marks are of one rule.
func (m EventMark) Of(o EventMark) bool {
	return m.Name == o.Name && m.On == o.On && m.Column == o.Column
}

// Pends reports whether the event is to be sent or reported.
func (m EventMark) Pends() bool { return m.State != EventUnknown && m.State != EventSeen }

func (m EventMark) metBefore() bool { return m.Name == "" }

// EventState tells what was done about an event.
type EventState string

const (
	EventAwaited EventState = "awaited" // due if its update took effect, which is not known
	EventDue     EventState = "due"     // never sent
	EventSent    EventState = "sent"    // sent; the outcome is not recorded
	EventUnknown EventState = "unknown" // sent; it is not known whether it arrived; never sent again (Invariant 6)
	EventSeen    EventState = "seen"    // no event: what the column said when that was last acted on
)

// Intent is recorded before a create is sent. It tells a contact found after a kill from one that was there before.
type Intent struct {
	Create time.Time // when the create was about to be sent, on Owlat's clock; zero if none is outstanding
	Local  bool      // Create is on this machine's clock instead, because no answer had told Owlat's yet
}

// Class is what a failure means for the row and the run.
type Class string

const (
	// RetryLater means that the same request may pass later: 429, 5xx, the network, and a 400 for a row that is valid here.
	RetryLater Class = "retry"
	// GiveUp means that the same request would be refused again until the row changes.
	GiveUp Class = "give up"
	// StopRun means that every request with this key or base URL would fail: 401, 402, 403, or an answer that is not Owlat's.
	StopRun Class = "stop"
)

// Waits reports whether the failed row waits for its next try, now by this machine's clock. A failure from the future is due: the clock was
// ahead when it was told, and its next try may be years away.
func (f *Failure) Waits(now time.Time) bool {
	return now.Before(f.NextTry) && !f.Last.After(now.Add(time.Minute))
}

// Failure is why a row is not applied.
type Failure struct {
	Class       Class       `json:"class"`
	Category    Category    `json:"category"`
	Status      int         `json:"status,omitempty"`
	Reason      string      `json:"reason"` // for people; holds no address
	Attempts    int         `json:"attempts"`
	First       time.Time   `json:"first"`
	Last        time.Time   `json:"last"`
	NextTry     time.Time   `json:"next_try"`
	Parked      bool        `json:"parked"`
	Fingerprint Fingerprint `json:"fingerprint"`       // of the row that failed: a changed row is tried at once
	Absence     bool        `json:"absence,omitempty"` // the failed step follows from the row's absence
	Holder      RowRef      `json:"holder,omitzero"`   // the row whose contact has what this one needs, its address; the zero value: none that may be named
}

// RowRef names a row, by a key that is no address and holds none.
type RowRef struct {
	Sync string `json:"sync"`
	Key  string `json:"key"`
}
