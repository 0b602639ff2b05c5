package page

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/api"
	"owlatsync/internal/bar"
	"owlatsync/internal/events"
	"owlatsync/internal/standing"
	"owlatsync/ledger"
)

const (
	liveEvery  = time.Second      // how often a run is shown anew at most
	liveRecord = 5 * time.Second  // how often its record is read
	liveBeat   = 15 * time.Second // how often a stream in which nothing happens says that it is alive
	liveWrite  = 20 * time.Second // how long a browser may take to receive what was sent

	liveRows    = 20  // how many of the last rows are shown
	livePages   = 8   // how many live pages one browser may have open
	liveEntries = 512 // how many there may be in all
)

// liveView is a run that goes on.
type liveView struct {
	Address string
	snapshot
}

// snapshot is how far a run is, in words for people: it is made once for all who look. It names no person.
type snapshot struct {
	Status ledger.Status `json:"status"`
	Stage  ledger.Stage  `json:"stage"`
	Rows   string        `json:"rows"`     // read so far
	Sent   string        `json:"requests"` // so far, of how many
	Rate   string        `json:"rate"`     // a second
	Left   string        `json:"left"`
	Done   int           `json:"done"` // of Total; 0 of 0: not known
	Total  int           `json:"total"`
	Counts []string      `json:"counts"`
	Last   []liveRow     `json:"last"` // newest first
	Over   bool          `json:"over"`
}

