package runform

import (
	"context"
	"iter"

	"owlatsync/ledger"
)

// planPage is how many items Plan reads at once: a longer read keeps SQLite from recycling its log while a run applies the plan.
const planPage = 512

// Plan is the method of this name of ledger.Journal, made of the parts of a plan. All methods of the ledger may be called while it streams; an
// item kept meanwhile appears if its place is still to come.
func Plan(ctx context.Context, run int64, part func(context.Context, ledger.PlanPart) ([]ledger.PlacedItem, error)) iter.Seq2[ledger.PlanItem, error] {
	return func(yield func(ledger.PlanItem, error) bool) {
		want := ledger.PlanPart{Run: run, Limit: planPage}
		for {
			items, err := part(ctx, want)
			if err != nil {
				yield(ledger.PlanItem{}, err)
				return
			}
			for i := range items {
				if !yield(items[i].PlanItem, nil) {
					return
				}
			}
			if len(items) < planPage {
				return
			}
			want.After = &items[planPage-1].Place
		}
	}
}
