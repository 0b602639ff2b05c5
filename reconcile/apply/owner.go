package apply

import (
	"cmp"
	"context"
	"slices"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/own"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
)

// owner keeps what a row may not overwrite in its contact.
type owner struct{ *row }

// judge decides by the entry as it is now, and notes what is kept: in the entry, in the changes of the step, and for the report.
func (r owner) judge() own.Verdict {
	v := own.Judge(r.Overwrite, r.e, own.Wanted{Email: r.s.Row.Address(), Fields: r.s.Row.Fields}, r.Ledger.Now())
	if r.Overwrite.Always() {
		return v
	}
	r.e.FieldMarks, r.s.Row = v.Marks, r.s.Row.Keeping(cmp.Or(v.Write.Email, r.e.Email))
	for _, c := range v.Changes {
		if c.Kind == owlatsync.KeepField {
			r.keep(c)
		}
	}
	return v
}

// keep notes that a field is kept. It may have been changed again since the step was planned, and counts once.
func (r owner) keep(c owlatsync.Change) {
	changes := slices.DeleteFunc(slices.Clone(r.s.Changes), func(was owlatsync.Change) bool { return was.Kind == c.Kind && was.Field == c.Field })
	if len(changes) == len(r.s.Changes) {
		r.keeps([]owlatsync.Change{c})
	}
	r.s.Changes = append(changes, c)
	r.s.Reason = cmp.Or(r.s.Reason, own.Reason(r.Overwrite, r.e, r.s.Changes))
	r.result.reason = cmp.Or(r.result.reason, r.s.Reason)
}

// writes reports whether a change writes a field.
func writes(c owlatsync.Change) bool {
	return c.Kind == owlatsync.SetField || c.Kind == owlatsync.RenameContact
}

// look reads the contact if somebody may have changed a field that is to be overwritten, once in a step. It reports whether it did.
func (r owner) look(ctx context.Context) (bool, error) {
	if !r.s.Looks {
		return false, nil
	}
	r.s.Looks = false
	c, err := remote.Find(ctx, r.client, r.e.ContactID)
	switch {
	case remote.IsGone(err):
		return true, heir(r).follow(ctx)
	case err != nil:
		return true, err
	}
	remote.Looked(r.Overwrite, r.e, c)
	r.replan()
	return true, nil
}

// replan puts what is still to be written into the changes of the step in the place of what was planned. If that is nothing, no event tells of an
// update.
func (r owner) replan() {
	v := r.judge()
	r.s.Changes = slices.DeleteFunc(slices.Clone(r.s.Changes), writes)
	for _, c := range v.Changes {
		if writes(c) {
			r.s.Changes = append(r.s.Changes, c)
		}
	}
	if !r.s.Sets() {
		r.notUpdated()
	}
	if r.s.Outcome != owlatsync.Updated && r.s.Outcome != owlatsync.Renamed {
		return
	}
	switch {
	case v.Write.Email != "":
		r.s.Outcome = owlatsync.Renamed
	case len(r.s.Changes) == step.Keeps(r.s.Changes) && r.s.Pending() == 0:
		r.s.Outcome = owlatsync.Unchanged
	default:
		r.s.Outcome = owlatsync.Updated
	}
	r.result.outcome = r.s.Outcome
}

// notUpdated drops the events that the step makes due because of an update.
func (r *row) notUpdated() {
	r.s.Events = slices.DeleteFunc(slices.Clone(r.s.Events), func(m ledger.EventMark) bool {
		return m.On == ledger.OnUpdated && m.State == ledger.EventDue &&
			!slices.ContainsFunc(r.e.Events, func(had ledger.EventMark) bool { return had.Name == m.Name && had.On == m.On && had.State == m.State })
	})
}

// keeps counts fields that are kept, and has that recorded with the entry.
func (r owner) keeps(changes []owlatsync.Change) {
	if n := step.Keeps(changes); n > 0 {
		r.Tell.Kept(n)
		r.event(ledger.EventKept, step.Kept(changes))
	}
}
