package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"owlatsync"
	"owlatsync/ledger"
)

// phaseAsked holds no step but, in the plan of a held run, what part of it was asked for: first how much, then each key.
const phaseAsked = lastPhase + 1

type asked struct {
	Limit int `json:"limit,omitempty"`
	Only  int `json:"only,omitempty"` // how many keys there are
}

// ErrPartForgotten says that the rows for which a run was held are not known any more.
var ErrPartForgotten = errors.New("the rows that the held run was asked to apply were forgotten since")

// keepPart keeps with the plan of a run that only a part of it is to be applied.
func (e *Engine) keepPart(ctx context.Context, run int64, p owlatsync.Part) error {
	body, err := json.Marshal(asked{p.Limit, len(p.Only)})
	if err != nil {
		return fmt.Errorf("keep the plan: %w", err)
	}
	items := []ledger.PlanItem{{Phase: phaseAsked, Body: body}}
	for _, key := range p.Only {
		items = append(items, ledger.PlanItem{Phase: phaseAsked, Order: 1, Key: key})
	}
	if err := e.ledger.Spool(ctx, run, items); err != nil {
		return fmt.Errorf("keep the plan: %w", err)
	}
	return nil
}

// PartOf returns which rows the held run was asked to apply. Approving it applies no others. It fails with
// ErrPartForgotten when the persons of all of them were forgotten since.
func PartOf(ctx context.Context, plans ledger.PlanStore, run int64) (owlatsync.Part, error) {
	var p owlatsync.Part
	var head asked
	for item, err := range plans.Spooled(ctx, run, phaseAsked) {
		if err != nil {
			return owlatsync.Part{}, fmt.Errorf("read the plan of run %d: %w", run, err)
		}
		if item.Order > 0 {
			p.Only = append(p.Only, item.Key)
		} else if err := json.Unmarshal(item.Body, &head); err != nil {
			return owlatsync.Part{}, fmt.Errorf("read the plan of run %d: %w", run, err)
		}
	}
	if len(p.Only) == 0 && head.Only > 0 {
		return owlatsync.Part{}, ErrPartForgotten
	}
	p.Limit = head.Limit
	return p, nil
}
