package notify

import "time"

// AskEvery sets how often a silent connection is asked whether it is alive.
func (l *Listener) AskEvery(d time.Duration) { l.askEvery = d }
