// Package bar shows a person the progress of a run: one line that is redrawn on a terminal, or a new line at intervals in a file or
// a pipe. It knows counts and times only, no address and no name.
//
// The bar counts requests, not rows: a run takes as long as its requests, so the time left is honest.
package bar

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"owlatsync"
	"owlatsync/reconcile/progress"
)

// How often the state is shown.
const (
	redrawEvery = 200 * time.Millisecond // on a terminal
	lineEvery   = 10 * time.Second       // elsewhere
)

// settled is how long sending must go on before its pace counts more than the plan's estimate.
const settled = 3 * time.Second

// Display shows the run of one sync. Its methods are safe for concurrent use. Those that tell it something never wait for w.
type Display struct {
	sync  string
	width func() int // nil if w is no terminal

	wake chan struct{} // lines wait
	stop chan struct{}
	done chan struct{}

	out   sync.Mutex // taken before mu
	w     io.Writer
	drawn bool // the terminal shows a line

	mu       sync.Mutex // not held during a write, which a terminal can block for hours
	lines    []string   // lines to be written
	stage    stage
	again    bool // the run reads its source again, or has: the bar goes on
	rows     int
	listed   progress.Listed
	members  progress.Members
	expected int           // requests to send
	estimate time.Duration // time that they take
	sent     int           // requests of finished rows
	began    time.Time     // when sending began
	outcomes map[owlatsync.Outcome]int
	refused  func() int              // requests that met the rate limit; nil: not counted
	budget   func(int) time.Duration // how long so many requests take; nil: not known
}

type stage int

const (
	reading stage = iota
	listing
	sending
	memberships
)

// Start begins to show the run of a sync on w. width returns the columns of the terminal w; nil means that w is no terminal. The
// display has a goroutine until Stop.
func Start(w io.Writer, sync string, width func() int) *Display {
	d := &Display{
		w: w, sync: sync, width: width,
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
		outcomes: make(map[owlatsync.Outcome]int),
	}
	go d.loop()
	return d
}

// Stop ends the display and clears its line. It must be called once.
func (d *Display) Stop() {
	close(d.stop)
	<-d.done
	d.Suspend(func() {})
}

// Observe takes in a value of the engine.
func (d *Display) Observe(e progress.Value) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch e := e.(type) {
	case progress.Afresh:
		d.again = true
		if d.width == nil {
			d.line("reading the source again, because the last reading is too old to act on")
		}
	case progress.Scanned:
		if d.rows = e.Rows; !d.again {
			d.stage = reading
		}
		if e.Done && d.width == nil {
			d.line("read %s", owlatsync.Counted(e.Rows, "row"))
		}
	case progress.Listed:
		d.stage, d.listed = listing, e
	case progress.Members:
		if d.stage != memberships {
			d.stage, d.began = memberships, time.Now()
		}
		d.members = e
	case progress.Planned:
		if d.again {
			d.goOn(e.Summary)
			return
		}
		d.stage, d.began = sending, time.Now()
		d.expected, d.estimate = e.Summary.Requests, e.Summary.Duration
		if d.width == nil && d.expected > 0 {
			d.line("sending %s, %s", owlatsync.Counted(d.expected, "request"), About(d.estimate))
		}
	case progress.RowDone:
		if e.Outcome != owlatsync.Skipped { // nothing was sent for it
			d.sent += e.Requests
		}
		if e.Before != "" {
			d.outcomes[e.Before]--
		}
		d.outcomes[e.Outcome]++
	}
}

// goOn takes in the plan of what is left after the source was read again.
func (d *Display) goOn(plan owlatsync.Summary) {
	if d.expected == 0 { // a part, whose size is not known
		return
	}
	d.expected, d.estimate = d.sent+plan.Requests, time.Since(d.began)+plan.Duration
	if d.width == nil && plan.Requests > 0 {
		d.line("sending %s more, %s", owlatsync.Counted(plan.Requests, "request"), About(plan.Duration))
	}
}

// Refused makes the display tell how many requests met the rate limit, if any did.
func (d *Display) Refused(count func() int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refused = count
}

// Budget makes the display ask how long so many requests take within the budget.
func (d *Display) Budget(take func(requests int) time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.budget = take
}

// Suspend clears the line, calls f, which may write to the same output, and shows the line again.
func (d *Display) Suspend(f func()) {
	d.out.Lock()
	defer d.out.Unlock()
	d.flush()
	if d.drawn {
		_, _ = io.WriteString(d.w, "\r\x1b[K")
		d.drawn = false
	}
	f()
}

func (d *Display) loop() {
	defer close(d.done)
	every := lineEvery
	if d.width != nil {
		every = redrawEvery
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-d.stop:
			return
		case <-d.wake:
			d.out.Lock()
			d.flush()
			d.out.Unlock()
		case <-ticker.C:
			d.show()
		}
	}
}

func (d *Display) show() {
	d.out.Lock()
	defer d.out.Unlock()
	d.mu.Lock()
	if d.width == nil {
		d.line("%s", strings.Join(d.parts(), ", "))
		d.mu.Unlock()
		d.flush()
		return
	}
	line := d.draw(d.width())
	d.mu.Unlock()
	_, _ = fmt.Fprintf(d.w, "\r%s\x1b[K", line)
	d.drawn = true
}

