package events

import (
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/progress"
)

// What the events of a run have as their data. None names an address.
type (
	// QueuedData is the data of Queued.
	QueuedData struct {
		Why string `json:"why"` // see package turns
	}
	// StageData is the data of Stage.
	StageData struct {
		Stage   ledger.Stage `json:"stage,omitempty"`
		Stretch int          `json:"stretch,omitempty"` // above 1: the run reads its source again
	}
	// PlanData is the data of Planned.
	PlanData struct {
		Summary owlatsync.Summary `json:"summary"`
	}
	// HeldData is the data of Held.
	HeldData struct {
		Guards []owlatsync.Hit `json:"guards"`
	}
	// RowData is the data of Row.
	RowData struct {
		Key      string            `json:"key,omitempty"` // empty if the key is or holds an address
		Outcome  owlatsync.Outcome `json:"outcome"`
		Category ledger.Category   `json:"category,omitempty"`
		Reason   string            `json:"reason,omitempty"`
	}
	// ProgressData is the data of Progress.
	ProgressData struct {
		Stage    ledger.Stage `json:"stage"`
		Rows     int          `json:"rows,omitempty"`     // read so far
		Contacts int          `json:"contacts,omitempty"` // listed so far
		Total    int          `json:"total,omitempty"`    // contacts to be listed
		Done     int          `json:"done,omitempty"`     // rows with an outcome that is not unchanged
	}
	// EndData is the data of Ended.
	EndData struct {
		Status  ledger.Status     `json:"status"`
		Message string            `json:"message,omitempty"`
		Report  *owlatsync.Report `json:"report,omitempty"`
	}
)

// progressEvery is how often a run tells how far it is.
const progressEvery = time.Second

// Follower makes events of what one run tells. It is for one run; its method is called for one value at a time.
type Follower struct {
	hub      *Hub
	progress ProgressData
	told     time.Time
}

// NewFollower returns a follower that publishes in the hub.
func NewFollower(h *Hub) *Follower { return &Follower{hub: h} }

// Observe publishes what a value tells. It never waits.
func (f *Follower) Observe(v progress.Value) {
	switch v := v.(type) {
	case progress.Started:
		f.publish(v.About, Started, nil)
	case progress.Staged:
		f.progress.Stage = v.Stage
		f.publish(v.About, Stage, StageData{Stage: v.Stage})
	case progress.Afresh:
		f.progress = ProgressData{Stage: f.progress.Stage, Done: f.progress.Done}
		f.publish(v.About, Stage, StageData{Stage: ledger.StageReading, Stretch: v.Stretch})
	case progress.Scanned:
		f.progress.Rows = v.Rows
		f.tell(v.About, v.Done)
	case progress.Listed:
		f.progress.Contacts, f.progress.Total = v.Contacts, v.Total
		f.tell(v.About, v.Contacts >= v.Total)
	case progress.Planned:
		f.publish(v.About, Planned, PlanData{v.Summary})
	case progress.Held:
		f.publish(v.About, Held, HeldData{v.Guards})
	case progress.RowDone:
		f.progress.Done++
		if f.hub.Wanted(Row) {
			f.publish(v.About, Row, RowData{Key: v.PublicKey(), Outcome: v.Outcome, Category: v.Category, Reason: v.Reason})
		}
		f.tell(v.About, false)
	case progress.Ended:
		f.tell(v.About, true)
		f.publish(v.About, Ended, EndData{v.Status, v.Message, v.Report})
	}
}

// tell publishes how far the run is, unless that was told a moment ago.
func (f *Follower) tell(about progress.About, now bool) {
	if !now && time.Since(f.told) < progressEvery {
		return
	}
	f.told = time.Now()
	f.publish(about, Progress, f.progress)
}

func (f *Follower) publish(about progress.About, kind Kind, data any) {
	f.hub.Publish(Event{Kind: kind, Sync: about.Sync, Run: about.Run, Data: data})
}
