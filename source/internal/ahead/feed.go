// Package ahead reads a source before its rows are asked for.
package ahead

import "context"

// BatchRows is the most rows of a batch. It is small, so that a scan that ends early reads little too much.
const BatchRows = 1024

// Feed makes batches of rows ahead: one core reads the source while another maps and compares the rows. Until it has ended, only
// its goroutine uses what fill reads from.
type Feed[B any] struct {
	fill func(*B) (last bool)
	full chan *B // closed at the end
	free chan *B
}

// Start fills batches until the last one or the end of ctx. The caller must call Wait before it touches what fill reads from.
func Start[B any](ctx context.Context, fill func(*B) (last bool)) *Feed[B] {
	const batches = 3 // one is filled, one waits, one is worked on
	f := &Feed[B]{fill: fill, full: make(chan *B, 1), free: make(chan *B, batches)}
	for range batches {
		f.free <- new(B)
	}
	go f.run(ctx)
	return f
}

func (f *Feed[B]) run(ctx context.Context) {
	defer close(f.full)
	for {
		var b *B
		select {
		case b = <-f.free:
		case <-ctx.Done():
			return
		}
		last := f.fill(b)
		select {
		case f.full <- b:
		case <-ctx.Done():
			return
		}
		if last {
			return
		}
	}
}

// Next gives the last batch back and returns the next one, nil if ctx ended first.
func (f *Feed[B]) Next(last *B) *B {
	if last != nil {
		f.free <- last
	}
	return <-f.full
}

// Wait waits until the feed no longer reads.
func (f *Feed[B]) Wait() {
	for range f.full {
	}
}
