package progress

import (
	"slices"
	"strconv"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

// account knows what became of each row of a run that may read its source several times, so that a row counts once, whatever the
// stretches of the run did for it. It is used under the lock of its teller.
//
// While a stretch plans, what becomes of its rows is only a draft, because the plan may come to nothing.
type account struct {
	stretch   uint32          // the present stretch; the first is 1
	fates     map[uint64]fate // by row
	others    map[uint64]int  // rows that their keys do not tell apart, counted in the present stretch
	unchanged int             // rows of the latest plan that need nothing and have no fate
	draft     *draft          // nil: none
}

// fate is what became of a row.
type fate struct {
	outcome uint8  // 1 + its place in owlatsync.Outcomes; 0: only a draft has the row
	next    uint8  // the outcome in the draft; 0: none
	missing bool   // the row has left the source, and the run acted on that
	awaited bool   // Owlat has no contact of the row, which was exported for its importer
	lasting bool   // it stays failed although it is in step from now on: what became of a request is not known, and is told once
	met     uint32 // the latest stretch whose source has the row
	told    uint32 // the latest stretch in which the row had an outcome
}

// draft is a stretch whose plan is not made yet.
type draft struct {
	rows      int
	unchanged int
	changed   []change // the rows with another outcome than before
}

// change is the outcome of a row in a draft.
type change struct {
	row uint64
	RowDone
}

func newAccount() *account {
	return &account{stretch: 1, fates: make(map[uint64]fate), others: make(map[uint64]int)}
}

func codeOf(o owlatsync.Outcome) uint8 { return uint8(1 + slices.Index(owlatsync.Outcomes, o)) }

func outcomeOf(code uint8) owlatsync.Outcome {
	if code == 0 {
		return ""
	}
	return owlatsync.Outcomes[code-1]
}

// rowOf identifies the row that an outcome is about. A row without a key, or with the key of another one, is known by its place
// among those that say the same.
func (a *account) rowOf(v RowDone) uint64 {
	if v.Key != "" && !v.Twin {
		row := ledger.HashText(v.Key)
		if f := a.fates[row]; f.told < a.stretch && f.next == 0 {
			return row
		}
	}
	says := ledger.HashText(v.Key + "\x00" + v.Address() + "\x00" + v.Reason)
	a.others[says]++
	return ledger.HashText(strconv.FormatUint(says, 16) + " " + strconv.Itoa(a.others[says]))
}

// take takes in the outcome of a row and counts it in the report. It returns what is to be told of it, false if nothing is.
func (a *account) take(r *owlatsync.Report, v RowDone, missing bool) (RowDone, bool) {
	row := a.rowOf(v)
	if a.draft != nil {
		f := a.fates[row]
		f.met, f.next = a.stretch, codeOf(v.Outcome)
		a.fates[row] = f
		if f.outcome != f.next {
			a.draft.changed = append(a.draft.changed, change{row, v})
		}
		return v, false
	}
	return a.count(r, row, v, missing)
}

// count counts the outcome of a row in the place of its former one.
func (a *account) count(r *owlatsync.Report, row uint64, v RowDone, missing bool) (RowDone, bool) {
	f := a.fates[row]
	if f.lasting && v.Outcome.InStep() {
		f.met, f.told = a.stretch, a.stretch
		a.fates[row] = f
		return v, false
	}
	v.Before = outcomeOf(f.outcome)
	same := v.Before == v.Outcome || v.Outcome == owlatsync.Unchanged && v.Before.InStep()
	if v.Outcome = weightier(v.Before, v.Outcome); v.Before != "" {
		r.Outcomes[v.Before]--
	}
	r.Outcomes[v.Outcome]++
	if f.missing {
		r.Missing--
	}
	if missing {
		r.Missing++
	}
	if missing && f.outcome != 0 && !f.missing { // it counted as read
		r.Rows--
	}
	awaited := v.Outcome == owlatsync.Failed && v.Category == ledger.CategoryNotImported
	if f.awaited {
		r.NotImported--
	}
	if awaited {
		r.NotImported++
	}
	unknown := v.Outcome == owlatsync.Failed && (v.Category == ledger.CategoryUnsure || v.Category == ledger.CategoryEvent || v.Category == ledger.CategoryUnconfirmed)
	a.fates[row] = fate{outcome: codeOf(v.Outcome), missing: missing, lasting: unknown, awaited: awaited, met: a.stretch, told: a.stretch}
	quiet := v.Before == "" && v.Outcome == owlatsync.Unchanged && step.Keeps(v.Changes) == 0 || same && (len(v.Changes) == 0 || !v.Outcome.InStep())
	return v, !quiet
}

// weight is what an outcome of a row in step says: that the contact was created says more than that it was changed later.
var weight = map[owlatsync.Outcome]int{
	owlatsync.Created: 4, owlatsync.Adopted: 3, owlatsync.Renamed: 2, owlatsync.Updated: 1, owlatsync.Unchanged: 0,
}

// weightier returns the outcome of a row that had one before.
func weightier(before, now owlatsync.Outcome) owlatsync.Outcome {
	if before.InStep() && now.InStep() && weight[before] > weight[now] {
		return before
	}
	return now
}

// begin begins the draft of the next stretch.
func (a *account) begin() {
	a.stretch++
	clear(a.others)
	a.draft = new(draft)
}

// meet notes that the source of the draft has the row with that hash of its key, and returns the outcome that it had before.
func (a *account) meet(row uint64) (before owlatsync.Outcome) {
	f, known := a.fates[row]
	if !known || f.outcome == 0 {
		return ""
	}
	f.met = a.stretch
	a.fates[row] = f
	return outcomeOf(f.outcome)
}

// unsay takes back what the draft has told of the row: there is more to do for it.
func (a *account) unsay(row uint64) {
	f := a.fates[row]
	if f.next == 0 {
		return
	}
	f.next = 0
	a.fates[row] = f
	a.draft.changed = slices.DeleteFunc(a.draft.changed, func(c change) bool { return c.row == row })
}

// accept makes the draft count. It returns the outcomes that are to be told.
func (a *account) accept(r *owlatsync.Report) (told []RowDone) {
	d := a.draft
	a.draft = nil
	r.Outcomes[owlatsync.Unchanged] += d.unchanged - a.unchanged
	a.unchanged = d.unchanged
	for _, c := range d.changed {
		if v, tell := a.count(r, c.row, c.RowDone, false); tell {
			told = append(told, v)
		}
	}
	r.Rows = d.rows
	for row, f := range a.fates {
		if f.next != 0 {
			f.next, f.told = 0, a.stretch
			a.fates[row] = f
		}
		if f.met < a.stretch && !f.missing { // it has left the source since
			r.Rows++
		}
	}
	return told
}

// drop forgets the draft: the stretch before it was the last.
func (a *account) drop() {
	if a.draft == nil {
		return
	}
	a.draft = nil
	a.stretch--
	for row, f := range a.fates {
		if f.outcome == 0 {
			delete(a.fates, row)
			continue
		}
		f.next = 0
		a.fates[row] = f
	}
}

// reached reports whether the row with that key had an outcome in the present stretch.
func (a *account) reached(key string) bool { return a.fates[ledger.HashText(key)].told >= a.stretch }
