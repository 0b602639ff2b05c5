package step

import (
	"owlatsync"
	"owlatsync/ledger"
)

// Ends returns the least and the most that the step sends if nothing fails. They differ where a create may meet a contact that
// exists: then the refused create and a read come first, an update may follow, and Met says what comes last.
func (s *Step) Ends() (least, most owlatsync.Ends) {
	least = owlatsync.Ends{Requests: s.Requests(), Added: added(s.Changes), Events: len(s.Due())}
	if most = least; s.OptsOut() {
		most.Requests++ // Owlat answers alike for a contact that is on no topic and for one that was merged: it is looked at
	}
	if s.Looks { // it may be found that nothing may be overwritten
		least.Requests--
		for _, m := range s.Events {
			if m.On == ledger.OnUpdated && m.State == ledger.EventDue {
				least.Requests--
				least.Events--
			}
		}
	}
	if s.Seeks && s.Met != nil {
		most.Requests += len(s.Met.Changes) + 2 // if it is found: the update of its fields, and the look
	}
	if !s.MayExist {
		return least, most
	}
	met := owlatsync.Ends{Requests: 2}
	if s.Met != nil {
		met.Added = added(s.Met.Changes)
		for _, m := range s.Met.Events {
			if m.Pends() {
				met.Requests++
			}
			if m.State == ledger.EventDue {
				met.Events++
			}
		}
		met.Requests += len(s.Met.Changes)
	}
	least = owlatsync.Ends{Requests: min(least.Requests, met.Requests), Added: min(least.Added, met.Added), Events: min(least.Events, met.Events)}
	// A contact that another sync created is put on the topics as a new one is.
	met.Requests += max(0, most.Added-met.Added)
	for _, wanted := range s.Row.Fields {
		if wanted != nil {
			met.Requests++ // one update of all fields
			break
		}
	}
	most = owlatsync.Ends{Requests: max(most.Requests, met.Requests), Added: max(most.Added, met.Added), Events: max(most.Events, met.Events)}
	return least, most
}

func added(changes []owlatsync.Change) (n int) {
	for _, c := range changes {
		if c.Kind == owlatsync.AddTopic {
			n++
		}
	}
	return n
}
