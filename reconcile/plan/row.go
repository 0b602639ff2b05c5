package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/own"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
)

// Known is what is known about a row in Owlat and in the ledger.
type Known struct {
	// Entry stands for the row; nil means that the row is new. An entry with a contact id has a contact, met before or just found.
	Entry   *ledger.Entry
	OptOuts []ledger.OptOut // the opt-outs of the contact
	// Suppressed says that no mail may go to the row's address.
	Suppressed bool
	// Barred says that this is the user's own word, in a row of any sync or in a list, and that the ledger knew of no contact with the address until
	// now.
	Barred bool
	// Told says that Owlat was told to send the contact nothing, ever.
	Told bool
	// NotLifted says that an earlier word of a row suppresses, which it cannot take back.
	NotLifted bool
	Absent    bool      // Owlat is known to have no contact with the row's address
	Forgotten bool      // the ledger forgot a person with the address, and with them their consents
	Again     bool      // the row was met before, with a contact that no longer exists
	SetBack   bool      // the ledger is older than what was done: the row may have been met before
	New       bool      // the ledger has no entry for the row
	FirstRun  bool      // the source was never compared with Owlat before
	OldKey    string    // the key under which the ledger knows the row; empty: the same
	Sibling   *Sibling  // another sync created the contact that the row is to have; nil: none did
	Claims    bool      // the row needs the address of a contact whose row left: a delete may free it, so the row does not wait
	Fresh     bool      // what Entry says of the contact was read for this plan
	Makes     bool      // where a row was exported for Owlat's importer and has no contact, it is created as that of a new row
	There     time.Time // now on Owlat's clock; zero: the same
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
	e.Departed = "" // the source has the row
	e.Memberships = consent.Heed(e.Memberships, k.OptOuts)
	if e.Origin == ledger.OriginGone && p.Recreates() {
		e = forgone(e, now)
	}
	e.Events = sighted(p.Events, e.Events, r, k.New && (!k.FirstRun || !p.Since.IsZero()) && !r.Old && !k.SetBack && !k.Forgotten, now)
	s.Row, s.Entry, s.New, s.OldKey = r, e, k.New, k.OldKey
	there := now
	if !k.There.IsZero() {
		there = k.There
	}
	never := r.Never || k.Barred
	isNew := e.ContactID == "" || e.Origin == ledger.OriginCreated && !e.Intent.Create.IsZero()
	exported := e.Origin == ledger.OriginExported && e.ContactID == ""
	switch {
	case !k.Claims && !(exported && k.Makes) && waits(e.Failure, r.Fingerprint, now):
		s.Outcome, s.Reason = owlatsync.Failed, waiting(e.Failure)
		if w := Withdrawal(p, r, e, k.Told, s.Outcome, s.Reason, now); w != nil {
			return w
		}
		return s
	case p.Match:
		return matching(p, s, k.Suppressed || never, now)
	case e.Origin == ledger.OriginGone:
		s.Outcome, s.Reason = owlatsync.Skipped, step.ReasonGone
		return s
	case never && e.ContactID == "":
		return stranger(p, s, k.Absent, there)
	case exported:
		return imported(p, s, k, now, there)
	case e.ContactID == "":
		s.Outcome = owlatsync.Created
		s.Changes = append(s.Changes, owlatsync.Change{Kind: owlatsync.CreateContact, Field: "email", To: r.Email})
		s.Changes = append(s.Changes, step.FieldsToSet(r, &ledger.Entry{})...)
	default:
		s.Outcome = outcomeOf(e, isNew)
		if s.Outcome == owlatsync.Adopted {
			s.Changes = append(s.Changes, owlatsync.Change{Kind: owlatsync.AdoptContact})
		}
		r = owned(p, s, k.Fresh, now)
		if e.Email != r.Email && !isNew {
			s.Outcome = owlatsync.Renamed
		}
	}
	old := k.SetBack || e.MetBefore()
	s.Events = due(p.Events, e.Events, r, s, k.Again || old && s.Outcome == owlatsync.Adopted, now)
	suppressed := k.Suppressed || never
	if suppressed {
		s.Events = undue(s.Events)
	}
	s.Messages = messages(p.Events, s.Events, r)
	before := e.Memberships
	row := consent.Row{
		Says: r.Consents, Memberships: e.Memberships, Origin: e.Origin, HasContact: e.ContactID != "", New: (isNew || k.Sibling != nil) && !k.Forgotten,
		Spent: k.Sibling.spent(p.Topics), Suppressed: suppressed, OptOuts: k.OptOuts, Changes: s.Changes,
		Never: never, Told: never && k.Told,
	}
	v := consent.Plan(p.Topics, row, there)
	if s.Never = never && !k.Told; s.Never && p.OptsOut {
		v.Changes = optingOut(v.Changes)
	} else if s.Never && len(v.Changes) > 0 {
		s.Reason = step.ReasonNeverOwlat
	} else if k.NotLifted && !never {
		s.Reason = step.ReasonNotLifted
	}
	if k.Sibling != nil {
		s.Spends = spends(p, row, v, there)
	}
	e.Memberships, s.Changes, s.Skipped = v.Memberships, v.Changes, v.Skipped
	if s.Outcome == owlatsync.Updated && len(s.Changes) == step.Keeps(s.Changes) && s.Pending() == 0 {
		s.Outcome = owlatsync.Unchanged
	}
	s.Reason = cmp.Or(s.Reason, own.Reason(p.Overwrite, e, s.Changes))
	if s.OldKey != "" && (s.Outcome == owlatsync.Unchanged || s.Outcome == owlatsync.Updated) {
		s.Outcome = owlatsync.Adopted
		s.Changes = slices.Insert(s.Changes, 0, owlatsync.Change{Kind: owlatsync.AdoptContact})
	}
	if e.ContactID == "" {
		s.Met = met(p, s, before, suppressed, k.Again || old, now, there)
		if s.Met != nil {
			s.Met.Old = old
		}
	}
	return s
}

