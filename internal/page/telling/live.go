package telling

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"time"

	"owlatsync/internal/api"
	"owlatsync/internal/bar"
	"owlatsync/internal/events"
	"owlatsync/internal/standing"
	"owlatsync/ledger"
)

// How a run that goes on is shown.
const (
	liveEvery  = time.Second      // how often a run is shown anew at most
	LiveRecord = 5 * time.Second  // how often its record is read
	LiveBeat   = 15 * time.Second // how often a stream in which nothing happens says that it is alive
	LiveWrite  = 20 * time.Second // how long a browser may take to receive what was sent

	LiveRows    = 20  // how many of the last rows are shown
	LivePages   = 8   // how many live pages one browser may have open
	liveEntries = 512 // how many there may be in all
)

// Snapshot is how far a run is, in words for people: it is made once for all who look. It names no person.
type Snapshot struct {
	Status ledger.Status `json:"status"`
	Stage  string        `json:"stage"`    // what the run does, in words
	Rows   string        `json:"rows"`     // read so far
	Sent   string        `json:"requests"` // so far, of how many
	Rate   string        `json:"rate"`     // a second
	Left   string        `json:"left"`
	Done   int           `json:"done"` // of Total; 0 of 0: not known
	Total  int           `json:"total"`
	Counts []string      `json:"counts"`
	Last   []Row         `json:"last"` // newest first
	Over   bool          `json:"over"`
}

