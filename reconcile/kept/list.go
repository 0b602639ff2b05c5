package kept

import (
	"context"
	"math"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

// Want says which steps of a plan are listed.
type Want struct {
	Run     int64
	Address string               // only what concerns this normalised address; empty: any
	Kind    owlatsync.ChangeKind // only such as have a change of this kind, Events: only such as send events; empty: any
	Key     string               // only of the row with this key; empty: any
	After   ledger.PlanPlace     // only later ones; the zero value: from the first
	Limit   int                  // the most
}

// Events is the kind of change that an event is.
const Events owlatsync.ChangeKind = "event"

// Listed is a part of a plan, in the order in which its steps would be applied.
type Listed struct {
	Steps []step.Decision  // they hold addresses and names
	Last  ledger.PlanPlace // where the list ends, also without a step there
	More  bool             // there may be more after Last
}

// How many items are read at once, and how many are looked at for one list.
const (
	readAtOnce = 1000
	mostRead   = 20 * readAtOnce
)

// List returns a part of the plan of a held run that this version of the program kept. Its time does not grow with the plan: where very many steps are none
// of those that are wanted, the list ends early, and has More.
func List(ctx context.Context, l Plans, want Want) (found Listed, err error) {
	if found.Last = want.After; found.Last == (ledger.PlanPlace{}) {
		found.Last = before(step.Phases[0])
	}
	part := ledger.PlanPart{Run: want.Run, Key: want.Key, After: &found.Last, Limit: want.Limit + 1}
	if want.Address != "" {
		part.Address = ledger.HashText(want.Address)
	}
	if want.Kind != "" {
		part.Limit = readAtOnce
	}
	for read := 0; ; {
		var over bool
		if found.Last, over = skipped(want.Kind, found.Last); over {
			return found, nil
		}
		items, err := l.PlanPart(ctx, part)
		if err != nil {
			return found, unread(want.Run, err)
		}
		for i := range items {
			d, err := decode(items[i].PlanItem)
			if err != nil {
				return found, unread(want.Run, err)
			}
			has := want.Kind == "" || Has(d, want.Kind)
			if found.More = has && len(found.Steps) == want.Limit; found.More {
				return found, nil
			}
			if found.Last = items[i].Place; has {
				found.Steps = append(found.Steps, d)
			}
		}
		if read += len(items); len(items) < part.Limit {
			return found, nil
		}
		if found.More = read >= mostRead; found.More {
			return found, nil
		}
	}
}

// only are the phases in which alone there are changes of some kinds.
var only = map[owlatsync.ChangeKind][]step.Phase{
	owlatsync.CreateContact: {step.Create},
	owlatsync.RenameContact: {step.Rename},
	owlatsync.DeleteContact: {step.Rename, step.Remove},
}

// skipped returns where to go on after a place in the search for a kind of change, and whether there is none of it any more.
func skipped(kind owlatsync.ChangeKind, after ledger.PlanPlace) (_ ledger.PlanPlace, over bool) {
	phases, some := only[kind]
	if !some {
		return after, false
	}
	for _, p := range phases {
		switch at := step.Phase(after.Phase); {
		case at == p && after != before(p+1):
			return after, false
		case at < p:
			return before(p), false
		}
	}
	return after, true
}

// before returns the place before all items of a phase.
func before(p step.Phase) ledger.PlanPlace {
	return ledger.PlanPlace{Phase: int(p) - 1, Order: math.MaxInt64, Number: math.MaxInt64}
}

// Has reports whether a step has a change of a kind. The fields of a contact that it creates are no changes of fields.
func Has(d step.Decision, kind owlatsync.ChangeKind) bool {
	if kind == Events {
		return len(d.Events) > 0
	}
	for _, c := range d.Changes {
		if kind == owlatsync.SetField && c.Kind == owlatsync.CreateContact {
			return false
		}
		if c.Kind == kind {
			return true
		}
	}
	return false
}
