package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/waiting"
	"owlatsync/ledger/postgres/internal/change"
	"owlatsync/ledger/postgres/internal/server"
)

// commit is one call on its way to the server that shares its transaction with others.
type commit struct {
	steps []*change.Step
	done  chan error // receives one result
}

// recorder records entries under a lock.
type recorder struct {
	*fence
	queue waiting.Queue[*commit]
	rows  change.Numbers // only for who has the turn
}

// Record makes the records durable in their order, all or none. An entry needs a sync and a key; a zero ChangedAt becomes the
// present time. Calls that come while a transaction is written share the next one. A call that cannot be written fails alone. If ctx
// ends while the call waits, nothing of it is written. Once its transaction has begun, the call returns the true result. While the server
// cannot be reached, it tries for some seconds.
func (k *recorder) Record(ctx context.Context, records ...ledger.Record) error {
	if err := k.record(ctx, records); err != nil {
		return fmt.Errorf("record in ledger: %w", server.Explain(ctx, err))
	}
	return nil
}

func (k *recorder) record(ctx context.Context, records []ledger.Record) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := k.usable(); err != nil || len(records) == 0 {
		return err
	}
	steps, err := change.Encode(records, k.Now())
	if err != nil {
		return err
	}
	all := make([]*change.Step, len(steps))
	for i := range steps {
		all[i] = &steps[i]
	}
	return k.share(ctx, all)
}

// share writes in a transaction that calls share which come while another one is written.
func (k *recorder) share(ctx context.Context, steps []*change.Step) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	c := &commit{steps: steps, done: make(chan error, 1)}
	k.queue.Add(c)
	select {
	case err := <-c.done:
		return err
	case k.turn <- struct{}{}:
		// Who has the turn writes for all calls that wait, and for itself unless it was just served.
		k.commitWaiting(context.WithoutCancel(ctx))
		return <-c.done
	case <-ctx.Done():
		if k.queue.Withdraw(c) {
			return context.Cause(ctx)
		}
	case <-k.done:
		if k.queue.Withdraw(c) {
			return ledger.ErrClosed
		}
	}
	return <-c.done
}

func (k *recorder) commitWaiting(ctx context.Context) {
	defer k.leaveTurn()
	runtime.Gosched() // lets callers that the last transaction has answered join this one
	batch := k.queue.TakeAll()
	if len(batch) == 0 {
		return
	}
	err := k.commit(ctx, batch)
	if err != nil && len(batch) > 1 && !concernsAll(err) {
		for _, c := range batch {
			c.done <- k.commit(ctx, []*commit{c})
		}
		return
	}
	for _, c := range batch {
		c.done <- err
	}
}

// concernsAll reports whether an error is no fault of one call among others.
func concernsAll(err error) bool {
	return server.IsKnown(err) || server.IsAway(err) || errors.Is(err, errUnknown) || server.StateOf(err) == server.StateDiskFull || server.StateOf(err) == server.StateReadOnly
}

func (k *recorder) commit(ctx context.Context, batch []*commit) error {
	if err := k.usable(); err != nil {
		return err
	}
	var steps []*change.Step
	for _, c := range batch {
		steps = append(steps, c.steps...)
	}
	return k.put(ctx, steps)
}
