// Package wait is how a call waits: no longer than its context and the pool whose work it is allow.
package wait

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrShut ends the wait of a caller whose pool was closed.
var ErrShut = errors.New("not sent")

// Sleep waits d. It fails with the context's error when ctx ends meanwhile, and at once when its deadline would; with [ErrShut] when
// shut is closed.
func Sleep(ctx context.Context, shut <-chan struct{}, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d <= 0 {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return fmt.Errorf("waiting %v would pass the deadline: %w", d, context.DeadlineExceeded)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-shut:
		return ErrShut
	}
}

// Turn waits until the caller is next, which those before it say by taking their value out of turn again. Go serves them in their
// order.
func Turn(ctx context.Context, shut <-chan struct{}, turn chan struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-shut:
		return ErrShut
	}
}
