package page

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"owlatsync"
	"owlatsync/internal/page/telling"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/step"
)

// order is something that an operator has done with a run.
type order struct {
	title, verb string
	deed        ledger.Deed
	// may returns why it cannot be done with the run, nil if it can.
	may func(r *ledger.Run) error
	// says tells what follows, with the numbers. Deletes says that the plan of the run deletes contacts.
	says func(r *ledger.Run, deletes bool) []string
	// do returns the run to show afterwards.
	do func(c *call, id int64) (int64, error)
}

var orders = map[string]order{
	"approve": {
		title: "Approve run %d?", verb: "Approve the plan", deed: ledger.DeedApprove,
		may: func(r *ledger.Run) error { return reconcile.Approvable(*r) }, says: telling.Approval,
		do: func(c *call, id int64) (int64, error) { return c.d.Desk.Approve(c.r.Context(), id) },
	},
	"dismiss": {
		title: "Dismiss run %d?", verb: "Dismiss the plan", deed: ledger.DeedDismiss,
		may: func(r *ledger.Run) error {
			if r.Status != ledger.StatusHeld {
				return &reconcile.NotHeldError{Sync: r.Sync, Run: r.ID, Status: r.Status}
			}
			return nil
		},
		says: func(r *ledger.Run, deletes bool) []string {
			return append(telling.PlanOf(r, deletes), "The plan is dropped, and nothing of it is sent.",
				"The next run plans anew. If the source still says the same, a guard may hold it again: mend the source or the query first.")
		},
		do: func(c *call, id int64) (int64, error) { return id, c.d.Desk.Dismiss(c.r.Context(), id) },
	},
	"cancel": {
		title: "Cancel run %d?", verb: "Cancel the run", deed: ledger.DeedCancel,
		may: func(r *ledger.Run) error {
			switch r.Status {
			case ledger.StatusQueued, ledger.StatusRunning, ledger.StatusWaiting:
				return nil
			}
			return &turns.NotCancellableError{Run: r.ID, Status: r.Status}
		},
		says: func(r *ledger.Run, _ bool) []string { return telling.Cancellation(r) },
		do:   func(c *call, id int64) (int64, error) { return id, c.d.Desk.Cancel(c.r.Context(), id) },
	},
}

// confirmPage asks before something is done.
type confirmPage struct {
	Title, Verb, Address, Back string
	Sync                       string
	Says                       []string
}

// ordered returns what the address orders, and the run that it is about.
func (c *call) ordered() (o order, r ledger.Run, err error) {
	o, known := orders[c.r.PathValue("order")]
	if !known {
		return o, r, nothing(c)
	}
	if r, err = c.run(); err == nil {
		err = o.may(&r)
	}
	return o, r, err
}

func confirm(c *call) error {
	o, r, err := c.ordered()
	if err != nil {
		return err
	}
	deletes := false
	if r.Status == ledger.StatusHeld && r.Summary != nil && r.Summary.Outcomes[owlatsync.Removed] > 0 {
		deletes = r.PlanForm != step.Form // of an older plan that is not known
		if !deletes {
			if deletes, err = (ofRun{c}).rows(&r, "").Plans(c.r.Context(), owlatsync.DeleteContact); err != nil {
				return err
			}
		}
	}
	back := c.base + "/runs/" + strconv.FormatInt(r.ID, 10)
	title := fmt.Sprintf(o.title, r.ID)
	c.show(http.StatusOK, "confirm", title, confirmPage{Title: title, Verb: o.verb, Address: back + "/" + c.r.PathValue("order"), Back: back, Sync: r.Sync, Says: o.says(&r, deletes)})
	return nil
}

func carryOut(c *call) error {
	o, r, err := c.ordered()
	if err != nil {
		return err
	}
	next, err := o.do(c, r.ID)
	if err != nil {
		return err
	}
	c.did(ledger.AuditLine{What: o.deed, Sync: r.Sync, Run: r.ID})
	c.goTo(next)
	return nil
}

// ask asks for a run of a sync, or for one that only shows its plan.
func ask(c *call, review bool) error {
	s, err := c.named(c.r.PathValue("name"))
	if err != nil {
		return err
	}
	name, what := s.Sync.Sync.Name, ledger.DeedRun
	if review {
		what = ledger.DeedPlan
	}
	run, err := c.d.Desk.Trigger(c.r.Context(), name, turns.Options{Review: review})
	if err != nil {
		return err
	}
	c.did(ledger.AuditLine{What: what, Sync: name, Run: run})
	c.goTo(run)
	return nil
}

// goTo sends the browser to the page of a run.
func (c *call) goTo(run int64) {
	http.Redirect(c.w, c.r, c.base+"/runs/"+url.PathEscape(strconv.FormatInt(run, 10)), http.StatusSeeOther)
}
