package home

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/progress"
)

const (
	// quietRead is how long a reading may bring no rows before it is tried whether the source is there at all, pingWithin how long that may
	// take to say so, and pingAgain how often it is tried.
	quietRead  = 1500 * time.Millisecond
	pingWithin = 2500 * time.Millisecond
	pingAgain  = 3 * time.Second
)

// hearing knows whether Owlat and the sources answer. It is safe for concurrent use.
type hearing struct {
	client *owlat.Client
	state  func(sync string) (progress.State, bool)
	ping   func(ctx context.Context, sync config.Sync) error
	owlat  atomic.Bool // it has answered

	pings sync.WaitGroup
	mu    sync.Mutex
	reads map[string]*reading
}

// reading is how the source of a sync answers.
type reading struct {
	run           int64
	stretch, rows int
	since         time.Time // that it is as it is; zero: nothing is read
	pinged        time.Time
	mute          bool // it has not answered a ping since then
	before        bool // it has answered this home
}

// read hears that a run of the sync has read its source.
func (h *hearing) read(sync string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.of(sync)
	r.before, r.mute = true, false
}

// of returns the reading of a sync. The caller holds the mutex.
func (h *hearing) of(sync string) *reading {
	if h.reads == nil {
		h.reads = make(map[string]*reading)
	}
	if h.reads[sync] == nil {
		h.reads[sync] = new(reading)
	}
	return h.reads[sync]
}

// look sees how far the runs of the syncs are, and tries the sources of those that do not come on.
func (h *hearing) look(ctx context.Context, syncs []config.Sync, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range syncs {
		r := h.of(s.Name)
		st, goesOn := h.state(s.Name)
		switch {
		case !goesOn || st.Waiting || st.Stage != ledger.StageReading:
			r.since, r.mute = time.Time{}, false
			continue
		case r.since.IsZero() || r.run != st.Run || r.stretch != st.Stretch || r.rows != st.Rows:
			r.run, r.stretch, r.rows, r.since, r.mute = st.Run, st.Stretch, st.Rows, now, false
			continue
		case now.Sub(r.since) < quietRead || now.Sub(r.pinged) < pingAgain:
			continue
		}
		r.pinged = now
		since := r.since
		h.pings.Go(func() {
			c, done := context.WithTimeout(ctx, pingWithin)
			defer done()
			err := h.ping(c, s)
			h.mu.Lock()
			defer h.mu.Unlock()
			// Whatever is told, somebody is there.
			mute := err != nil && errors.Is(c.Err(), context.DeadlineExceeded)
			if r.before = r.before || !mute && err == nil; r.since.Equal(since) {
				r.mute = mute
			}
		})
	}
}

// unheard returns what has not answered for longest; see Home.Unheard.
func (h *hearing) unheard(now time.Time) (what string, lasts time.Duration, before bool) {
	if lasts = h.client.Silence(); lasts > 0 {
		what, before = "Owlat", h.owlat.Load()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, r := range h.reads {
		if r.mute && now.Sub(r.since) > lasts {
			what, lasts, before = turns.SourceOf(name), now.Sub(r.since), r.before
		}
	}
	return what, lasts, before
}

// Unheard returns what of Owlat and the sources the home awaits an answer from, and for how long none has come; 0 if none is awaited in vain. Before
// says that it has answered this home before.
func (h *Home) Unheard() (what string, lasts time.Duration, before bool) {
	return h.hearing.unheard(time.Now())
}

// ping tries whether the source of a sync is there.
func (h *Home) ping(ctx context.Context, s config.Sync) error {
	table, end, err := h.o.Opener.Source(s)
	if err != nil {
		return err
	}
	return errors.Join(table.Ping(ctx), end())
}
