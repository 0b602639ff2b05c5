package page

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"owlatsync"
	"owlatsync/internal/access"
	"owlatsync/internal/config"
	"owlatsync/internal/page/fed"
	"owlatsync/internal/page/person"
	"owlatsync/internal/page/rowlist"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/step"
)

// rows returns what is listed of the rows of a run, as the address asks for it and for whoever asks.
func (c ofRun) rows(r *ledger.Run, address string) *rowlist.Of {
	syncs := configured(c.call)
	i := slices.IndexFunc(syncs, func(s config.Sync) bool { return s.Name == r.Sync })
	onMissing := ""
	if i >= 0 {
		onMissing = string(syncs[i].OnMissing)
	}
	var named []owlatsync.NamedTopic
	if r.Report != nil {
		named = r.Report.Topics
	}
	var open func() iter.Seq2[*ledger.Entry, error]
	if c.d.Rows != nil {
		open = func() iter.Seq2[*ledger.Entry, error] { return c.d.Rows.Open(c.r.Context(), r.Sync) }
	}
	return &rowlist.Of{
		Open: open,
		Rows: c.d.Decisions, Run: r, Address: address, Query: c.r.URL.Query(), Named: c.sees(r.Sync), Whole: c.who.May(config.Operator), Who: c.who.Name, OnMissing: onMissing,
		Topic: func(id string) fed.Topic {
			if i < 0 {
				return fed.Topic{ID: id}
			}
			return fed.Of(&syncs[i], id, named)
		},
		Person: func(key string) string { return personAddress(c.call, person.Subject{Sync: r.Sync, Key: key}) },
	}
}

// configured returns the syncs of the deployment's configuration.
func configured(c *call) []config.Sync {
	if c.d.Inquiry == nil {
		return nil
	}
	return c.d.Inquiry.Configured()
}

// planPage is a part of the plan of a held run.
type planPage struct {
	Run                        int64
	Sync, SyncAddress, Address string
	rowlist.Plan
}

// planned returns the held run in the address, whose plan this version of the program has kept.
func planned(c *call) (r ledger.Run, err error) {
	if r, err = c.run(); err != nil {
		return r, err
	}
	switch {
	case r.Status != ledger.StatusHeld:
		return r, &access.Refusal{Status: http.StatusNotFound, Code: "plan", Message: "no plan is kept of run " + strconv.FormatInt(r.ID, 10) + ", because it is not held",
			Hint: "its page says what became of it: " + c.base + "/runs/" + strconv.FormatInt(r.ID, 10)}
	case r.PlanForm != step.Form:
		return r, &access.Refusal{Status: http.StatusNotFound, Code: "plan", Message: reconcile.ErrOldPlan.Error()}
	}
	return r, nil
}

func showPlan(c *call) error {
	r, err := planned(c)
	if err != nil {
		return err
	}
	v := planPage{Run: r.ID, Sync: r.Sync, SyncAddress: c.base + "/syncs/" + url.PathEscape(r.Sync), Address: c.base + "/runs/" + strconv.FormatInt(r.ID, 10)}
	if v.Plan, err = rowlist.ListPlan(c.r.Context(), (ofRun{c}).rows(&r, v.Address+"/plan")); err != nil {
		return err
	}
	c.show(http.StatusOK, "plan", "The plan of run "+strconv.FormatInt(r.ID, 10), v)
	return nil
}

func downloadPlan(c *call) error {
	r, err := planned(c)
	if err != nil {
		return err
	}
	return download(c, &r, "plan", rowlist.WritePlan)
}

func downloadDecisions(c *call) error {
	r, err := c.run()
	if err != nil {
		return err
	}
	return download(c, &r, "decisions", rowlist.WriteDecisions)
}

// download answers with a list of rows of a run as a file.
func download(c *call, r *ledger.Run, what string, write func(context.Context, *rowlist.Of, rowlist.Begin) error) error {
	began := false
	err := write(c.r.Context(), (ofRun{c}).rows(r, ""), func() io.Writer {
		began = true
		c.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		c.w.Header().Set("Content-Disposition", `attachment; filename="run-`+strconv.FormatInt(r.ID, 10)+"-"+what+`.csv"`)
		return c.w
	})
	if err != nil && began {
		c.log.Error("a list of rows broke off", "run", r.ID, "list", what, "error", err)
		panic(http.ErrAbortHandler) // only the end of the connection says that the list is not whole
	}
	return err
}
