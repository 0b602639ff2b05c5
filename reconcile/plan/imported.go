package plan

import (
	"context"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
)

// imported completes the step of a row that was exported for Owlat's importer, and whose contact is not known. A contact that is found is adopted, and the
// consents that were exported count as spent, so that nobody is put back who has left since. Pure.
func imported(p *policy.Policies, s *step.Step, k Known, now, there time.Time) *step.Step {
	e, r := s.Entry, s.Row
	s.Import = &step.Import{Memberships: slices.Clone(e.Memberships), Absent: k.Absent && e.Identity == r.Email, Makes: k.Makes}
	v := consent.Plan(p.Topics, consent.Row{Says: r.Consents, Memberships: e.Memberships, Origin: ledger.OriginAdopted, HasContact: true, Suppressed: k.Suppressed}, there)
	events := due(p.Events, e.Events, r, &step.Step{Outcome: owlatsync.Adopted}, true, now)
	if k.Suppressed {
		events = undue(events)
	}
	s.Met = &step.Met{Memberships: v.Memberships, Changes: v.Changes, Events: events, Messages: messages(p.Events, events, r), Skipped: v.Skipped, Old: true}
	switch {
	case !k.Makes && s.Import.Absent:
		s.Outcome, s.Reason = owlatsync.Failed, step.ReasonNotImported
		return s
	case !k.Makes:
		s.Outcome, s.Reason, s.Changes = owlatsync.Adopted, "if Owlat has it: the row was exported for its importer", []owlatsync.Change{{Kind: owlatsync.AdoptContact}}
		return s
	}
	s.Outcome = owlatsync.Created
	s.Changes = append([]owlatsync.Change{{Kind: owlatsync.CreateContact, Field: "email", To: r.Email}}, step.FieldsToSet(r, &ledger.Entry{})...)
	if s.Events = due(p.Events, e.Events, r, s, false, now); k.Suppressed {
		s.Events = undue(s.Events)
	}
	s.Messages = messages(p.Events, s.Events, r)
	v = consent.Plan(p.Topics, consent.Row{Says: r.Consents, New: !k.Forgotten, Suppressed: k.Suppressed, Changes: s.Changes}, there)
	e.Memberships, s.Changes, s.Skipped = v.Memberships, v.Changes, v.Skipped
	return s
}

// awaiting plans rows that were exported for Owlat's importer.
type awaiting struct{ *Planner }

// due counts those of the rows to plan whose contacts are to be looked for now.
func (p awaiting) due(ctx context.Context) (n int, err error) {
	if p.scan.Blank == 0 {
		return 0, nil
	}
	for batch, err := range p.plan.batches() {
		if err != nil {
			return 0, err
		}
		keys := make([]string, len(batch))
		for i, r := range batch {
			keys[i] = r.Key
		}
		entries, err := p.Ledger.Entries(ctx, p.Policies.Sync, keys)
		if err != nil {
			return 0, readLedger(err)
		}
		for _, r := range batch {
			if e := entries[r.Key]; e != nil && e.Origin == ledger.OriginExported && e.Departed == "" && (p.Makes || !waits(e.Failure, r.Fingerprint, p.now)) {
				n++
			}
		}
	}
	return n, nil
}

// missing ends a row whose contact the importer has not made, or that was deleted since. Its failure is yet to be recorded.
func (p awaiting) missing(s *step.Step) error {
	if s.Import == nil { // it waits for its next try
		p.endAs(s.Decision(), s.Entry.Failure.Category)
		return nil
	}
	f := (&remote.Failure{Class: ledger.RetryLater, Category: ledger.CategoryNotImported, Reason: s.Reason}).
		Again(s.Entry.Failure, remote.Attempt{Fingerprint: s.Row.Fingerprint}, p.now)
	Failing(s.Entry, f)
	p.endAs(s.Decision(), ledger.CategoryNotImported)
	return p.plan.refused.Add(s)
}
