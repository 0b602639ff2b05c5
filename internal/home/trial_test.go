package home

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestATrial: one write answers all who ask within a while, one that hangs is told, and its end too.
func TestATrial(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var writes atomic.Int64
		goOn := make(chan error)
		tr := newTrial(func(context.Context) error { writes.Add(1); return <-goOn })
		began := time.Now()
		for range 3 {
			if err := tr.fails(t.Context()); !errors.Is(err, errNoWrite) || time.Since(began) != trialWithin {
				t.Errorf("after %s: %v", time.Since(began), err)
			}
		}
		goOn <- errDown
		synctest.Wait()
		if err := tr.fails(t.Context()); !errors.Is(err, errDown) || writes.Load() != 1 {
			t.Errorf("%d writes, %v", writes.Load(), err)
		}
		time.Sleep(trialKept)
		go func() { goOn <- nil }()
		for range 3 {
			if err := tr.fails(t.Context()); err != nil || writes.Load() != 2 {
				t.Errorf("%d writes, %v", writes.Load(), err)
			}
		}
		tr.close()
		time.Sleep(time.Hour)
		if err := tr.fails(t.Context()); err != nil || writes.Load() != 2 {
			t.Errorf("after the end: %d writes, %v", writes.Load(), err)
		}
	})
}
