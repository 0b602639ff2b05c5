package main

import (
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"owlatsync/internal/progress"
	"owlatsync/reconcile"
)

// screen is standard error for what is written while a display may draw there: it makes the display step aside.
type screen struct {
	w       io.Writer
	mu      sync.Mutex
	display *progress.Display // that is drawn now, nil for none
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

// note writes a remark for a person; with --json it is left out.
func (s *screen) note(a *app, line string) {
	if !a.json {
		_, _ = fmt.Fprintln(s, line)
	}
}

func (s *screen) set(d *progress.Display) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.display = d
}

// display shows how a sync gets on; stop may be called more than once. Its zero value shows nothing.
type display struct {
	screen   *screen
	progress *progress.Display
}

// startDisplay shows progress on standard error: a bar on a terminal, and elsewhere lines now and then if plain is set.
func (a *app) startDisplay(sync string, plain bool) *display {
	f, terminal := a.stderr.(*os.File)
	terminal = terminal && term.IsTerminal(int(f.Fd()))
	var width func() int
	switch {
	case a.json, !terminal && !plain:
		return &display{}
	case terminal:
		width = func() int {
			columns, _, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 80
			}
			return columns
		}
	}
	d := &display{screen: &a.screen, progress: progress.Start(a.stderr, sync, width)}
	a.screen.set(d.progress)
	return d
}

// startDisplay shows progress, and how many requests of the session meet the rate limit from now on.
func (s *session) startDisplay(sync string, plain bool) *display {
	d, before := s.app.startDisplay(sync, plain), s.meter.Counts().RateLimited
	if d.progress != nil {
		d.progress.Refused(func() int { return s.meter.Counts().RateLimited - before })
		d.progress.Budget(s.client.Estimate)
	}
	return d
}

func (d *display) observe(e reconcile.Progress) {
	if d.progress != nil {
		d.progress.Observe(e)
	}
}

// suspend clears what is drawn and calls f, which may write to the same terminal and ask there.
func (d *display) suspend(f func()) {
	if d.progress == nil {
		f()
		return
	}
	d.progress.Suspend(f)
}

func (d *display) stop() {
	if d.progress != nil {
		d.screen.set(nil)
		d.progress.Stop()
		d.progress = nil
	}
}
