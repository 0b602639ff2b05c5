package source

import "context"

// feed makes batches of rows ahead, so that the source is read on one core while the rows are mapped and compared on another.
// Its goroutine alone uses what fill reads from until it has ended.
type feed[B any] struct {
	fill func(*B) (last bool)
	full chan *B // closed at the end
	free chan *B
}

// startFeed fills batches until the last or the end of ctx. The caller must call wait before it touches what fill reads from.
func startFeed[B any](ctx context.Context, fill func(*B) (last bool)) *feed[B] {
	const batches = 3 // one is filled, one waits, one is worked on
	f := &feed[B]{fill: fill, full: make(chan *B, 1), free: make(chan *B, batches)}
	for range batches {
		f.free <- new(B)
	}
	go f.run(ctx)
	return f
}

func (f *feed[B]) run(ctx context.Context) {
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

// next gives the last batch back and returns the next one; nil where ctx ended first.
func (f *feed[B]) next(last *B) *B {
	if last != nil {
		f.free <- last
	}
	return <-f.full
}

// wait returns when nothing is read any more.
func (f *feed[B]) wait() {
	for range f.full {
	}
}
