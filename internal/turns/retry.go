package turns

import "time"

const (
	retryFirst = 15 * time.Second
	retryMost  = 15 * time.Minute
)

// retry is a run that is made again after a failure that may pass. The pauses between failures grow.
type retry struct {
	timer   *time.Timer
	request Request
	pause   time.Duration
	waits   bool // it will be made
}

// retryLater makes the run of a job again after a pause, unless a run of its sync begins before. The caller holds the mutex.
func (q *Queue) retryLater(j *Job) {
	if !j.Part.Whole() || j.Approves != 0 || j.Review {
		return // whoever asked for it decides
	}
	r := q.retries[j.Sync]
	if r == nil {
		r = &retry{pause: retryFirst, request: Request{Sync: j.Sync, Why: Again, Keys: j.Keys, Full: j.Full}}
		q.retries[j.Sync] = r
	} else {
		r.timer.Stop()
		r.pause = min(2*r.pause, retryMost)
		r.request.join(j.Request)
	}
	r.waits = true
	r.timer = time.AfterFunc(r.pause, func() {
		q.mu.Lock()
		r.waits = false
		request := r.request
		q.mu.Unlock()
		q.Submit(request)
	})
}

// forgetRetry notes that a run begins which does what was to be done again; its pause stays, for the case that it fails too. The
// caller holds the mutex.
func (q *Queue) forgetRetry(j *Job) {
	r := q.retries[j.Sync]
	if r == nil {
		return
	}
	if j.covers(&r.request) || j.Why == Again {
		r.timer.Stop()
		r.waits = false
		r.request = Request{Sync: j.Sync, Why: Again, Keys: j.Keys, Full: j.Full}
		j.own = true
	}
}

// Retries reports whether a run is to be made again after a pause.
func (d Desk) Retries() bool {
	d.q.mu.Lock()
	defer d.q.mu.Unlock()
	for _, r := range d.q.retries {
		if r.waits {
			return true
		}
	}
	return false
}
