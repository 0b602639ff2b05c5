package page

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/page/telling"
)

// liveView is a run that goes on.
type liveView struct {
	Address string
	telling.Snapshot
}

// Close ends all live pages, so that a server can stop. It may be called again.
func (p *Page) Close() { p.live.Close() }

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
	if c.r.Method == http.MethodHead {
		return nil // the answer would never end
	}
	leave, ok := c.live.Enter(browser)
	if !ok {
		return &access.Refusal{Status: http.StatusServiceUnavailable, Code: "busy", Message: "too many live pages are open", Hint: "close some, or load the page again to see how far the run is", After: telling.LiveBeat}
	}
	defer leave()
	one, done := c.live.Look(c.d, r)
	defer done()
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	control := http.NewResponseController(c.w)
	beat := time.NewTicker(telling.LiveBeat)
	defer beat.Stop()
	check := time.NewTicker(telling.LiveRecord)
	defer check.Stop()
	var had []byte
	for quiet := false; ; {
		if !c.still() {
			return nil
		}
		latest, over, changed := one.Latest()
		if !bytes.Equal(latest, had) || !quiet {
			if err := control.SetWriteDeadline(time.Now().Add(telling.LiveWrite)); err != nil {
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
		case <-c.live.Closed():
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
	who, ok, err := c.parts.Sessions.Still(c.r.Context(), c.id)
	return err == nil && ok && who == c.who && who.Reaches(c.d.Name)
}
