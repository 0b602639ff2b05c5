package reconcile_test

import (
	"context"
	"errors"
	"time"

	"owlatsync"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/policy"
)

// churn lets rounds of people come and go, with a run after each.
func (m *model) churn() {
	for range 2 + m.r.IntN(3) {
		for _, p := range m.table {
			if m.r.IntN(2) == 0 {
				m.edit(p, func(p *person) {
					for i := range m.syncs {
						p.in[i] = !p.in[i] // who has left returns
					}
				})
			}
		}
		if len(m.table) < 8 && m.r.IntN(2) == 0 {
			m.addPerson()
		}
		m.sourceChanged()
		if m.r.IntN(3) == 0 {
			m.randomRun()
		} else {
			m.run(m.randomSync(), &runSpec{breaks: -1})
		}
		if len(m.failures) > 0 {
			return
		}
		time.Sleep(time.Second)
	}
}

// everybodyLeaves empties the table, or lets all return.
func (m *model) everybodyLeaves() {
	all := m.r.IntN(2) == 0
	for _, p := range m.table {
		m.edit(p, func(p *person) {
			for i := range m.syncs {
				p.in[i] = all
			}
		})
	}
}

// checkDeparted: once nothing is left to do, the rows that left the source count nowhere.
func (m *model) checkDeparted(log *runLog) {
	present := make(map[string]bool) // whether the row is applied
	for i, row := range log.rows {
		outcome, key := m.outcome(log, i), keyOf(&log.config, row)
		present[key] = present[key] || outcome != owlatsync.Invalid && outcome != owlatsync.Duplicate
	}
	_, without := present[""]
	if m.excused(keyless, without) || m.excused(someFail, log.report.Outcomes[owlatsync.Failed] > 0) || m.excused(spoilt, spoiled(log)) {
		return
	}
	applied, all := 0, 0 // rows with an entry; of one that is not applied it may have departed when the row was away
	for _, e := range m.entries(log.sync) {
		if is, there := present[e.Key]; is {
			applied++
			all++
		} else if there {
			all++
		}
	}
	s, err := m.book.Standing(context.Background(), log.sync.Name)
	m.must(err)
	if s.Entries < applied || s.Entries > all {
		m.fail("the ledger counts %d rows and %d that departed, and has entries for %d to %d rows of the source", s.Entries, s.Departed, applied, all)
	}
	// A run of changes goes by the count of the run before it, which is near enough until all rows are read.
	if sum, planned := log.planned(); planned && !log.changes && log.report.Missing == 0 && (sum.Entries != s.Entries || sum.Absent != 0) {
		m.fail("the plan knows %d rows, of which %d are absent, and the ledger counts %d", sum.Entries, sum.Absent, s.Entries)
	}
}

// live returns the keys of the rows that the source had since the latest run that read all rows and left nothing open, false if there
// was no such run.
func (m *model) live(log *runLog) (keys map[string]bool, ok bool) {
	keys = make(map[string]bool)
	runs := m.remembered()
	for i := len(runs) - 1; i >= 0; i-- {
		run := runs[i]
		if run.sync != log.sync {
			continue
		}
		for _, row := range run.rows {
			keys[keyOf(&run.config, row)] = true
		}
		if run != log && run.kept() && run.err == nil && !run.changes && run.report.Outcomes[owlatsync.Failed]+run.report.Outcomes[owlatsync.Skipped] == 0 {
			return keys, true
		}
	}
	return nil, false
}

// checkGuards: a run takes nobody more off topics than its guard allows among the rows that are there, however many have left before;
// and a table that was empty before is not held for being so.
func (m *model) checkGuards(log *runLog, spec *runSpec) {
	if log.former != nil || spec.o.Approve != 0 || spec.o.Confirm != nil {
		return
	}
	keys, ok := m.live(log)
	if !ok {
		return
	}
	if held, is := errors.AsType[*reconcile.HeldError](log.err); is {
		for _, hit := range held.Hits {
			if hit.Guard == owlatsync.GuardEmptySource && len(keys) == 0 {
				m.fail("the run is held because the source is empty, as it was before")
			}
		}
	}
	off := make(map[string]bool)
	for _, e := range log.did {
		if e.Action == owlattest.Deleted || e.Action == owlattest.Removed {
			off[e.ContactID] = true
		}
	}
	limit := log.config.Guards.Removals
	if limit != policy.NoLimit && limit.Exceeded(len(off), len(keys)+len(off)) {
		m.fail("%d contacts were taken off topics or deleted, the source has had %d rows of late, and the guard allows %s", len(off), len(keys), limit)
	}
}
