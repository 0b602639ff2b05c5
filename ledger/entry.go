package ledger

import (
	"time"

	"owlatsync"
)

// Fingerprint is a 128-bit hash of exactly the mapped values of a row under a sync's settings. The zero value stands for a
// row that has never been applied completely.
type Fingerprint struct{ Hi, Lo uint64 }

// IsZero reports whether f stands for "not applied".
func (f Fingerprint) IsZero() bool { return f == Fingerprint{} }

// Origin tells how the contact of an entry came to be.
type Origin string

const (
	OriginNone    Origin = ""        // no contact is confirmed yet
	OriginCreated Origin = "created" // this sync created the contact
	OriginAdopted Origin = "adopted" // the contact was in Owlat before
	OriginGone    Origin = "gone"    // the contact was deleted in Owlat
	OriginDeleted Origin = "deleted" // this sync deleted the contact, because its row left the source
	// OriginDeleting is OriginCreated once a delete was sent whose outcome is not known.
	OriginDeleting Origin = "deleting"
)

// Entry is what the ledger knows that Owlat holds for one row of one sync. Everything in it but Intent and Failure was
// confirmed by an answer of Owlat.
type Entry struct {
	Key       string
	ContactID string          // empty while no contact is confirmed
	Email     string          // the contact's present address, normalised
	Identity  string          // the address the contact was created or first met with, which Owlat keeps refusing for others
	Fields    owlatsync.Texts // the contact's other fields; empty stands for null too
	Origin    Origin

	Fingerprint Fingerprint // of the row as last applied completely
	// Doubt says that a request which creates, changes or deletes the contact was about to be sent when the entry was last
	// recorded: what Owlat holds has to be looked up before anything is planned, because the row may have changed meanwhile. The
	// Fingerprint is zero then: a store keeps none.
	Doubt       bool
	Memberships []Membership
	Intent      Intent
	Events      []EventMark // events that are due, or whose outcome is not known
	Failure     *Failure    // why the row is not applied, nil when it is

	FirstSeen time.Time // when the sync first met the row
	ChangedAt time.Time // when the entry was last recorded
}

// Membership returns the entry's membership in the topic, nil when the ledger has none.
func (e *Entry) Membership(topic string) *Membership {
	for i := range e.Memberships {
		if e.Memberships[i].Topic == topic {
			return &e.Memberships[i]
		}
	}
	return nil
}

// Membership is what the ledger knows about one row and one topic.
type Membership struct {
	Topic   string          `json:"topic"`
	Consent bool            `json:"consent"` // the source's last word that was acted on
	State   MembershipState `json:"state"`
	At      time.Time       `json:"at"`
	Renewed time.Time       `json:"renewed,omitzero"` // when the source's consent was last seen going from no to yes
}

// MembershipState tells what was done about a membership.
type MembershipState string

const (
	MemberWanted   MembershipState = "wanted"    // to be added, the request was never sent
	MemberSent     MembershipState = "sent"      // the add was sent, its outcome is not known
	MemberAdded    MembershipState = "added"     // Owlat confirmed the add
	MemberSkipped  MembershipState = "skipped"   // the contact was there before the sync: left as it is
	MemberOut      MembershipState = "out"       // the source does not consent; removed if it was added
	MemberOptedOut MembershipState = "opted out" // the person left, as a webhook told
	MemberLeft     MembershipState = "left"      // taken off because the row left the source: coming back is no consent
	MemberLeaving  MembershipState = "leaving"   // the removal was sent, its outcome is not known
	MemberUnsure   MembershipState = "unsure"    // an add whose outcome stayed unknown for too long to be repeated
)

// EventOn is what makes an event due.
type EventOn string

const (
	OnCreated EventOn = "created" // the contact was created
	OnUpdated EventOn = "updated" // a name or the address of the contact was changed
	OnAppears EventOn = "appears" // the sync met the row for the first time
)

// EventMark is an event that a change of the row has made due.
type EventMark struct {
	Name  string     `json:"name"`
	On    EventOn    `json:"on"`
	State EventState `json:"state"`
	At    time.Time  `json:"at"`
}

// EventState tells how far an event is.
type EventState string

const (
	EventAwaited EventState = "awaited" // due if the update it follows took effect, which is not known
	EventDue     EventState = "due"     // never sent
	EventSent    EventState = "sent"    // sent, the outcome is not recorded
	EventUnknown EventState = "unknown" // sent, and nobody knows whether it arrived; never sent again (Invariant 6)
)

// Intent is recorded before a create is sent, so that a contact found after a kill can be told from one that was there before.
type Intent struct {
	Create time.Time // when the create was about to be sent, zero when none is outstanding
}

// Class is what a failure means for the row and the run.
type Class string

const (
	// RetryLater means that the same request may pass later: 429, 5xx, the network, and a 400 for a row that is valid here.
	RetryLater Class = "retry"
	// GiveUp means that the request would be refused again until the row changes.
	GiveUp Class = "give up"
	// StopRun means that no request with this key or base URL would pass: 401, 402, 403, and an answer that is not Owlat's.
	StopRun Class = "stop"
)

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
	Fingerprint Fingerprint `json:"fingerprint"`       // of the row that failed: another one is tried at once
	Absence     bool        `json:"absence,omitempty"` // what failed follows from the row's absence
}
