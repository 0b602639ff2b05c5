// Package handout decides who is exported for Owlat's importer, and what the ledger keeps of them. It writes nothing.
//
// The idea to know: only who is certainly new is handed out. Everybody else is left to runs, which can ask Owlat about them.
package handout

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

// Person is somebody who is exported.
type Person struct {
	Key    string
	Email  string
	Fields step.Wanted // nil: the source has no value
	Topics []string    // the ids of those that the person consents to
	// Properties are the values of further columns, by their names.
	Properties map[string]json.RawMessage
}

// Known returns which of the addresses the ledger knows in any way: a sync has met them, no mail may go there, or it forgot their person. What the export
// of the sync that began then has recorded does not count.
func Known(ctx context.Context, l ledger.Reader, sync string, began time.Time, addresses []string) (map[string]bool, error) {
	suppressed, err := l.Suppressions(ctx, addresses)
	if err != nil {
		return nil, err
	}
	known, err := l.Forgotten(ctx, addresses)
	if err != nil {
		return nil, err
	}
	held, err := l.Holders(ctx, addresses)
	if err != nil {
		return nil, err
	}
	if known == nil {
		known = make(map[string]bool)
	}
	for address, s := range suppressed {
		known[address] = known[address] || s.Reason != ""
	}
	for _, h := range held {
		if e := h.Entry; h.Sync != sync || e.Origin != ledger.OriginExported || !e.FirstSeen.Equal(began) {
			known[e.Email], known[e.Identity] = true, true
		}
	}
	return known, nil
}

// Of returns the person of a step of a plan, whose contacts were listed; false for somebody who is left to runs. Known says that the ledger knows the
// address in any way.
func Of(s *step.Step, known bool) (p Person, ok bool) {
	e := s.Entry
	if s.Outcome != owlatsync.Created || !s.New || s.OldKey != "" || s.MayExist || s.Awaits || len(s.After) > 0 || s.Left != "" || s.Import != nil ||
		s.Never || known || s.Skipped > 0 || e.ContactID != "" || e.Origin != ledger.OriginNone || !e.Intent.Create.IsZero() {
		return p, false
	}
	for _, m := range e.Memberships {
		if m.Consent && m.State != ledger.MemberWanted { // somebody has left
			return p, false
		}
	}
	for _, c := range s.Changes {
		if c.Kind == owlatsync.AddTopic {
			p.Topics = append(p.Topics, c.Topic)
		}
	}
	p.Key, p.Email, p.Fields, p.Properties = s.Row.Key, s.Row.Email, s.Row.Fields, s.Row.Properties
	return p, true
}

// Entry returns what the ledger keeps of a person of a step who was exported at a time: the consents are spent. At is that time on Owlat's clock.
func Entry(s *step.Step, exported, at time.Time) *ledger.Entry {
	e := &ledger.Entry{Key: s.Row.Key, Identity: s.Row.Email, Origin: ledger.OriginExported, FirstSeen: exported}
	e.Memberships = slices.Clone(s.Entry.Memberships)
	for i := range e.Memberships {
		m := &e.Memberships[i]
		if m.At = at; m.Consent {
			m.State = ledger.MemberImported
		}
	}
	return e
}
