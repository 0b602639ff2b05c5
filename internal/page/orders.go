package page

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"owlatsync"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// order is something that an operator has done with a run.
type order struct {
	title, verb string
	deed        ledger.Deed
	// may returns why it cannot be done with the run, nil if it can.
	may func(r *ledger.Run) error
	// says tells what follows, with the numbers.
	says func(r *ledger.Run) []string
	// do returns the run to show afterwards.
	do func(c *call, id int64) (int64, error)
}

var orders = map[string]order{
	"approve": {
		title: "Approve run %d?", verb: "Approve the plan", deed: ledger.DeedApprove,
		may: func(r *ledger.Run) error { return reconcile.Approvable(*r) }, says: approvalWords,
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
		says: func(r *ledger.Run) []string {
			return append(planWords(r), "The plan is dropped, and nothing of it is sent.",
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
		says: cancelWords,
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
	back := c.base + "/runs/" + strconv.FormatInt(r.ID, 10)
	title := fmt.Sprintf(o.title, r.ID)
	c.show(http.StatusOK, "confirm", title, confirmPage{Title: title, Verb: o.verb, Address: back + "/" + c.r.PathValue("order"), Back: back, Sync: r.Sync, Says: o.says(&r)})
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

// begin asks for a run of a sync, or for one that only shows its plan.
func begin(c *call, review bool) error {
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

// approvalWords say what an approval does.
func approvalWords(r *ledger.Run) []string {
	return append(planWords(r), "The source is read again, and the plan is applied only if it is still the held one. What is sent to Owlat cannot be taken back: "+
		"contacts that are created and people who are put on topics set off their automations, such as welcome mails.")
}

// planWords tell the plan of a run in numbers.
func planWords(r *ledger.Run) (all []string) {
	for _, h := range r.Guards {
		all = append(all, fmt.Sprintf("Held by the guard %q: %s.", string(h.Guard), straight(h.Reason)))
	}
	s := r.Summary
	if s == nil {
		return append(all, "The numbers of its plan are not known.")
	}
	if !r.Part.Whole() {
		all = append(all, "The run was asked for a part of the rows. These are the numbers of the whole plan, of which no more than that part is applied.")
	}
	all = append(all, fmt.Sprintf("Of %s it would create %s, change %s, and take %s off a topic or delete them. It would put %s on a topic and send %s and %s.",
		counted(s.Rows, "row"), contacts(s.Creates), contacts(s.Outcomes[owlatsync.Updated]+s.Outcomes[owlatsync.Renamed]), contacts(s.Removals), contacts(s.TopicAdds),
		counted(s.Events, "event"), counted(s.Requests, "request")))
	if n := s.Outcomes[owlatsync.Adopted] + s.MayExist; n > 0 {
		all = append(all, fmt.Sprintf("%s may be in Owlat already, and are taken over then.", contacts(n)))
	}
	return all
}

func contacts(n int) string { return counted(n, "contact") }

// counted is owlatsync.Counted with separators.
func counted(n int, noun string) string {
	return strings.Replace(owlatsync.Counted(n, noun), strconv.Itoa(n), number(n), 1)
}

// cancelWords say what a cancellation does.
func cancelWords(r *ledger.Run) []string {
	if r.Status == ledger.StatusQueued {
		return []string{"The run has not begun. It is taken back, and nothing of it is done."}
	}
	all := []string{"The run finishes what is in flight, and ends. What it has done stays, and the next run takes up the rest."}
	if r.Report != nil && r.Report.Requests.Writes > 0 {
		all = append(all, fmt.Sprintf("So far it has sent %s that changed something.", counted(r.Report.Requests.Writes, "request")))
	}
	if r.Approves != 0 {
		all = append(all, fmt.Sprintf("It applies the plan of run %d, which stays held then; approve that again to go on.", r.Approves))
	}
	return all
}
