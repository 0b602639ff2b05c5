package console

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"owlatsync/internal/bar"
	"owlatsync/reconcile/progress"
)

// screen is standard error beside a display: the display steps aside for what is written.
type screen struct {
	w       io.Writer
	mu      sync.Mutex
	display *bar.Display // the display drawn now; nil: none
}

// Write writes a line of the log.
func (s *screen) Write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.display == nil {
		return s.w.Write(p)
	}
	s.display.Suspend(func() { n, err = s.w.Write(p) })
	return n, err
}

// note writes a remark for a person.
func (s *screen) note(line string) { _, _ = fmt.Fprintln(s, line) }

func (s *screen) set(d *bar.Display) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.display = d
}

// Pace tells a display how fast a sync may go on.
type Pace interface {
	// Refused returns how many requests have met the rate limit.
	Refused() int
	// Estimate returns how long that many requests take from now on.
	Estimate(requests int) time.Duration
}

// Display shows the progress of a sync.
type Display struct {
	screen   *screen
	progress *bar.Display // nil: nothing is shown
}

// StartDisplay shows progress on standard error until Stop: a bar on a terminal, and elsewhere lines at intervals if plain is set.
// With JSON it shows nothing.
func (c *Console) StartDisplay(sync string, plain bool, pace Pace) *Display {
	f, terminal := c.stderr.(*os.File)
	terminal = terminal && term.IsTerminal(int(f.Fd()))
	var width func() int
	switch {
	case c.JSON, !terminal && !plain:
		return &Display{}
	case terminal:
		width = func() int {
			columns, _, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 80
			}
			return columns
		}
	}
	d := &Display{screen: &c.screen, progress: bar.Start(c.stderr, sync, width)}
	c.screen.set(d.progress)
	before := pace.Refused()
	d.progress.Refused(func() int { return pace.Refused() - before })
	d.progress.Budget(pace.Estimate)
	return d
}

// Observe takes in a value of the engine.
func (d *Display) Observe(e progress.Value) {
	if d.progress != nil {
		d.progress.Observe(e)
	}
}

// Suspend clears the display and calls f, which may write to the same terminal and ask there.
func (d *Display) Suspend(f func()) {
	if d.progress == nil {
		f()
		return
	}
	d.progress.Suspend(f)
}

// Stop clears the display. It may be called more than once.
func (d *Display) Stop() {
	if d.progress != nil {
		d.screen.set(nil)
		d.progress.Stop()
		d.progress = nil
	}
}
