package home

import (
	"cmp"
	"slices"
	"sync"

	"owlatsync"
	"owlatsync/internal/api"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

// unsentMost is how many rows are kept of one sync.
const unsentMost = 200

// unsent keeps in memory which rows the latest run of each sync that read all rows could not send. It keeps no address, and no key that may hold one.
type unsent struct {
	mu sync.Mutex
	of map[string]api.Unsent
}

// follow returns what hears of one run of a sync.
func (u *unsent) follow() func(progress.Value) {
	var told api.Unsent
	return func(v progress.Value) {
		switch v := v.(type) {
		case progress.Started:
			told = api.Unsent{Run: v.Run, At: v.At}
		case progress.RowDone:
			take(&told, v)
		case progress.Ended:
			if r := v.Report; r == nil || r.Reading != nil && r.Reading.Mode != owlatsync.ReadAll || told.Run == 0 || !whole(v.Status) {
				return
			}
			u.mu.Lock()
			defer u.mu.Unlock()
			if u.of == nil {
				u.of = make(map[string]api.Unsent)
			}
			u.of[v.Sync] = told
		}
	}
}

// whole reports whether a run that ended so has read its source to the end and planned all rows.
func whole(s ledger.Status) bool {
	return s == ledger.StatusOK || s == ledger.StatusFailedRows || s == ledger.StatusHeld
}

// take takes in what became of a row.
func take(told *api.Unsent, v progress.RowDone) {
	if v.Outcome != owlatsync.Invalid && v.Outcome != owlatsync.Duplicate {
		return
	}
	row := api.UnsentRow{Trouble: reconcile.TroubleOf(v.Decision, v.Sync)}
	if row.Address != "" {
		row.Hash = ledger.HashText(owlatsync.LowerAddress(owlatsync.Trim(row.Address)))
	}
	row.Key, row.Address = v.PublicKey(), ""
	if slices.ContainsFunc(told.Rows, func(had api.UnsentRow) bool {
		return cmp.Or(had.Key, had.Position) == cmp.Or(row.Key, row.Position) && had.What == row.What && had.Position == row.Position
	}) {
		return // an earlier stretch of the run told it
	}
	if len(told.Rows) == unsentMost {
		told.Cut = true
		return
	}
	told.Rows = append(told.Rows, row)
}

func (u *unsent) rows(sync string) (api.Unsent, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	found, ok := u.of[sync]
	return found, ok
}