// liveRow is what became of a row.
type liveRow struct {
	Key     string `json:"key"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
}

// snapshotOf returns how far a run is: as this process knows, or else as its record says.
func snapshotOf(d *api.Deployment, r *ledger.Run) snapshot {
	s := snapshot{Status: r.Status, Stage: r.Stage, Last: []liveRow{}, Counts: []string{}}
	report, summary, left, began := r.Report, r.Summary, time.Duration(0), r.Started
	if st, here := d.Service.Progress(r.ID); here {
		s.Stage, report, summary, left, began = st.Stage, st.Report, st.Summary, st.Left, st.Started
		if s.Status = ledger.StatusRunning; st.Waiting {
			s.Status = ledger.StatusWaiting
		}
		if st.Rows > 0 {
			s.Rows = number(st.Rows)
		}
	}
	if report != nil {
		if s.Rows == "" && report.Rows > 0 {
			s.Rows = number(report.Rows)
		}
		for _, f := range outcomesOf(report) {
			s.Counts = append(s.Counts, f.Name+" "+f.Text)
		}
		s.Done = report.Requests.Total
		s.Sent = number(s.Done)
		if took := d.Ledger.Now().Sub(began); s.Done > 0 && took > time.Second {
			s.Rate = strconv.FormatFloat(float64(s.Done)/took.Seconds(), 'f', 1, 64)
		}
	}
	if summary != nil && r.Part.Whole() { // of a part, how much it will be is not known
		s.Total = max(summary.Requests, s.Done)
		if s.Total > 0 {
			s.Sent = number(s.Done) + " of about " + number(s.Total)
		}
		if left > 0 {
			s.Left = bar.About(left)
		}
	}
	return s
}

// feeds are the runs that somebody looks at. It is safe for concurrent use.
type feeds struct {
	mu      sync.Mutex
	all     map[feedName]*feed
	pages   int
	of      map[string]int // live pages by what the browser holds
	closed  chan struct{}
	closing sync.Once
}

type feedName struct {
	deployment string
	run        int64
}

func newFeeds() *feeds {
	return &feeds{all: make(map[feedName]*feed), of: make(map[string]int), closed: make(chan struct{})}
}

// Close ends all live pages, so that a server can stop. It may be called again.
func (p *Page) Close() { p.live.closing.Do(func() { close(p.live.closed) }) }

// enter takes a place for a live page of a browser, and returns what gives it back; ok is false if there is none.
func (f *feeds) enter(browser string) (leave func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pages == liveEntries || f.of[browser] == livePages {
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

// feed is a run that goes on as all who look at it see it. One goroutine makes it, however many look.
type feed struct {
	looking int // guarded by the feeds' mutex
	stop    context.CancelFunc

	mu      sync.Mutex
	latest  []byte
	over    bool
	changed chan struct{} // closed when there is another latest
}

// look returns the feed of a run, and what ends looking at it. The first who looks begins it, the last ends it.
func (f *feeds) look(d *api.Deployment, run ledger.Run) (_ *feed, leave func()) {
	name := feedName{d.Name, run.ID}
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.all[name]
	if one == nil {
		ctx, cancel := context.WithCancel(context.Background())
		one = &feed{stop: cancel, changed: make(chan struct{})}
		f.all[name] = one
		told, unsubscribe := d.Hub.Subscribe(events.Filter{Run: run.ID})
		one.put(snapshotOf(d, &run))
		go func() {
			defer unsubscribe()
			one.follow(ctx, d, run, told)
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
func (f *feed) put(s snapshot) {
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

func (f *feed) now() (latest []byte, over bool, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.latest, f.over, f.changed
}

// follow makes snapshots of a run until it has ended or nobody looks.
func (f *feed) follow(ctx context.Context, d *api.Deployment, run ledger.Run, told <-chan events.Event) {
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	var last []liveRow
	read := time.Now()
	personal := d.Service.Personal(run.Sync)
	for ended := false; ; {
		select {
		case <-ctx.Done():
			return
		case e, open := <-told:
			if !open {
				return
			}
			switch row, isRow := e.Data.(events.RowData); {
			case e.Kind == events.Ended:
				ended = true
			case isRow:
				if personal {
					row.Key = ""
				}
				last = append(last, liveRow{row.Key, string(row.Outcome), row.Reason})
				last = last[max(0, len(last)-liveRows):]
			}
			continue
		case <-tick.C:
		}
		if ended || time.Since(read) >= liveRecord {
			read = time.Now()
			if r, err := d.Ledger.Run(ctx, run.ID); err == nil {
				if now, err := standing.Now(ctx, d.Ledger, *r); err == nil {
					run = now
				}
			}
		}
		s := snapshotOf(d, &run)
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

// follow sends a browser how far a run is, until the run has ended, the browser leaves, or its session ends.
func follow(c *call) error {
	r, err := c.run()
	if err != nil {
		return err
	}
	browser := c.id
	if browser == "" {
		browser = c.parts.Gate.Client(c.r).String()
	}
	leave, ok := c.live.enter(browser)
	if !ok {
		return &access.Refusal{Status: http.StatusServiceUnavailable, Code: "busy", Message: "too many live pages are open", Hint: "close some, or load the page again to see how far the run is", After: liveBeat}
	}
	defer leave()
	one, done := c.live.look(c.d, r)
	defer done()
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	control := http.NewResponseController(c.w)
	beat := time.NewTicker(liveBeat)
	defer beat.Stop()
	check := time.NewTicker(liveRecord)
	defer check.Stop()
	var had []byte
	for quiet := false; ; {
		if !c.still() {
			return nil
		}
		latest, over, changed := one.now()
		if !bytes.Equal(latest, had) || !quiet {
			if err := control.SetWriteDeadline(time.Now().Add(liveWrite)); err != nil {
				return nil
			}
			if bytes.Equal(latest, had) {
				_, err = fmt.Fprint(c.w, ":\n\n")
			} else {
				_, err = fmt.Fprintf(c.w, "data: %s\n\n", latest) // JSON is one line
			}
			if had = latest; err != nil || control.Flush() != nil {
				return nil // the browser has left
			}
		}
		if over {
			return nil
		}
		select {
		case <-changed:
			quiet = true
		case <-check.C:
			quiet = true
		case <-beat.C:
			quiet = false
		case <-c.live.closed:
			return nil
		case <-c.r.Context().Done():
			return nil
		}
	}
}

// still reports whether who asked may still look. It does not count as using the page: a page that is left open does not keep a session alive.
func (c *call) still() bool {
	if c.parts.Gate.Open() {
		return true
	}
	who, ok := c.parts.Sessions.Still(c.id)
	return ok && who == c.who && who.Reaches(c.d.Name)
}
