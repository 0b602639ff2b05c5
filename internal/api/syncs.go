package api

import (
	"net/http"
	"slices"
	"time"

	"owlatsync/internal/turns"
	"owlatsync/ledger"
)

// views shows how syncs and runs of a deployment stand.
type views struct {
	*API
	d *Deployment
}

// syncJSON is how a sync stands. What "status --json" prints too has the same names.
type syncJSON struct {
	Sync     string     `json:"sync"`
	State    State      `json:"state"`
	Why      string     `json:"why,omitempty"`       // why it is so, if somebody should know
	Schedule string     `json:"schedule,omitempty"`  // absent: it runs only when somebody asks
	Next     *time.Time `json:"next,omitempty"`      // when the schedule has the next run
	LastGood *time.Time `json:"last_good,omitempty"` // when the last good run ended

	Rows       int        `json:"rows"`    // rows that the ledger knows
	InStep     int        `json:"in_step"` // without those that the latest run found invalid
	Failing    int        `json:"failing"`
	Parked     int        `json:"parked"`             // failing rows that are not tried again until they change
	Asked      int        `json:"asked_to_confirm"`   // rows whose people were asked to confirm (double opt-in)
	Unsendable int        `json:"unsendable"`         // rows that the latest run read and could not send
	SetBack    *time.Time `json:"set_back,omitempty"` // when the ledger was found to be older than what was done
	Held       []heldJSON `json:"held"`               // runs that wait for approval, newest first
	Reading    *readJSON  `json:"reading,omitempty"`  // only of a sync with a cursor
	Last       *runJSON   `json:"last_run,omitempty"` // the latest run, which may go on
}

// heldJSON is a run that a guard holds.
type heldJSON struct {
	Run     int64     `json:"run"`
	Started time.Time `json:"started"`
	Message string    `json:"message"`
	Partial bool      `json:"partial,omitempty"` // it applies only a part of the rows
	Refused string    `json:"refused,omitempty"` // why it can no longer be approved
}

// readJSON is how far a sync with a cursor has read its source.
type readJSON struct {
	Cursor   string     `json:"cursor"`
	NextFull *time.Time `json:"next_full,omitempty"` // absent: the next run reads all rows
	Again    int        `json:"again"`               // unchanged rows that are read again because they are out of step
}

// someTime returns a time for JSON, nil for the zero one.
func someTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (v views) newSyncJSON(s SyncState, sees bool) syncJSON {
	j := syncJSON{
		Sync: s.Sync.Sync.Name, State: s.State, Why: s.Why, Schedule: s.Sync.Sync.Schedule.Text, Next: someTime(s.Next), LastGood: someTime(s.LastGood),
		Rows: s.Rows.Entries, InStep: s.InStep(), Unsendable: s.Unsendable(), Failing: s.Rows.Failing, Parked: s.Rows.Parked, Asked: s.Rows.Asked,
		SetBack: someTime(s.Rows.SetBack), Held: make([]heldJSON, len(s.Held)),
	}
	for i, r := range s.Held {
		j.Held[i] = heldJSON{Run: r.ID, Started: r.Started.UTC(), Message: r.Message, Partial: r.Partial}
		if r.Refused != nil {
			j.Held[i].Refused = r.Refused.Error()
		}
	}
	if s.Known && s.Sync.Sync.Cursor.Column != "" {
		j.Reading = &readJSON{Cursor: s.Sync.Sync.Cursor.Column, NextFull: someTime(s.Bookmark.NextFull(s.Sync.Sync.FullEvery)), Again: len(s.Bookmark.Again)}
	}
	if len(s.Runs) > 0 {
		last := v.newRunJSON(s.Runs[0], sees)
		j.Last = &last
	}
	return j
}

func (v views) syncs(c *call) error {
	if err := newQuery(c.r).done(); err != nil {
		return err
	}
	states, err := v.d.Service.Syncs(c.r.Context())
	if err != nil {
		return err
	}
	all := make([]syncJSON, len(states))
	for i, s := range states {
		all[i] = v.newSyncJSON(s, c.sees())
	}
	answer(c.w, http.StatusOK, map[string]any{"syncs": all})
	return nil
}