// Row is what became of a row.
type Row struct {
	Key     string `json:"key"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
}

// stages say what a run does in its stages.
var stages = map[ledger.Stage]string{
	ledger.StageStarting: "looks what earlier runs left open", ledger.StageReading: "reads the source", ledger.StagePlanning: "makes its plan", ledger.StageApplying: "sends changes",
	ledger.StageEnding: "ends",
}

// Now returns how far a run is: as this process knows, or else as its record says.
func Now(d *api.Deployment, r *ledger.Run) Snapshot {
	s := Snapshot{Status: r.Status, Last: []Row{}, Counts: []string{}}
	stage, report, summary, left, began := r.Stage, r.Report, r.Summary, time.Duration(0), r.Started
	if st, here := d.Service.Progress(r.ID); here {
		stage, report, summary, left, began = st.Stage, st.Report, st.Summary, st.Left, st.Started
		if s.Status = ledger.StatusRunning; st.Waiting {
			s.Status = ledger.StatusWaiting
		}
		if st.Rows > 0 {
			s.Rows = Number(st.Rows)
		}
	}
	s.Stage = stages[stage]
	if report != nil {
		if s.Rows == "" && report.Rows > 0 {
			s.Rows = Number(report.Rows)
		}
		for _, f := range Outcomes(&ledger.Run{Report: report}) {
			s.Counts = append(s.Counts, f.Name+" "+f.Text)
		}
		s.Done = report.Requests.Total
		s.Sent = Number(s.Done)
		if took := d.Ledger.Now().Sub(began); s.Done > 0 && took > time.Second {
			s.Rate = perSecond(s.Done, took)
		}
	}
	if summary != nil && r.Part.Whole() { // of a part, how much it will be is not known
		s.Total = max(summary.Requests, s.Done)
		if s.Total > 0 {
			s.Sent = Number(s.Done) + " of about " + Number(s.Total)
		}
		if left > 0 {
			s.Left = bar.About(left)
		}
	}
	return s
}

// Feeds are the runs that somebody looks at. It is safe for concurrent use.
type Feeds struct {
	says    func(deployment, text string) string
	mu      sync.Mutex
	all     map[feedName]*Feed
	pages   int
	of      map[string]int // live pages by what the browser holds
	closed  chan struct{}
	closing sync.Once
}

type feedName struct {
	deployment string
	run        int64
}

// NewFeeds returns feeds at which nobody looks. Says makes of a text about a deployment what people are told.
func NewFeeds(says func(deployment, text string) string) *Feeds {
	return &Feeds{says: says, all: make(map[feedName]*Feed), of: make(map[string]int), closed: make(chan struct{})}
}

// Close ends all live pages, so that a server can stop. It may be called again.
func (f *Feeds) Close() { f.closing.Do(func() { close(f.closed) }) }

// Closed is closed when all live pages are to end.
func (f *Feeds) Closed() <-chan struct{} { return f.closed }

// Enter takes a place for a live page of a browser, and returns what gives it back; ok is false if there is none.
func (f *Feeds) Enter(browser string) (leave func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pages == liveEntries || f.of[browser] == LivePages {
		return nil, false
	}
	f.pages++
	f.of[browser]++
	return sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.pages--
		if f.of[browser]--; f.of[browser] == 0 {
			delete(f.of, browser)
		}
	}), true
}

// Feed is a run that goes on as all who look at it see it. One goroutine makes it, however many look.
type Feed struct {
	looking int // guarded by the mutex of the feeds
	stop    context.CancelFunc

	mu      sync.Mutex
	latest  []byte
	over    bool
	changed chan struct{} // closed when there is another latest
}

// Look returns the feed of a run, and what ends looking at it. The first who looks begins it, the last ends it.
func (f *Feeds) Look(d *api.Deployment, run ledger.Run) (_ *Feed, leave func()) {
	name := feedName{d.Name, run.ID}
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.all[name]
	if one == nil {
		ctx, cancel := context.WithCancel(context.Background())
		one = &Feed{stop: cancel, changed: make(chan struct{})}
		f.all[name] = one
		told, unsubscribe := d.Hub.Subscribe(events.Filter{Run: run.ID})
		one.put(Now(d, &run))
		go func() {
			defer unsubscribe()
			one.follow(ctx, d, run, told, f.says)
		}()
	}
	one.looking++
	return one, sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if one.looking--; one.looking == 0 {
			one.stop()
			delete(f.all, name)
		}
	})
}

// put makes a snapshot the latest, if it is another.
func (f *Feed) put(s Snapshot) {
	text, err := json.Marshal(s)
	if err != nil {
		return // a snapshot has nothing that cannot be written
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over = f.over || s.Over; bytes.Equal(text, f.latest) {
		return
	}
	f.latest = text
	close(f.changed)
	f.changed = make(chan struct{})
}

// end lets all who look leave. Those who come back get another feed.
func (f *Feed) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	close(f.changed)
	f.changed = make(chan struct{})
}

// Latest returns the latest snapshot as JSON, whether it is the last, and what is closed when there is another.
func (f *Feed) Latest() (latest []byte, over bool, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.latest, f.over, f.changed
}

// follow makes snapshots of a run until it has ended or nobody looks.
func (f *Feed) follow(ctx context.Context, d *api.Deployment, run ledger.Run, told <-chan events.Event, says func(deployment, text string) string) {
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	var last []Row
	read := time.Now()
	personal := d.Service.Personal(run.Sync)
	for ended := false; ; {
		select {
		case <-ctx.Done():
			return
		case e, open := <-told:
			if !open { // the deployment is another now, or the service stops
				f.end()
				return
			}
			switch row, isRow := e.Data.(events.RowData); {
			case e.Kind == events.Ended:
				ended = true
			case isRow:
				if personal {
					row.Key = ""
				}
				last = append(last, Row{row.Key, string(row.Outcome), says(d.Name, row.Reason)})
				last = last[max(0, len(last)-LiveRows):]
			}
			continue
		case <-tick.C:
		}
		if ended || time.Since(read) >= LiveRecord {
			read = time.Now()
			if r, err := d.Ledger.Run(ctx, run.ID); err == nil {
				if now, err := standing.Now(ctx, d.Ledger, *r); err == nil {
					run = now
				}
			}
		}
		s := Now(d, &run)
		switch run.Status {
		case ledger.StatusQueued, ledger.StatusRunning, ledger.StatusWaiting:
		default:
			s.Status, s.Over = run.Status, true
		}
		for i := range last {
			s.Last = append(s.Last, last[len(last)-1-i])
		}
		if f.put(s); s.Over {
			return
		}
	}
}
