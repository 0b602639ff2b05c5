package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"owlatsync"
	"owlatsync/internal/standing"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

// runJSON is a run. What "status --json" prints too has the same names.
type runJSON struct {
	Run      int64              `json:"run"`
	Sync     string             `json:"sync"`
	Mode     ledger.Mode        `json:"mode"`
	Status   ledger.Status      `json:"status"`
	Done     bool               `json:"done"` // it has ended: nothing of it changes any more, but that a held run is approved or superseded
	Message  string             `json:"message,omitempty"`
	Stage    ledger.Stage       `json:"stage,omitempty"` // absent: it has not begun
	Started  *time.Time         `json:"started,omitempty"`
	Finished *time.Time         `json:"finished,omitempty"`
	Heard    *time.Time         `json:"heard,omitempty"`    // when it was last known to go on
	Full     bool               `json:"full,omitempty"`     // it was asked to list Owlat's contacts and to read all rows
	Part     *partJSON          `json:"part,omitempty"`     // absent: all rows
	Approves int64              `json:"approves,omitempty"` // the held run whose plan it applies
	Guards   []owlatsync.Hit    `json:"guards,omitempty"`   // that hold it
	Report   *owlatsync.Report  `json:"report,omitempty"`
	Summary  *owlatsync.Summary `json:"summary,omitempty"` // its latest plan in numbers
	Progress *progressJSON      `json:"progress,omitempty"`
}

// partJSON is the rows that a run was asked for.
type partJSON struct {
	Only   []string `json:"only,omitempty"`
	Hidden int      `json:"hidden,omitempty"` // keys that are left out of Only, because they are or hold addresses
	Limit  int      `json:"limit,omitempty"`
}

// progressJSON is how far a run is.
type progressJSON struct {
	Stretch int     `json:"stretch"`
	Rows    int     `json:"rows"`         // read in this stretch so far
	Left    float64 `json:"left_seconds"` // about how long the rest takes; 0: not known
}

// goesOn reports whether a run has not ended.
func goesOn(s ledger.Status) bool {
	return s == ledger.StatusQueued || s == ledger.StatusRunning || s == ledger.StatusWaiting
}

// newRunJSON returns a run for somebody who sees addresses, or not.
func (v views) newRunJSON(r ledger.Run, sees bool) runJSON {
	j := runJSON{
		Run: r.ID, Sync: r.Sync, Mode: r.Mode, Status: r.Status, Done: !goesOn(r.Status), Message: r.Message, Stage: r.Stage, Started: someTime(r.Started),
		Finished: someTime(r.Finished), Full: r.Full, Approves: r.Approves, Guards: r.Guards, Report: r.Report, Summary: r.Summary,
	}
	if r.Finished.IsZero() && r.Status != ledger.StatusQueued {
		j.Heard = someTime(r.Heartbeat)
	}
	if !r.Part.Whole() {
		j.Part = &partJSON{Only: r.Part.Only, Limit: r.Part.Limit}
		if !sees {
			j.Part.Only = slices.DeleteFunc(slices.Clone(r.Part.Only), func(key string) bool { return !v.harmless(r.Sync, key) })
			j.Part.Hidden = len(r.Part.Only) - len(j.Part.Only)
		}
	}
	if !j.Done {
		if s, here := v.d.Service.Progress(r.ID); here {
			j.Stage, j.Report, j.Summary = s.Stage, s.Report, s.Summary
			j.Progress = &progressJSON{Stretch: s.Stretch, Rows: s.Rows, Left: s.Left.Seconds()}
		}
	}
	return j
}

// harmless reports whether a key may be shown to everybody.
func (v views) harmless(sync, key string) bool {
	return !v.d.Service.Personal(sync) && step.Decision{Key: key}.PublicKey() != ""
}

// record returns the record of a run as it is.
func (v views) record(ctx context.Context, id int64) (ledger.Run, error) {
	r, err := v.d.Ledger.Run(ctx, id)
	if err != nil {
		return ledger.Run{}, err
	}
	return standing.Now(ctx, v.d.Ledger, *r)
}

func (v views) runs(c *call) error {
	q := newQuery(c.r)
	return v.listRuns(c, q, q.text("sync"))
}

func (v views) runsOfSync(c *call) error {
	s, err := v.named(c)
	if err != nil {
		return err
	}
	return v.listRuns(c, newQuery(c.r), s.Sync.Sync.Name)
}

