package render

import (
	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/reconcile/progress"
)

// rowJSON is the outcome of a row in "run --json". It has no addresses and names, because such output is kept.
type rowJSON struct {
	Type     string                 `json:"type"`
	Sync     string                 `json:"sync"`
	Key      string                 `json:"key,omitempty"`
	Position string                 `json:"position"`
	Address  string                 `json:"address_hash,omitempty"`
	Outcome  owlatsync.Outcome      `json:"outcome"`
	Before   owlatsync.Outcome      `json:"before,omitempty"` // an earlier line of the run about the row had this outcome, which no longer counts
	Changes  []owlatsync.ChangeKind `json:"changes"`
	Events   []string               `json:"events,omitempty"`
	Category string                 `json:"category,omitempty"`
	Reason   string                 `json:"reason,omitempty"`
}

func newRowJSON(sync config.Sync, e progress.RowDone) rowJSON {
	r := rowJSON{
		Type: "row", Sync: sync.Name, Key: harmlessKey(sync, e), Position: e.Position, Address: e.AddressHash(),
		Outcome: e.Outcome, Before: e.Before, Changes: make([]owlatsync.ChangeKind, len(e.Changes)), Events: e.Events, Category: string(e.Category), Reason: e.Reason,
	}
	for i, c := range e.Changes {
		r.Changes[i] = c.Kind
	}
	return r
}

// harmlessKey returns the row's key, unless the key may be an address (Invariant 8).
func harmlessKey(sync config.Sync, e progress.RowDone) string {
	if sync.KeyIsPersonal() {
		return ""
	}
	return e.PublicKey()
}

// afreshJSON says in "run --json" that the run reads its source again.
type afreshJSON struct {
	Type    string `json:"type"`
	Sync    string `json:"sync"`
	Run     int64  `json:"run"`
	Stretch int    `json:"stretch"`
}

// reportJSON is the last line of a sync that "run --json" prints.
type reportJSON struct {
	Type string `json:"type"`
	*owlatsync.Report
}
