// Package step has the words that planning and applying share: the row that asks for something, and the step that is done for it. A
// step is complete: applying it needs no policy, and planning it sends nothing.
package step

import (
	"encoding/json"
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/ledger"
)

// Form is the version of what the ledger keeps of a held plan's steps: since 5 a hash of what each does, since 7 what it does, too (see package
// kept). It changes whenever what was kept of an old step would mean something else.
const Form = 7

// Phase is the place of a step in the order of a run. Withdrawn consents come first and wait for nothing. Renames come before updates
// and creations, because they free addresses that others need. What follows from a row's absence comes last (Invariant 4).
type Phase int

const (
	Withdraw Phase = 1 // withdrawn consents, and nothing else
	Settle   Phase = 2 // the ledger alone, no request
	Rename   Phase = 3
	Update   Phase = 4
	Create   Phase = 5
	Remove   Phase = 6 // what follows from a row's absence; only a delete whose address a row needs comes with the renames
)

// Phases lists all phases in their order.
var Phases = []Phase{Withdraw, Settle, Rename, Update, Create, Remove}

// Step is what a run does for one row.
type Step struct {
	Phase Phase `json:"-"`
	Order int64 `json:"-"` // within the phase: a step that needs an address comes after the one that frees it

	Row      *Row               `json:"row"`
	Entry    *ledger.Entry      `json:"entry"` // what is known in Owlat, with the memberships as they should become
	Changes  []owlatsync.Change `json:"changes,omitempty"`
	Outcome  owlatsync.Outcome  `json:"outcome"`
	Reason   string             `json:"reason,omitempty"`
	Events   []ledger.EventMark `json:"events,omitempty"`    // as they should be once the contact is in step
	Messages []Message          `json:"messages,omitempty"`  // of the events that are due
	Instead  *Instead           `json:"instead,omitempty"`   // the row that counts instead of a duplicate
	Skipped  int                `json:"skipped,omitempty"`   // memberships left alone on purpose
	Never    bool               `json:"never,omitempty"`     // no mail may go to the person, and Owlat was not told so yet
	Seeks    bool               `json:"seeks,omitempty"`     // of Never: a contact with the row's address is looked for
	New      bool               `json:"new,omitempty"`       // the ledger has no entry for the row
	OldKey   string             `json:"old_key,omitempty"`   // the key under which the ledger knows the row; empty: the same
	Matches  bool               `json:"matches,omitempty"`   // the row has no contact of its own: its events go to whoever has its address
	Only     bool               `json:"only,omitempty"`      // the row is not applied: only the consents that it withdraws are
	Category ledger.Category    `json:"category,omitempty"`  // why the row is not applied, if Only
	Missing  bool               `json:"missing,omitempty"`   // the row has left the source
	Departs  string             `json:"departs,omitempty"`   // the terms under which a row that has left departs once the step is done
	Topics   []string           `json:"topics,omitempty"`    // that another contact leaves if the one to be deleted was merged into it
	Awaits   bool               `json:"awaits,omitempty"`    // another row's rename must free the address
	After    []string           `json:"after,omitempty"`     // keys of rows that left the source: deleting their contacts frees the address
	Left     string             `json:"left,omitempty"`      // which row left and keeps the address, if one does, and what to do
	Refused  bool               `json:"refused,omitempty"`   // the rename has no order: only the rest of the step is done
	MayExist bool               `json:"may_exist,omitempty"` // nobody has looked whether the contact to be created exists
	Begins   bool               `json:"begins,omitempty"`    // no earlier run began to create the contact
	Joins    bool               `json:"joins,omitempty"`     // no earlier run began one of the adds to topics
	// Spends are topics to which the contact is added only because another sync created it: not after a departure.
	Spends []string `json:"spends,omitempty"`
	Looks  bool     `json:"looks,omitempty"`  // somebody may have changed a field in Owlat that is to be overwritten: the contact is read first
	Import *Import  `json:"import,omitempty"` // nil: the row was not exported for Owlat's importer, or its contact is known
	// Met is what to do instead if the contact to be created turns out to be there; nil: the same.
	Met *Met `json:"met,omitempty"`
}

// Import is about a row that was exported for Owlat's importer, and whose contact is not known yet. It is looked for, and the consents that
// were exported count as spent.
type Import struct {
	Memberships []ledger.Membership `json:"memberships,omitempty"` // as they were exported
	Absent      bool                `json:"absent,omitempty"`      // Owlat is known to have no contact
	Makes       bool                `json:"makes,omitempty"`       // where there is none, it is created as that of a new row
}

// Met is what to do for a row whose contact was in Owlat before the sync.
type Met struct {
	Memberships []ledger.Membership `json:"memberships,omitempty"` // as they should become
	Changes     []owlatsync.Change  `json:"changes,omitempty"`     // of topics
	Events      []ledger.EventMark  `json:"events,omitempty"`
	Messages    []Message           `json:"messages,omitempty"`
	Skipped     int                 `json:"skipped,omitempty"`
	Old         bool                `json:"old,omitempty"` // its consents are old, whoever created the contact: the ledger is older than what was done
}

// Message is the content of an event that is due.
type Message struct {
	Name       string                     `json:"name"`
	On         ledger.EventOn             `json:"on"`
	Column     string                     `json:"column,omitempty"`
	Properties map[string]json.RawMessage `json:"properties,omitempty"`
}