func (v views) listRuns(c *call, q *query, sync string) error {
	limit := q.limit()
	if err := q.done(); err != nil {
		return err
	}
	found, err := v.d.Ledger.Runs(c.r.Context(), sync, limit)
	if err != nil {
		return err
	}
	all := make([]runJSON, len(found))
	for i, r := range found {
		if r, err = standing.Now(c.r.Context(), v.d.Ledger, r); err != nil {
			return err
		}
		all[i] = v.newRunJSON(r, c.sees())
	}
	answer(c.w, http.StatusOK, map[string]any{"runs": all})
	return nil
}

func (v views) run(c *call) error {
	id, err := runNumber(c.r)
	if err != nil {
		return err
	}
	if err := newQuery(c.r).done(); err != nil {
		return err
	}
	r, err := v.record(c.r.Context(), id)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusOK, v.newRunJSON(r, c.sees()))
	return nil
}

// orders takes what operators ask for.
type orders struct{ views }

// takenJSON says that a run was taken in.
type takenJSON struct {
	Run  int64  `json:"run"`
	Sync string `json:"sync,omitempty"`
	URL  string `json:"url"` // where the run is looked at
}

// taken answers that a run was taken in.
func (c *call) taken(run int64, sync string) {
	url := c.base + "/runs/" + strconv.FormatInt(run, 10)
	c.w.Header().Set("Location", url)
	answer(c.w, http.StatusAccepted, takenJSON{run, sync, url})
}

// maxKeys is how many rows a run can be asked for by name.
const maxKeys = 10_000

func (o orders) trigger(c *call) error {
	s, err := o.named(c)
	if err != nil {
		return err
	}
	if err := newQuery(c.r).done(); err != nil {
		return err
	}
	var want turns.Options
	if err := decode(c.w, c.r, fields{"only": &want.Part.Only, "limit": &want.Part.Limit, "full": &want.Full, "review": &want.Review}); err != nil {
		return err
	}
	switch {
	case want.Part.Limit < 0:
		return wrongBody("\"limit\" must be 1 or more, or absent for all rows")
	case len(want.Part.Only) > maxKeys:
		return wrongBody("\"only\" names %d rows, and may name %d; leave it out to run the whole sync", len(want.Part.Only), maxKeys)
	case slices.Contains(want.Part.Only, ""):
		return wrongBody("\"only\" has an empty key")
	}
	name := s.Sync.Sync.Name
	want.Part.Only = s.Sync.Sync.RowKeys(want.Part.Only)
	run, err := o.d.Desk.Trigger(c.r.Context(), name, want)
	if err != nil {
		return err
	}
	what := ledger.DeedRun
	if want.Review {
		what = ledger.DeedPlan
	}
	o.log.Info("a run was asked for", "token", c.who.Name, "sync", name, "run", run)
	o.note(c, ledger.AuditLine{What: what, Sync: name, Run: run, Count: len(want.Part.Only)})
	c.taken(run, name)
	return nil
}

func (o orders) approve(c *call) error {
	id, err := bare(c)
	if err != nil {
		return err
	}
	run, err := o.d.Desk.Approve(c.r.Context(), id)
	if err != nil {
		return err
	}
	o.log.Info("a held run was approved", "token", c.who.Name, "held", id, "run", run)
	o.note(c, ledger.AuditLine{What: ledger.DeedApprove, Run: id})
	c.taken(run, "")
	return nil
}

func (o orders) dismiss(c *call) error {
	id, err := bare(c)
	if err != nil {
		return err
	}
	if err := o.d.Desk.Dismiss(c.r.Context(), id); err != nil {
		return err
	}
	o.log.Info("a held run was dismissed", "token", c.who.Name, "held", id)
	o.note(c, ledger.AuditLine{What: ledger.DeedDismiss, Run: id})
	c.taken(id, "")
	return nil
}

func (o orders) cancel(c *call) error {
	id, err := bare(c)
	if err != nil {
		return err
	}
	if err := o.d.Desk.Cancel(c.r.Context(), id); err != nil {
		return err
	}
	o.log.Info("a run was cancelled", "token", c.who.Name, "run", id)
	o.note(c, ledger.AuditLine{What: ledger.DeedCancel, Run: id})
	c.taken(id, "")
	return nil
}

// bare returns the number of the run in the address of a request that says nothing else.
func bare(c *call) (int64, error) {
	id, err := runNumber(c.r)
	if err != nil {
		return 0, err
	}
	if err := newQuery(c.r).done(); err != nil {
		return 0, err
	}
	return id, decode(c.w, c.r, fields{})
}