// line makes the loop write a line.
func (d *Display) line(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf("%s: %s\n", d.sync, fmt.Sprintf(format, args...)))
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// flush writes the waiting lines.
func (d *Display) flush() {
	d.mu.Lock()
	lines := d.lines
	d.lines = nil
	d.mu.Unlock()
	for _, line := range lines {
		_, _ = io.WriteString(d.w, line)
	}
}

// parts says in words how far the run is.
func (d *Display) parts() []string {
	var refused []string
	if d.refused != nil && d.refused() > 0 {
		refused = []string{fmt.Sprintf("%d refused (429)", d.refused())}
	}
	switch d.stage {
	case reading: // the first request of a listing may be refused here too
		return append([]string{fmt.Sprintf("reading the source: %s", owlatsync.Counted(d.rows, "row"))}, refused...)
	case listing:
		return append([]string{fmt.Sprintf("comparing with Owlat: %d of %s", d.listed.Contacts, owlatsync.Counted(d.listed.Total, "contact"))}, refused...)
	}
	elapsed := time.Since(d.began)
	if d.stage == memberships {
		return d.membersParts(elapsed)
	}
	parts := []string{owlatsync.Counted(d.sent, "request")}
	if d.expected > 0 {
		parts[0] = fmt.Sprintf("%d of %s", d.sent, owlatsync.Counted(d.expected, "request"))
	}
	if d.sent > 0 && elapsed > 0 {
		parts = append(parts, fmt.Sprintf("%.1f/s", float64(d.sent)/elapsed.Seconds()))
	}
	if left := d.left(elapsed); d.sent < d.expected && left > 0 {
		parts = append(parts, About(left)+" left")
	}
	parts = append(parts, refused...)
	for _, o := range owlatsync.Outcomes {
		if n := d.outcomes[o]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", o, n))
		}
	}
	return parts
}

// membersParts says how far memberships are read: the time left is that of the pace so far, or of the limit if that is longer.
func (d *Display) membersParts(elapsed time.Duration) []string {
	m := d.members
	parts := []string{fmt.Sprintf("reading memberships: %d of %s", m.Read, owlatsync.Counted(m.Total, "contact"))}
	rest := float64(m.Total - m.Read)
	left := time.Duration(rest / m.PerSecond * float64(time.Second))
	if m.Read > 0 && elapsed >= settled {
		parts = append(parts, fmt.Sprintf("%.1f/s", float64(m.Read)/elapsed.Seconds()))
		left = max(left, time.Duration(float64(elapsed)/float64(m.Read)*rest))
	}
	if left > 0 {
		parts = append(parts, About(left)+" left")
	}
	return parts
}

// left returns the time for the remaining requests: at first by the plan, then by the pace so far, or by the budget if that is
// longer. The first pace is too high, because the tokens saved during a rest are spent at once.
func (d *Display) left(elapsed time.Duration) time.Duration {
	if elapsed < settled || d.sent == 0 {
		return d.estimate - elapsed
	}
	rest := d.expected - d.sent
	byPace := time.Duration(float64(elapsed) / float64(d.sent) * float64(rest))
	if d.budget == nil {
		return byPace
	}
	return max(byPace, d.budget(rest))
}

// withBar is how many columns a terminal needs for a bar beside the words; the bar takes a fifth of them.
const withBar, longestBar = 60, 30

// draw returns the line for a terminal of that width. A width of 0 is a serial line or the like, whose size is unknown.
func (d *Display) draw(columns int) string {
	if columns <= 0 {
		columns = 80
	}
	line := d.sync + "  "
	if fraction := d.fraction(); fraction >= 0 && columns >= withBar {
		width := min(columns/5, longestBar)
		full := int(fraction * float64(width))
		line += "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]  "
	}
	line += strings.Join(d.parts(), "  ")
	// The last column stays free: some terminals wrap when it is written.
	return line[:max(0, min(len(line), columns-1))]
}

// fraction returns how much of the stage is done, negative if that is not known.
func (d *Display) fraction() float64 {
	done, all := d.sent, d.expected
	switch d.stage {
	case reading:
		return -1
	case listing:
		done, all = d.listed.Contacts, d.listed.Total
	case memberships:
		done, all = d.members.Read, d.members.Total
	}
	if all <= 0 {
		return -1
	}
	return min(float64(done)/float64(all), 1)
}

// About rounds a duration to what a person wants to know.
func About(d time.Duration) string {
	if d < time.Second {
		return Duration(d)
	}
	return "about " + Duration(d)
}

// Duration returns d as "under 1s", "12s", "3m20s" or "2h47m": two units at most.
func Duration(d time.Duration) string {
	switch s := int(d.Round(time.Second).Seconds()); {
	case d < time.Second:
		return "under 1s"
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	default:
		m := (s + 30) / 60
		return fmt.Sprintf("%dh%02dm", m/60, m%60)
	}
}
