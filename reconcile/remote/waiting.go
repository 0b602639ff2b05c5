package remote

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// patience is how long links may keep those waiting who read memberships, beyond what good answers may take.
	patience = time.Minute
	// Fair is how long a reading of memberships may take on average in a run, which has other things to do.
	Fair = 250 * time.Millisecond
)

// errLate ends the reading of memberships.
var errLate = errors.New("the links in Owlat's mails (/prefs/verify and /unsub below owlat.url) answer too slowly or not at all, and were waited for for a minute; " +
	"see whether the deployment, or a proxy before it, is overloaded")

// waiting is how long links have kept callers waiting, beyond what good answers may take. Callers that wait at the same time count once.
type waiting struct {
	callers int
	until   time.Time // up to when it is counted, if there are callers
	lost    time.Duration
	over    bool // somebody was cut off
}

// pass counts the time up to now.
func (w *waiting) pass() {
	now := time.Now()
	if w.callers > 0 {
		w.lost += now.Sub(w.until)
	}
	w.until = now
}

// end takes a caller away whose good answer may have taken so long; 0: as long as it likes.
func (w *waiting) end(good bool, fair time.Duration) {
	w.pass()
	w.callers--
	switch {
	case good && fair == 0:
		w.lost = 0
	case good:
		w.lost = max(0, w.lost-fair)
	}
}

// late reports whether callers have waited too long.
func (w *waiting) late() bool { return w.over || w.lost >= patience }

// wait is one call that waits since its first request is on its way. It is cut off once all have waited too long.
type wait struct {
	of  *Links
	cut context.CancelFunc

	mu    sync.Mutex
	timer *time.Timer // nil: nothing was sent, or all is over
}

func (w *wait) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		return
	}
	w.of.mu.Lock()
	w.of.waiting.pass()
	w.of.waiting.callers++
	left := patience - w.of.waiting.lost
	w.of.mu.Unlock()
	w.timer = time.AfterFunc(left, w.look)
}

// look cuts the call off if all have waited too long. Good answers may have given it more time.
func (w *wait) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer == nil {
		return
	}
	w.of.mu.Lock()
	w.of.waiting.pass()
	left := patience - w.of.waiting.lost
	w.of.waiting.over = w.of.waiting.over || left <= 0
	over := w.of.waiting.over
	w.of.mu.Unlock()
	if over {
		w.cut()
		return
	}
	w.timer.Reset(left)
}

func (w *wait) end(good bool, fair time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer == nil {
		return
	}
	w.timer.Stop()
	w.timer = nil
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	w.of.waiting.end(good, fair)
}
