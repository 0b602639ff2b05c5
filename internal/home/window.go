package home

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/standing"
	"owlatsync/internal/turns"
	"owlatsync/internal/vitals"
	"owlatsync/ledger"
	"owlatsync/reconcile/progress"
)

// window shows the deployment to the API.
type window struct{ d *Deployment }

var _ api.Service = window{}

// Syncs implements api.Service.
func (s window) Syncs(ctx context.Context) ([]api.SyncState, error) {
	signs, err := s.d.vitals.Read(ctx, s.d.ledger.Now())
	if err != nil {
		return nil, err
	}
	byName := make(map[string]vitals.Sync, len(signs.Syncs))
	for _, v := range signs.Syncs {
		byName[v.Name] = v
	}
	var all []api.SyncState
	line := s.d.at()
	for _, sync := range s.d.Config().Syncs {
		of, err := standing.Of(ctx, counted{s.d.ledger, &s.d.counts}, sync, 1)
		if err != nil {
			return nil, err
		}
		waits, err := line.Waiting(ctx, sync.Name)
		if err != nil {
			return nil, err
		}
		if sync.Schedule.IsZero() {
			if times, err := timesOf(sync); err == nil && times != nil {
				of.Sync.Schedule.Text = times.String()
			}
		}
		v := byName[sync.Name]
		st := api.SyncState{Sync: of, LastGood: v.LastGood, Approved: waits.Approves}
		st.Next, st.Waits = nextOf(sync, line.Next(sync.Name), of.Held, waits.Approves, s.d.had.otherwise(sync))
		st.State, st.Why = stateOf(of, v, waits, signs.At)
		all = append(all, st)
	}
	return all, nil
}

// nextOf returns when a sync is next due, and the held run for whose approval its schedule waits until then; 0: it waits for none.
// Lifted says that the sync is another than when it last might run here: then it waits for none once.
func nextOf(sync config.Sync, next time.Time, held []standing.HeldRun, approves []int64, lifted bool) (time.Time, int64) {
	var open []ledger.Run
	for _, r := range held {
		if !slices.Contains(approves, r.ID) {
			open = append(open, r.Run)
		}
	}
	r := waitsFor(open, next)
	if next.IsZero() || r == nil || lifted {
		return next, 0
	}
	times, err := timesOf(sync)
	if err != nil || times == nil || firstRun(*r) {
		return time.Time{}, r.ID
	}
	return times.Next(r.Finished.Add(heldPause)), r.ID
}

// stateOf says how a sync is, and why if somebody should know. What a person must do something about comes first.
func stateOf(of standing.Sync, v vitals.Sync, waits turns.Waiting, now time.Time) (api.State, string) {
	held := slices.IndexFunc(of.Held, func(r standing.HeldRun) bool {
		return !r.Partial && r.Mode != ledger.ModeReview && r.Refused == nil && !slices.Contains(waits.Approves, r.ID)
	})
	if v.Last != nil && failed(v.Last.Status) && held >= 0 && of.Held[held].ID < v.Last.ID {
		held = -1 // what failed since hides behind no older plan
	}
	shows := slices.IndexFunc(of.Held, func(r standing.HeldRun) bool {
		return r.Mode == ledger.ModeReview && r.Refused == nil && !slices.Contains(waits.Approves, r.ID)
	})
	hints := api.Troubles(of)
	if shows >= 0 { // it does not stop the sync
		hints = strings.TrimSuffix(fmt.Sprintf("the plan of run %d waits for somebody to look at it; %s", of.Held[shows].ID, hints), "; ")
	}
	switch {
	case held >= 0:
		return api.Held, fmt.Sprintf("run %d waits for approval: %s", of.Held[held].ID, of.Held[held].Message)
	case len(waits.Approves) > 0 && !ended(of.Runs, waits.Going):
		return api.Running, ""
	case v.Stale(now):
		if v.LastGood.IsZero() {
			return api.Stale, "it has had no good run yet"
		}
		return api.Stale, fmt.Sprintf("its last good run ended at %s", v.LastGood.UTC().Format(time.RFC3339))
	case v.Last != nil && failed(v.Last.Status):
		return api.Failing, fmt.Sprintf("run %d ended as %q: %s", v.Last.ID, v.Last.Status, v.Last.Message)
	case (waits.Going != 0 || waits.Turn) && !ended(of.Runs, waits.Going):
		return api.Running, ""
	case waits.Any:
		return api.Queued, ""
	case of.Sync.Schedule.IsZero() && of.Sync.Listen == "" && of.Sync.Poll == 0:
		return api.NotScheduled, hints
	case v.Last != nil && v.Last.Report != nil && v.Last.Report.Spoiled() != "":
		return api.Failing, v.Last.Report.Spoiled()
	}
	return api.Healthy, hints
}

// ended reports whether the run has ended by its record, which is earlier than that its turn is over.
func ended(runs []ledger.Run, run int64) bool {
	return len(runs) > 0 && runs[0].ID == run && runs[0].Status != ledger.StatusRunning && runs[0].Status != ledger.StatusWaiting && runs[0].Status != ledger.StatusQueued
}

func failed(s ledger.Status) bool {
	return s == ledger.StatusError || s == ledger.StatusStopped || s == ledger.StatusDied
}

// Personal implements api.Service.
func (s window) Personal(sync string) bool {
	of := s.d.Config().Sync(sync)
	return of == nil || of.KeyIsPersonal()
}

// Progress implements api.Service.
func (s window) Progress(run int64) (progress.State, bool) { return s.d.at().Progress(run) }

// Budget implements api.Service.
func (s window) Budget() (api.Budget, bool) {
	to := s.d.Config().Owlat
	return s.d.meter.read(time.Now(), to.RequestsPerSecond, 1+len(to.MoreKeys))
}

// Ready implements api.Service.
func (s window) Ready(ctx context.Context) error {
	if err := s.d.alive(ctx); err != nil {
		return err
	}
	return s.d.trial.fails(ctx)
}
