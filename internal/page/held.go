package page

import (
	"errors"
	"slices"
	"strconv"

	"owlatsync/internal/config"
	"owlatsync/internal/page/decided"
	"owlatsync/internal/page/rowlist"
	"owlatsync/internal/page/telling"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/step"
)

// address returns the address of the page of a run.
func (c ofRun) address(run int64) string { return c.base + "/runs/" + strconv.FormatInt(run, 10) }

// fillHeld adds what is to be told of a run that a guard holds, or held.
func (c ofRun) fillHeld(r *ledger.Run, v *runPage) (err error) {
	if v.Sums, err = c.sums(r); err != nil {
		return err
	}
	deed := ledger.DeedApprove
	switch r.Status {
	case ledger.StatusHeld:
		if v.Later, err = c.applying(r); err != nil {
			return err
		}
		if v.Later == nil {
			return c.fillOpen(r, v)
		}
		v.Says = "" // it waits for nobody
	case ledger.StatusDismissed:
		deed = ledger.DeedDismiss
	default:
		if v.Later, err = c.later(r); err != nil || r.Status == ledger.StatusSuperseded {
			return err
		}
	}
	v.Decided, err = c.decided(deed, r, v.Later)
	return err
}

// fillOpen adds what somebody needs to decide about a plan.
func (c ofRun) fillOpen(r *ledger.Run, v *runPage) (err error) {
	if v.Held, err = c.held(r); err != nil {
		return err
	}
	if v.Held.Refused == "" {
		v.May = append(v.May, link{Text: "Approve…", Address: v.Run.Address + "/approve", Here: true})
	}
	v.May = append(v.May, link{Text: "Dismiss…", Address: v.Run.Address + "/dismiss"})
	return nil
}

// How many later runs are looked at for the one that took the place of another: mostly it is the first.
const fewLater, mostLater = 3, 100

// later returns the run that took the place of one that was held. Runs of a sync come one after the other, so whichever began no earlier is later.
func (c ofRun) later(held *ledger.Run) (*laterView, error) {
	for _, most := range []int{fewLater, mostLater} {
		runs, err := c.d.Ledger.RunsSince(c.r.Context(), held.Sync, held.Started, most)
		if err != nil {
			return nil, err
		}
		for i := range runs {
			if r := &runs[i]; r.ID != held.ID && !r.Started.Before(held.Started) && reconcile.TookPlace(r, held) {
				return c.newLaterView(r), nil
			}
		}
		if len(runs) < most {
			break
		}
	}
	return &laterView{}, nil
}

// applying returns the run that is to apply the plan of a held run, or does, nil if none is.
func (c ofRun) applying(held *ledger.Run) (*laterView, error) {
	latest, err := c.d.Ledger.Runs(c.r.Context(), held.Sync, listedRuns)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(latest, func(r ledger.Run) bool {
		return r.Approves == held.ID && (r.Status == ledger.StatusQueued || r.Status == ledger.StatusRunning || r.Status == ledger.StatusWaiting)
	})
	if i < 0 {
		return nil, nil
	}
	return c.newLaterView(&latest[i]), nil
}

func (c ofRun) newLaterView(r *ledger.Run) *laterView {
	return &laterView{r.ID, c.address(r.ID), r.Finished}
}

// decided returns who did it with the plan of a run that is or was held. Later is the run that applies it, nil if none does.
func (c ofRun) decided(deed ledger.Deed, r *ledger.Run, later *laterView) (*decided.Decision, error) {
	until := c.d.Ledger.Now()
	if later != nil && !later.ended.IsZero() {
		until = later.ended // a command notes it once its run has begun
	}
	return decided.Of(c.r.Context(), c.d.Ledger, decided.Asked{Deed: deed, Run: r.ID, From: r.Finished, To: until, Named: c.who.May(config.Operator)})
}

// approvedView is the held run whose plan another one applies.
type approvedView struct {
	Run     int64
	Address string
	Plan    *telling.Sums // nil: it is not known any more
	Decided *decided.Decision
}

// approved returns the run whose plan a run applies, nil if it is its own.
func (c ofRun) approved(r *ledger.Run) (*approvedView, error) {
	var held *ledger.Run
	switch {
	case r.Approves != 0:
		one, err := c.d.Ledger.Run(c.r.Context(), r.Approves)
		if errors.Is(err, ledger.ErrNoRun) {
			return &approvedView{Run: r.Approves, Address: c.address(r.Approves), Decided: &decided.Decision{Deed: decided.Word(ledger.DeedApprove)}}, nil
		}
		if held = one; err != nil {
			return nil, err
		}
	case r.Status == ledger.StatusOK || r.Status == ledger.StatusFailedRows: // of what a command approved the record does not say it
		before, err := c.d.Ledger.RunsBefore(c.r.Context(), r.Sync, r.ID, fewLater)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(before, func(b ledger.Run) bool { return b.Status == ledger.StatusApproved })
		if i < 0 || slices.ContainsFunc(before[:i], func(b ledger.Run) bool { return reconcile.TookPlace(&b, &before[i]) }) || !reconcile.TookPlace(r, &before[i]) {
			return nil, nil
		}
		held = &before[i]
	default:
		return nil, nil
	}
	v := &approvedView{Run: held.ID, Address: c.address(held.ID), Plan: c.planOf(held)}
	var err error
	v.Decided, err = c.decided(ledger.DeedApprove, held, c.newLaterView(r))
	return v, err
}

// heldView is what somebody needs who decides about a held run.
type heldView struct {
	Refused string // why it can no longer be approved; empty: it can
	Samples []telling.Sample
	List    string // where every change of the plan is listed; empty: nowhere
}

// How many earlier runs a held plan stands beside, and how many records are looked at for them.
const plansBeside, plansLookedAt = 10, 40

func (c ofRun) held(r *ledger.Run) (v *heldView, err error) {
	v = &heldView{}
	if err := reconcile.Approvable(*r); err != nil {
		v.Refused = sentence(err.Error())
	}
	if r.PlanForm == step.Form {
		v.List = c.address(r.ID) + "/plan"
	}
	v.Samples, err = rowlist.Samples(c.r.Context(), c.rows(r, v.List))
	return v, err
}

// sums returns the plan of a run beside those of earlier ones, nil if it made none.
func (c ofRun) sums(r *ledger.Run) (*telling.Beside, error) {
	plan := c.planOf(r)
	if plan == nil {
		return nil, nil
	}
	v := &telling.Beside{Plan: *plan}
	runs, err := c.d.Ledger.RunsBefore(c.r.Context(), r.Sync, r.ID, plansLookedAt)
	for i := range runs {
		if p := c.planOf(&runs[i]); p != nil && len(v.Earlier) < plansBeside {
			v.Earlier = append(v.Earlier, *p)
		}
	}
	return v, err
}

// planOf returns the plan of a run in sums, nil if it made none.
func (c ofRun) planOf(r *ledger.Run) *telling.Sums { return telling.SumsOf(r, c.address(r.ID)) }
