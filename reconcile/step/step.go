// Package step has the words that planning and applying share: the row that asks for something, and the step that is to be done for
// it. A step is complete: whoever applies it needs no policy, and whoever plans it sends nothing.
package step

import (
	"encoding/json"
	"slices"

	"owlatsync"
	"owlatsync/ledger"
)

// Form is the version of the encoding in which steps are kept in a ledger. It changes whenever steps of before would mean something
// else.
const Form = 2

// Phase is where a step belongs in the order of a run: what is withdrawn comes first, then the renames that free addresses which
// others need, and what follows from a row's absence last (Invariant 4).
type Phase int

const (
	Settle   Phase = 1 // the ledger alone, no request
	Withdraw Phase = 2
	Rename   Phase = 3
	Update   Phase = 4
	Create   Phase = 5
	Remove   Phase = 6 // what follows from a row's absence
)

// Phases lists all phases in their order.
var Phases = []Phase{Settle, Withdraw, Rename, Update, Create, Remove}

// Step is what is to be done for one row.
type Step struct {
	Phase Phase `json:"-"`
	Order int64 `json:"-"` // within the phase: what is to find an address free comes after what frees it

	Row      *Row               `json:"row"`
	Entry    *ledger.Entry      `json:"entry"` // what is known to be there, with the memberships as they should become
	Changes  []owlatsync.Change `json:"changes,omitempty"`
	Outcome  owlatsync.Outcome  `json:"outcome"`
	Reason   string             `json:"reason,omitempty"`
	Events   []ledger.EventMark `json:"events,omitempty"`   // as they should be once the contact is in step
	Messages []Message          `json:"messages,omitempty"` // what the events that are due say
	Skipped  int                `json:"skipped,omitempty"`  // memberships left alone on purpose
	Unsure   bool               `json:"unsure,omitempty"`   // an add of unknown outcome is too old to be repeated
	New      bool               `json:"new,omitempty"`      // the ledger has no entry for the row
	OldKey   string             `json:"old_key,omitempty"`  // the key under which the ledger knows the row until now
	Missing  bool               `json:"missing,omitempty"`  // the row has left the source
	Awaits   bool               `json:"awaits,omitempty"`   // the address is to be freed by the rename of another row
	Refused  bool               `json:"refused,omitempty"`  // the rename has no order: only what need not wait for it is done
	// Met is how things are if the contact that is to be created turns out to have been there before; nil: as above.
	Met *Met `json:"met,omitempty"`
}

// Met is what becomes of a row whose contact was in Owlat before the sync.
type Met struct {
	Memberships []ledger.Membership `json:"memberships,omitempty"` // as they should become
	Changes     []owlatsync.Change  `json:"changes,omitempty"`     // of topics
	Events      []ledger.EventMark  `json:"events,omitempty"`
	Messages    []Message           `json:"messages,omitempty"`
	Skipped     int                 `json:"skipped,omitempty"`
}

// Message is what an event that is due says.
type Message struct {
	Name       string                     `json:"name"`
	On         ledger.EventOn             `json:"on"`
	Properties map[string]json.RawMessage `json:"properties,omitempty"`
}

// PhaseOf is where the step belongs.
func (s *Step) PhaseOf() Phase {
	if s.Missing {
		return Remove
	}
	p := Settle
	if s.Pending() > 0 {
		p = Update
	}
	for _, c := range s.Changes {
		switch c.Kind {
		case owlatsync.CreateContact:
			return Create
		case owlatsync.RenameContact:
			return Rename
		case owlatsync.RemoveTopic:
			p = Withdraw
		case owlatsync.SetField, owlatsync.AddTopic:
			if p == Settle {
				p = Update
			}
		}
	}
	return p
}

// WithdrawsEarly reports whether the step takes the contact off topics before its turn comes: consents that a row withdraws wait
// for no rename.
func (s *Step) WithdrawsEarly() bool { return s.Phase == Rename && s.changes(owlatsync.RemoveTopic) }

// Leaves reports whether the contact leaves a topic or is deleted.
func (s *Step) Leaves() bool { return s.changes(owlatsync.RemoveTopic, owlatsync.DeleteContact) }

// Sets reports whether the step changes a field of the contact.
func (s *Step) Sets() bool { return s.changes(owlatsync.SetField, owlatsync.RenameContact) }

func (s *Step) changes(kinds ...owlatsync.ChangeKind) bool {
	return slices.ContainsFunc(s.Changes, func(c owlatsync.Change) bool { return slices.Contains(kinds, c.Kind) })
}

// Requests is how many requests the step needs if nothing fails: one to create, one for all fields, one per membership.
func (s *Step) Requests() int {
	n, created, fields := s.Pending(), false, false
	for _, c := range s.Changes {
		switch c.Kind {
		case owlatsync.CreateContact, owlatsync.AddTopic, owlatsync.RemoveTopic, owlatsync.DeleteContact:
			created = created || c.Kind == owlatsync.CreateContact
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

// Pending counts the events that are to be sent or to be reported.
func (s *Step) Pending() (n int) {
	for _, m := range s.Events {
		if m.State != ledger.EventUnknown {
			n++
		}
	}
	return n
}

// Due lists the events that are to be sent.
func (s *Step) Due() (names []string) {
	for _, m := range s.Events {
		if m.State == ledger.EventDue {
			names = append(names, m.Name)
		}
	}
	return names
}

// Decision returns what the step says about its row.
func (s *Step) Decision() Decision {
	return Decision{
		Key: s.Row.Key, Position: s.Row.Position.String(), Outcome: s.Outcome, Reason: s.Reason,
		Changes: s.Changes, Events: s.Due(), Requests: s.Requests(), address: s.Row.Email,
	}
}