// named returns the sync in the address.
func (v views) named(c *call) (SyncState, error) {
	states, err := v.d.Service.Syncs(c.r.Context())
	if err != nil {
		return SyncState{}, err
	}
	name, known := c.r.PathValue("name"), make([]string, len(states))
	for i, s := range states {
		known[i] = s.Sync.Sync.Name
	}
	if i := slices.Index(known, name); i >= 0 {
		return states[i], nil
	}
	return SyncState{}, &turns.UnknownSyncError{Sync: name, Known: known}
}

func (v views) sync(c *call) error {
	if err := newQuery(c.r).done(); err != nil {
		return err
	}
	s, err := v.named(c)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusOK, v.newSyncJSON(s, c.sees()))
	return nil
}

// statusJSON is how the whole service stands.
type statusJSON struct {
	Version  string                                  `json:"version"`
	Started  time.Time                               `json:"started"`
	Now      time.Time                               `json:"now"` // by the service's clock
	Ready    bool                                    `json:"ready"`
	Why      string                                  `json:"why,omitempty"` // why it is not ready
	You      whoJSON                                 `json:"you"`
	Syncs    []shortJSON                             `json:"syncs"`
	Feedback *time.Time                              `json:"last_feedback,omitempty"` // when the latest webhook came
	Round    *roundJSON                              `json:"last_round,omitempty"`    // that looked for people who have left
	Outbox   map[string]map[ledger.DeliveryState]int `json:"write_backs"`
}

// roundJSON is the latest whole round that looked for people who have left.
type roundJSON struct {
	Ended    time.Time `json:"ended"`
	Read     string    `json:"read"`
	Contacts int       `json:"contacts"`
	People   int       `json:"people"`
	Topics   int       `json:"topics"`
	Seconds  float64   `json:"seconds"`
	Failed   string    `json:"failed,omitempty"` // why the round after it does not come to its end
}

// newRoundJSON returns the latest whole round, nil if there was none.
func newRoundJSON(r ledger.Round) *roundJSON {
	if r.Ended.IsZero() {
		return nil
	}
	return &roundJSON{r.Ended, r.Read, r.Contacts, r.People, r.Topics, r.Seconds, r.Open.Failed}
}

// whoJSON is who asks.
type whoJSON struct {
	Name string `json:"name"`
	Role string `json:"role"`
}

// shortJSON is a sync in short.
type shortJSON struct {
	Sync     string     `json:"sync"`
	State    State      `json:"state"`
	Why      string     `json:"why,omitempty"`
	Next     *time.Time `json:"next,omitempty"`
	LastGood *time.Time `json:"last_good,omitempty"`
	Held     []int64    `json:"held"` // numbers of runs, newest first
}

func (v views) status(c *call) error {
	if err := newQuery(c.r).done(); err != nil {
		return err
	}
	ctx := c.r.Context()
	states, err := v.d.Service.Syncs(ctx)
	if err != nil {
		return err
	}
	heard, err := v.d.Ledger.LastFeedback(ctx)
	if err != nil {
		return err
	}
	round, err := v.d.Ledger.Round(ctx)
	if err != nil {
		return err
	}
	counts, err := mail{v}.counts(ctx)
	if err != nil {
		return err
	}
	now := v.d.Ledger.Now().UTC()
	j := statusJSON{
		Version: v.parts.Version, Started: now.Add(-time.Since(v.started)), Now: now, Ready: true, You: whoJSON{c.who.Name, string(c.who.Role)},
		Syncs: make([]shortJSON, len(states)), Feedback: someTime(heard), Round: newRoundJSON(round), Outbox: counts,
	}
	if why := v.d.Service.Ready(ctx); why != nil {
		j.Ready, j.Why = false, why.Error()
	}
	for i, s := range states {
		held := make([]int64, len(s.Held))
		for n, r := range s.Held {
			held[n] = r.ID
		}
		j.Syncs[i] = shortJSON{s.Sync.Sync.Name, s.State, s.Why, someTime(s.Next), someTime(s.LastGood), held}
	}
	answer(c.w, http.StatusOK, j)
	return nil
}