// PhaseOf returns the phase that the step belongs to.
func (s *Step) PhaseOf() Phase {
	if s.Missing {
		return Remove
	}
	if s.Only {
		return Withdraw
	}
	if s.Import != nil {
		return Create
	}
	p := Settle
	if s.Seeks {
		p = Withdraw
	}
	if s.Pending() > 0 {
		p = Update
	}
	for _, c := range s.Changes {
		switch c.Kind {
		case owlatsync.CreateContact:
			return Create
		case owlatsync.RenameContact:
			return Rename
		case owlatsync.RemoveTopic, owlatsync.OptOut:
			if p == Settle {
				p = Withdraw
			}
		case owlatsync.SetField, owlatsync.AddTopic:
			p = Update
		}
	}
	return p
}

// WithdrawsEarly reports whether the step takes the contact off topics, or opts it out of everything, before its turn: consents that a row withdraws do not wait
// for anything else.
func (s *Step) WithdrawsEarly() bool {
	return (s.Phase == Rename || s.Phase == Update) && s.changes(owlatsync.RemoveTopic, owlatsync.OptOut)
}

// Leaves reports whether the contact leaves a topic or is deleted.
func (s *Step) Leaves() bool { return s.changes(owlatsync.RemoveTopic, owlatsync.DeleteContact) }

// OptsOut reports whether the contact is opted out of everything.
func (s *Step) OptsOut() bool { return s.changes(owlatsync.OptOut) }

// Deletes reports whether the contact is deleted.
func (s *Step) Deletes() bool { return s.changes(owlatsync.DeleteContact) }

// Keeps counts the fields that the step leaves as Owlat has them although the row says something else, and of which that is news.
func Keeps(changes []owlatsync.Change) (n int) {
	for _, c := range changes {
		if c.Kind == owlatsync.KeepField {
			n++
		}
	}
	return n
}

// Kept names the fields that Keeps counts.
func Kept(changes []owlatsync.Change) string {
	var names []string
	for _, c := range changes {
		if c.Kind == owlatsync.KeepField {
			names = append(names, c.Field)
		}
	}
	return strings.Join(names, ", ")
}

// Sets reports whether the step changes a field of the contact.
func (s *Step) Sets() bool { return s.changes(owlatsync.SetField, owlatsync.RenameContact) }

func (s *Step) changes(kinds ...owlatsync.ChangeKind) bool {
	return slices.ContainsFunc(s.Changes, func(c owlatsync.Change) bool { return slices.Contains(kinds, c.Kind) })
}

// Requests returns how many requests the step needs if nothing fails: one to create, one for all fields, one for each membership
// and event, one to look at a contact that an earlier add may have put on a topic, and one to look whether somebody has changed its fields.
func (s *Step) Requests() int {
	n, created, fields := s.Pending(), false, false
	if s.looks() {
		n++
	}
	if s.Seeks || s.Import != nil && !s.Import.Absent {
		n++
	}
	if s.Looks {
		n++
	}
	for _, c := range s.Changes {
		switch c.Kind {
		case owlatsync.CreateContact, owlatsync.AddTopic, owlatsync.RemoveTopic, owlatsync.DeleteContact:
			created = created || c.Kind == owlatsync.CreateContact
			n++
		case owlatsync.RenameContact, owlatsync.SetField:
			fields = true
		}
	}
	if fields && !created { // a create sends the fields too
		n++
	}
	return n
}

// looks reports whether the step looks at the contact first, because of an add whose outcome is unknown: it sends that add again, or a
// removal is about to move what tells of it.
func (s *Step) looks() bool {
	if s.Entry == nil || s.Missing {
		return false
	}
	return slices.ContainsFunc(s.Entry.Memberships, func(m ledger.Membership) bool {
		if m.State != ledger.MemberSent {
			return false
		}
		at := slices.IndexFunc(s.Changes, func(c owlatsync.Change) bool { return c.Topic == m.Topic })
		return at < 0 && s.changes(owlatsync.RemoveTopic) || at >= 0 && s.Changes[at].Kind == owlatsync.AddTopic
	})
}

// Links returns how often the step reads memberships if that can be done: before it puts a contact that was there before on a topic, and where
// an add or a removal is in doubt.
func (s *Step) Links() int {
	if s.Entry == nil || s.Entry.ContactID == "" {
		return 0
	}
	for _, c := range s.Changes {
		if m := s.Entry.Membership(c.Topic); c.Kind == owlatsync.AddTopic || c.Kind == owlatsync.RemoveTopic && m != nil && m.State == ledger.MemberLeaving {
			return 1
		}
	}
	if s.looks() {
		return 1
	}
	return 0
}

// Pending counts the events that are to be sent or reported.
func (s *Step) Pending() (n int) {
	for _, m := range s.Events {
		if m.Pends() {
			n++
		}
	}
	return n
}

// Due returns the names of the events that are to be sent.
func (s *Step) Due() (names []string) {
	for _, m := range s.Events {
		if m.State == ledger.EventDue {
			names = append(names, m.Name)
		}
	}
	return names
}

// Fires reports whether the step sends an event because of what a column says.
func (s *Step) Fires() bool {
	return slices.ContainsFunc(s.Events, func(m ledger.EventMark) bool { return m.State == ledger.EventDue && m.On.Watches() })
}

// Decision returns what the step says about its row.
func (s *Step) Decision() Decision {
	return Decision{
		Key: s.Row.Key, Position: s.Row.Position.String(), Outcome: s.Outcome, Reason: s.why(),
		Changes: s.Changes, Events: s.Due(), Requests: s.Requests(), MayExist: s.MayExist, Instead: s.Instead, address: s.Row.Email,
	}
}

// why returns the reason for people, also of a change that Owlat is expected to refuse.
func (s *Step) why() string {
	if s.Reason == "" && s.Left != "" {
		return "Owlat refuses the address while another contact has it: " + s.Left
	}
	return s.Reason
}
