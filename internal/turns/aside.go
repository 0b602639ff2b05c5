package turns

import (
	"context"
	"errors"
)

// ErrEnding says that the queue lets nobody begin any more.
var ErrEnding = errors.New("the service stops")

// aside is the place in the lineup of work that is no run of a sync. No sync has this name.
const aside = ""

// Aside gives work that is no run of a sync its turn among the runs.
type Aside struct{ Queue *Queue }

// Do does the work when its turn has come, and returns when it has ended. The work may let others have their turn by the
// job, whose Stop is closed when the queue ends. At a time one such work waits or goes on. It returns the error of the work, ErrEnding, or the cause
// of ctx if that ends before the turn has come.
func (a Aside) Do(ctx context.Context, work func(ctx context.Context, j *Job) error) error {
	q := a.Queue
	done := make(chan error, 1)
	r := Request{work: func(ctx context.Context, j *Job) { done <- work(ctx, j) }}
	q.mu.Lock()
	if q.ending || q.active[aside] != nil || q.waiting[aside] != nil {
		q.mu.Unlock()
		return ErrEnding
	}
	mine := &line{place: q.nextPlace(), requests: []Request{r}}
	q.waiting[aside] = mine
	q.dispatch()
	q.mu.Unlock()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	q.mu.Lock()
	if q.waiting[aside] == mine {
		delete(q.waiting, aside)
		q.mu.Unlock()
		return context.Cause(ctx)
	}
	if j := q.active[aside]; j != nil {
		j.stop()
	}
	q.mu.Unlock()
	return <-done
}

// begin makes the run of a job, or does its work.
func (j *Job) begin(ctx context.Context) {
	if j.work != nil {
		Aside{j.queue}.run(ctx, j)
		return
	}
	j.queue.run(ctx, j)
}

// run does the work of a job that is no run.
func (a Aside) run(ctx context.Context, j *Job) {
	q := a.Queue
	j.work(ctx, j)
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.active, aside)
	if q.having == j {
		q.having = nil
	}
	q.dispatch()
}
