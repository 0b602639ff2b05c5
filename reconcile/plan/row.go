package plan

import (
	"fmt"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
)

// Known is what is known about a row in Owlat and in the ledger.
type Known struct {
	// Entry stands for the row; nil means that the row is new. An entry with a contact id has a contact, met before or just found.
	Entry     *ledger.Entry
	OptOuts   []ledger.OptOut // the opt-outs of the contact
	Forgotten bool            // the ledger forgot a person with the address, and with them their consents
	Again     bool            // the row was met before, with a contact that no longer exists
	SetBack   bool            // the ledger is older than what was done: the row may have been met before
	New       bool            // the ledger has no entry for the row
	OldKey    string          // the key under which the ledger knows the row; empty: the same
}

// Row compares what a row asks for with what is known about it, and returns the step to take. It changes nothing it is given. Pure.
func Row(p *policy.Policies, r *step.Row, k Known, now time.Time) *step.Step {
	made := new(struct {
		s step.Step
		e ledger.Entry
	})
	s, e := &made.s, &made.e
	if *e = (ledger.Entry{Key: r.Key, FirstSeen: now}); k.Entry != nil {
		*e = *k.Entry
	}
	e.Memberships = consent.Heed(e.Memberships, k.OptOuts)
	if e.Origin == ledger.OriginGone && p.Recreates() {
		e = forgone(e)
	}
	s.Row, s.Entry, s.New, s.OldKey = r, e, k.New, k.OldKey
	isNew := e.ContactID == "" || e.Origin == ledger.OriginCreated && !e.Intent.Create.IsZero()
	switch {
	case e.Failure != nil && !e.Failure.Absence && e.Failure.Fingerprint == r.Fingerprint && (e.Failure.Parked || now.Before(e.Failure.NextTry)):
		s.Outcome, s.Reason = owlatsync.Failed, waiting(e.Failure)
		return s
	case e.Origin == ledger.OriginGone:
		s.Outcome, s.Reason = owlatsync.Skipped, step.ReasonGone
		return s
	case e.ContactID == "":
		s.Outcome = owlatsync.Created
		s.Changes = append(s.Changes, owlatsync.Change{Kind: owlatsync.CreateContact, Field: "email", To: r.Email})
		s.Changes = append(s.Changes, step.FieldsToSet(r, &ledger.Entry{})...)
	default:
		s.Outcome = outcomeOf(e, isNew)
		if s.Outcome == owlatsync.Adopted {
			s.Changes = append(s.Changes, owlatsync.Change{Kind: owlatsync.AdoptContact})
		}
		if e.Email != r.Email {
			if !isNew {
				s.Outcome = owlatsync.Renamed
			}
			s.Changes = append(s.Changes, owlatsync.Change{Kind: owlatsync.RenameContact, Field: "email", From: e.Email, To: r.Email})
		}
		s.Changes = append(s.Changes, step.FieldsToSet(r, e)...)
	}
	s.Events = due(p.Events, e.Events, s, k.Again || k.SetBack && s.Outcome == owlatsync.Adopted, now)
	s.Messages = messages(p.Events, s.Events, r)
	v := consent.Plan(p.Topics, consent.Row{
		Says: r.Consents, Memberships: e.Memberships, Origin: e.Origin, HasContact: e.ContactID != "", New: isNew && !k.Forgotten,
		Changes: s.Changes,
	}, now)
	e.Memberships, s.Changes, s.Skipped, s.Unsure = v.Memberships, v.Changes, v.Skipped, v.Unsure
	if s.Unsure {
		s.Reason = v.Reason
	}
	switch {
	case s.Unsure:
		s.Outcome = owlatsync.Failed
	case s.Outcome == owlatsync.Updated && len(s.Changes) == 0 && s.Pending() == 0:
		s.Outcome = owlatsync.Unchanged
	}
	if s.OldKey != "" && (s.Outcome == owlatsync.Unchanged || s.Outcome == owlatsync.Updated) {
		s.Outcome = owlatsync.Adopted
		s.Changes = slices.Insert(s.Changes, 0, owlatsync.Change{Kind: owlatsync.AdoptContact})
	}
	if e.ContactID == "" {
		s.Met = met(p, s, k.Again || k.SetBack, now)
	}
	return s
}

// outcomeOf returns the outcome of a row whose contact exists and keeps its address.
func outcomeOf(e *ledger.Entry, isNew bool) owlatsync.Outcome {
	switch {
	case e.ChangedAt.IsZero() && e.Origin == ledger.OriginAdopted: // not in the ledger yet
		return owlatsync.Adopted
	case isNew: // a create made it whose answer was lost
		return owlatsync.Created
	}
	return owlatsync.Updated
}

// met returns what to do instead if the contact to be created turns out to be there. It returns nil if that makes no difference.
func met(p *policy.Policies, s *step.Step, again bool, now time.Time) *step.Met {
	if len(p.Topics) == 0 && len(p.Events) == 0 {
		return nil
	}
	v := consent.Plan(p.Topics, consent.Row{
		Says: s.Row.Consents, Memberships: consent.Acted(s.Entry.Memberships), Origin: ledger.OriginAdopted, HasContact: true,
	}, now)
	adopted := &step.Step{Outcome: owlatsync.Adopted}
	events := due(p.Events, s.Entry.Events, adopted, again, now)
	return &step.Met{Memberships: v.Memberships, Changes: v.Changes, Events: events, Messages: messages(p.Events, events, s.Row), Skipped: v.Skipped}
}

// forgone returns what stays of an entry whose contact was deleted in Owlat and is created again.
func forgone(e *ledger.Entry) *ledger.Entry {
	again := remote.Deleted(e)
	again.Failure = e.Failure
	return again
}

func waiting(f *ledger.Failure) string {
	if f.Parked {
		return fmt.Sprintf("%s (given up after %d attempts until the row changes)", f.Reason, f.Attempts)
	}
	return fmt.Sprintf("%s (attempt %d failed; next try after %s)", f.Reason, f.Attempts, f.NextTry.UTC().Format(time.RFC3339))
}
