package home

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"owlatsync/internal/alert"
	"owlatsync/internal/api"
	"owlatsync/internal/events"
	"owlatsync/internal/feedback"
	"owlatsync/internal/standing"
	"owlatsync/internal/telemetry"
	"owlatsync/internal/vitals"
	"owlatsync/internal/writeback"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/progress"
)

// window shows the home to the API.
type window struct{ *Home }

var _ api.Service = window{}

// Syncs implements api.Service.
func (s window) Syncs(ctx context.Context) ([]api.SyncState, error) {
	signs, err := s.vitals.Read(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	byName := make(map[string]vitals.Sync, len(signs.Syncs))
	for _, v := range signs.Syncs {
		byName[v.Name] = v
	}
	var all []api.SyncState
	for _, sync := range s.Config().Syncs {
		of, err := standing.Of(ctx, s.session.Ledger, sync, 1)
		if err != nil {
			return nil, err
		}
		if sync.Schedule.IsZero() {
			if times, err := timesOf(sync); err == nil && times != nil {
				of.Sync.Schedule.Text = times.String()
			}
		}
		v := byName[sync.Name]
		st := api.SyncState{Sync: of, Next: s.syncs.loop.Next(sync.Name), LastGood: v.LastGood}
		st.State, st.Why = s.stateOf(of, v)
		all = append(all, st)
	}
	return all, nil
}

// stateOf says how a sync is, and why if somebody should know. What a person must do something about comes first.
func (s window) stateOf(of standing.Sync, v vitals.Sync) (api.State, string) {
	waits := s.syncs.queue.Waiting(of.Sync.Name)
	held := slices.IndexFunc(of.Held, func(r standing.HeldRun) bool {
		return !r.Partial && r.Refused == nil && !slices.Contains(waits.Approves, r.ID)
	})
	if v.Last != nil && failed(v.Last.Status) && held >= 0 && of.Held[held].ID < v.Last.ID {
		held = -1 // what failed since hides behind no older plan
	}
	switch {
	case held >= 0:
		return api.Held, fmt.Sprintf("run %d waits for approval: %s", of.Held[held].ID, of.Held[held].Message)
	case len(waits.Approves) > 0 && !ended(of.Runs, waits.Going):
		return api.Running, ""
	case v.Stale(time.Now()):
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
		return api.NotScheduled, ""
	case v.Last != nil && v.Last.Report != nil && v.Last.Report.Spoiled() != "":
		return api.Failing, v.Last.Report.Spoiled()
	}
	return api.Healthy, ""
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
	of, ok := s.syncs.sync(sync)
	return !ok || of.KeyIsPersonal()
}

// Progress implements api.Service.
func (s window) Progress(run int64) (progress.State, bool) {
	for _, sync := range s.Config().Syncs {
		if st, ok := s.session.Engine().State(sync.Name); ok && st.Run == run {
			return st, true
		}
	}
	return progress.State{}, false
}

// Ready implements api.Service.
func (s window) Ready(ctx context.Context) error {
	if s.stopping.Load() {
		return errors.New("the service stops")
	}
	if err := s.Alive(ctx); err != nil {
		return err
	}
	return s.trial.fails(ctx)
}

// ears hear what happens in the parts of the service.
type ears struct{ *Home }

// watch returns the context of a run, for the log, and who is told what happens in it.
func (s ears) watch(ctx context.Context, sync string, run int64) (context.Context, []func(progress.Value)) {
	ctx, running := telemetry.Within(ctx, sync, run)
	return ctx, []func(progress.Value){running.Observe, s.o.Metrics.Observe, s.o.Traces.Observe, telemetry.Narrate(ctx, s.log)}
}

// attempt takes in a request to Owlat.
func (s ears) attempt(a owlat.Attempt) {
	s.o.Metrics.Attempt(a)
	s.o.Traces.Attempt(a)
}

// FeedbackData is the data of the event that tells of a webhook. It names no person.
type FeedbackData struct {
	ID         int64  `json:"feedback"`
	Event      string `json:"event"`
	Deliveries int    `json:"deliveries,omitempty"` // that are to be written back
}

// heard takes in what became of a webhook.
func (s ears) heard(t feedback.Taken) {
	if t.Err != nil || !t.New {
		return
	}
	s.o.Metrics.Feedback(t.Feedback.Event, len(t.Feedback.Topics))
	s.hub.Publish(events.Event{Kind: events.Feedback, Data: FeedbackData{t.Feedback.ID, t.Feedback.Event, t.Deliveries}})
	if t.Deliveries > 0 {
		s.outbox.wake()
	}
}

// DeliveryData is the data of the event that tells what became of an attempt to write back. It names no person.
type DeliveryData struct {
	Delivery int64  `json:"delivery"`
	Target   string `json:"target"`
	Event    string `json:"event"`
	Error    string `json:"error,omitempty"`
	Dead     bool   `json:"dead,omitempty"` // it is given up
}

// delivered takes in an attempt to write back.
func (s ears) delivered(a writeback.Attempt) {
	s.o.Metrics.WriteBack(a.Delivery.Target, a.Err, a.Dead)
	data := DeliveryData{Delivery: a.Delivery.ID, Target: a.Delivery.Target, Event: a.Delivery.Feedback.Event, Dead: a.Dead}
	if a.Err != nil {
		data.Error = a.Err.Error()
	}
	s.hub.Publish(events.Event{Kind: events.WriteBack, Data: data})
}

// AlertData is the data of the event that tells of a message to a channel of alerts.
type AlertData struct {
	Channel string        `json:"channel"`
	Message alert.Message `json:"message"`
}

// told takes in an attempt to tell a channel what is wrong.
func (s ears) told(channel string, m alert.Message, err error) {
	s.o.Metrics.Alert(channel, err)
	if err == nil {
		s.hub.Publish(events.Event{Kind: events.Alert, Sync: m.Sync, Run: m.Run, Data: AlertData{channel, m}})
	}
}

// silence returns why webhooks seem not to arrive, empty if they do.
func (s ears) silence(ctx context.Context) (string, error) {
	hooks, now := s.Config().Webhooks, time.Now()
	if len(hooks.Secrets) == 0 {
		return "", nil
	}
	heard, err := feedback.SilenceOf(ctx, s.session.Ledger, now)
	if err != nil || !heard.Lasts(now, hooks.SilentAfter) {
		return "", err
	}
	return fmt.Sprintf("runs have created %d contacts since %s, and Owlat has told of none", heard.Contacts, heard.Since.UTC().Format(time.RFC3339)), nil
}