// owned adds what becomes of the fields of a contact that is in Owlat, and returns the row as one whose contact keeps what it keeps.
func owned(p *policy.Policies, s *step.Step, fresh bool, now time.Time) *step.Row {
	r, e := s.Row, s.Entry
	v := own.Judge(p.Overwrite, e, own.Wanted{Email: r.Address(), Fields: r.Fields}, now)
	e.FieldMarks, s.Looks = v.Marks, v.Guarded && !fresh
	s.Changes = append(s.Changes, v.Changes...)
	s.Row = r.Keeping(cmp.Or(v.Write.Email, e.Email))
	return s.Row
}

// spends returns the topics to which a decision adds a contact only because another sync created it.
func spends(p *policy.Policies, row consent.Row, v consent.Verdict, there time.Time) (topics []string) {
	row.New = false
	old := consent.Plan(p.Topics, row, there)
	for _, c := range v.Changes {
		if c.Kind == owlatsync.AddTopic && !slices.Contains(old.Changes, c) {
			topics = append(topics, c.Topic)
		}
	}
	return topics
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

// met returns what to do instead if the contact to be created turns out to be there. It returns nil if that makes no difference. Before
// has the memberships as the ledger knows them: that a new contact is on no topic does not hold for one that is there.
func met(p *policy.Policies, s *step.Step, before []ledger.Membership, suppressed, again bool, now, there time.Time) *step.Met {
	if len(p.Topics) == 0 && len(p.Events) == 0 {
		return nil
	}
	known := slices.DeleteFunc(consent.Acted(s.Entry.Memberships), func(m ledger.Membership) bool { return m.State == ledger.MemberOut })
	known = append(known, slices.DeleteFunc(consent.Acted(before), func(b ledger.Membership) bool {
		return slices.ContainsFunc(known, func(m ledger.Membership) bool { return m.Topic == b.Topic }) ||
			!slices.ContainsFunc(s.Entry.Memberships, func(m ledger.Membership) bool { return m.Topic == b.Topic && m.State == ledger.MemberOut })
	})...)
	if suppressed { // nothing is put on a topic, whether the contact is there or not
		known = consent.Acted(before)
	}
	v := consent.Plan(p.Topics, consent.Row{
		Says: s.Row.Consents, Memberships: known, Origin: ledger.OriginAdopted, HasContact: true, Suppressed: suppressed,
	}, there)
	adopted := &step.Step{Outcome: owlatsync.Adopted}
	events := due(p.Events, s.Entry.Events, s.Row, adopted, again, now)
	if suppressed {
		events = undue(events)
	}
	return &step.Met{Memberships: v.Memberships, Changes: v.Changes, Events: events, Messages: messages(p.Events, events, s.Row), Skipped: v.Skipped}
}

// forgone returns what stays of an entry whose contact was deleted in Owlat and is created again.
func forgone(e *ledger.Entry, now time.Time) *ledger.Entry {
	again := remote.Deleted(e, now)
	again.Failure = e.Failure
	return again
}

func waiting(f *ledger.Failure) string {
	if f.Parked {
		return fmt.Sprintf("%s (given up after %d attempts until the row changes)", f.Reason, f.Attempts)
	}
	return fmt.Sprintf("%s (attempt %d failed; next try after %s)", f.Reason, f.Attempts, f.NextTry.UTC().Format(time.RFC3339))
}

// Sibling is what other syncs have done with a contact that one of them created.
type Sibling struct {
	Entries []ledger.Holder // of the other syncs
	OptOuts []ledger.OptOut // of the contact
}

// spent returns the topics for which the contact does not count as new.
func (s *Sibling) spent(topics []policy.Topic) []string {
	if s == nil {
		return nil
	}
	ids := make([]string, len(topics))
	for i, t := range topics {
		ids[i] = t.ID
	}
	return consent.Spent(s.Entries, s.OptOuts, ids)
}
